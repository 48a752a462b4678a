// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard raw-tp-recursion back into kernel/trace/bpf_trace.c of Linux 6.1.y.
//
// As in Linux 5.19 and 6.0: a program on a raw tracepoint may enter itself on the same CPU. Undoes
// 05b24ff9b2cf (6.1-rc1).

@@
expression prog;
identifier out;
@@
__bpf_trace_run(...)
{
	...
-	if (unlikely(this_cpu_inc_return(*(prog->active)) != 1)) {
-		bpf_prog_inc_misses_counter(prog);
-		goto out;
-	}
	rcu_read_lock();
	...
	rcu_read_unlock();
-out:
-	this_cpu_dec(*(prog->active));
}
