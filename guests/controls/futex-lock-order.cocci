// SPDX-License-Identifier: GPL-2.0-or-later
//
// A fixture, no hazard: puts a deadlock of two locks into kernel/futex/futex.h of Linux 6.1.y.
//
// What takes the locks of two hash buckets takes them in the order of its arguments, not of their
// addresses: two CPUs that requeue in opposite directions may each hold what the other waits for. No
// Linux was ever like that: it is what delays are measured on. The function stays one of its own, so
// that the place between the locks has a name.

@@
identifier hb1, hb2;
attribute name noinline;
@@
-static inline void double_lock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2)
+static void noinline double_lock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2)
{
-	if (hb1 > hb2)
-		swap(hb1, hb2);
	...
}
