// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard bpf-queue-nmi-deadlock back into kernel/bpf/queue_stack_maps.c of Linux 6.1.y.
//
// Linux a34a9f1a19af (6.6, 6.1.56) lets an NMI only try the lock of a queue or stack map. Without it
// an NMI that lands on the lock's holder waits for ever. All 6.1.y before 6.1.56 have no such test:
// there is nothing to put back, and no match.

@@
expression LOCK, FLAGS;
@@
(
- if (in_nmi()) {
-	if (!raw_spin_trylock_irqsave(LOCK, FLAGS))
-		return -EBUSY;
- } else {
	raw_spin_lock_irqsave(LOCK, FLAGS);
- }
|
- if (in_nmi()) {
-	if (!raw_spin_trylock_irqsave(LOCK, FLAGS)) {
-		...
-		return -EBUSY;
-	}
- } else {
	raw_spin_lock_irqsave(LOCK, FLAGS);
- }
)
