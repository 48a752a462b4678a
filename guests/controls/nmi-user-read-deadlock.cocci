// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard nmi-user-read-deadlock back into mm/usercopy.c of Linux 6.1.y.
//
// Linux d319f344561d (6.4-rc1, 6.1.36) makes check_heap_object() leave vmalloc areas unchecked while
// page faults are disabled, that is in copy_from_user_nofault(). Without that condition the check
// takes vmap_area_lock in whatever context it was called, NMI included. The other half of that
// commit (mm/maccess.c) is left in place: it does not take the lock away.
// All 6.1.y before 6.1.36 have no such condition: there is nothing to put back, and no match.

@@
expression ptr;
@@
  if (
-     is_vmalloc_addr(ptr) && !pagefault_disabled()
+     is_vmalloc_addr(ptr)
     ) {
    ...
  }
