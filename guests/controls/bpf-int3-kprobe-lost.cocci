// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard bpf-int3-kprobe-lost back into kernel/trace/bpf_trace.c of Linux 6.1.y.
//
// As in Linux 5.8 to 5.10 (0d00449c7e28): the handler of a kernel int3 is like an NMI's, and in those
// no program ran that an event calls. Undoes 548f1191d86c (5.11-rc1).

@@
expression active;
statement S;
@@
trace_call_bpf(...)
{
	...
	cant_sleep();
+
+	if (in_nmi())
+		return 1;
	if (unlikely(__this_cpu_inc_return(active) != 1)) S
	...
}
