// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard text-poke-race back into arch/x86/kernel/alternative.c of Linux 6.1.y.
//
// As in Linux 5.3 to 5.5 (c0213b0ac03c): a handler of int3 reads the vector of patch sites without a
// reference, and the patcher clears it when it is done. Undoes what 285a54efe386, 1f676247f36a
// (5.6-rc1) and efd608fa7403 (6.0) did about that.
//
// All or nothing: the first three rules only look, and every change depends on all of them.

@has_get@
identifier desc;
@@
  if (!arch_atomic_inc_not_zero(&desc->refs))
    return NULL;

@has_put depends on has_get@
identifier desc;
@@
  smp_mb__before_atomic();
  arch_atomic_dec(&desc->refs);

@has_wait depends on has_put@
symbol bp_desc;
@@
  if (!atomic_dec_and_test(&bp_desc.refs))
    atomic_cond_read_acquire(&bp_desc.refs, !VAL);

@depends on has_wait@
identifier desc;
@@
- if (!arch_atomic_inc_not_zero(&desc->refs))
-   return NULL;
+ smp_rmb();
+ if (likely(!desc->nr_entries))
+   return NULL;

@depends on has_wait@
identifier desc;
symbol bp_desc;
@@
- struct bp_patching_desc *desc = &bp_desc;
-
- smp_mb__before_atomic();
- arch_atomic_dec(&desc->refs);

@depends on has_wait@
symbol bp_desc;
@@
- if (!atomic_dec_and_test(&bp_desc.refs))
-   atomic_cond_read_acquire(&bp_desc.refs, !VAL);
+ bp_desc.vec = NULL;
+ bp_desc.nr_entries = 0;
