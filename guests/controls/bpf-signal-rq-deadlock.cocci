// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard bpf-signal-rq-deadlock back into kernel/trace/bpf_trace.c of Linux 6.1.y.
//
// As in Linux 5.3 to 5.5 (8b401f9ed244): bpf_send_signal() leaves a signal to an irq_work in NMIs
// alone, so that a program under the run queue's lock takes that lock again. Undoes 1bc7896e9ef4
// (5.6-rc7), and what was added to its condition since.

@@
expression defer;
@@
bpf_send_signal_common(...)
{
	...
	if (
-	    defer
+	    in_nmi()
	    ) {
		...
		irq_work_queue(...);
		...
	}
	...
}
