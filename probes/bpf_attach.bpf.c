// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of every kind that count their runs.
 *
 * Which of them are loaded is the probe's choice: no globals, no CO-RE, no loops, so that the rest
 * loads from 4.17 on.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf_attach.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ATTACH_SLOTS);
	__type(key, __u32);
	__type(value, struct attach_slot);
} slots SEC(".maps");

static __always_inline struct attach_slot *slot_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&slots, &cpu);
}

/* One thread writes a slot, the worker of that CPU: plain additions suffice. */
static __always_inline struct attach_slot *hit(enum attach_program which)
{
	struct attach_slot *s = slot_here();

	if (!s || s->tid != (__u32)bpf_get_current_pid_tgid())
		return 0;
	s->runs[which]++;
	return s;
}

#define PROGRAM(section, name, which)                                                              \
	SEC(section) int name(void *ctx)                                                           \
	{                                                                                          \
		hit(which);                                                                        \
		return 0;                                                                          \
	}

/* A system call's function has one argument, its registers; what it returns comes behind. (Calls
 * without arguments are aliases, which BTF does not name.) */
#define PROGRAM_RETURN(section, name, which, expect)                                               \
	SEC(section) int name(__u64 *ctx)                                                          \
	{                                                                                          \
		struct attach_slot *s = hit(which);                                                \
                                                                                                   \
		if (s && ctx[1] != s->expect)                                                      \
			s->wrong++;                                                                \
		return 0;                                                                          \
	}

PROGRAM("fentry/__x64_sys_getpgid", stay_fentry, STAY_FENTRY)
PROGRAM_RETURN("fexit/__x64_sys_getpgid", stay_fexit, STAY_FEXIT, pgid)
PROGRAM("kprobe.multi", stay_kmulti, STAY_KMULTI)
PROGRAM("kprobe", stay_kprobe, STAY_KPROBE)
PROGRAM("tracepoint", stay_tp, STAY_TP)
PROGRAM("raw_tp/task_rename", stay_raw_tp, STAY_RAW_TP)
PROGRAM("perf_event", stay_fault, STAY_FAULT)

PROGRAM("fentry/__x64_sys_getpgid", come_fentry, COME_FENTRY)
PROGRAM_RETURN("fexit/__x64_sys_getpgid", come_fexit, COME_FEXIT, pgid)
PROGRAM("fentry/__x64_sys_getsid", cold_fentry, COME_FENTRY)
PROGRAM_RETURN("fexit/__x64_sys_getsid", cold_fexit, COME_FEXIT, sid)
PROGRAM("kprobe.multi", come_kmulti, COME_KMULTI)
PROGRAM("kretprobe.multi", come_kretmulti, COME_KRETMULTI)
PROGRAM("kprobe", come_kprobe, COME_KPROBE)
PROGRAM("tracepoint", come_tp, COME_TP)
PROGRAM("raw_tp/task_rename", come_raw_tp, COME_RAW_TP)
PROGRAM("perf_event", come_fault, COME_FAULT)

/* Takes samples in interrupts, so that programs run while others are attached there too. */
SEC("perf_event") int tick(void *ctx)
{
	slot_here();
	return 0;
}

/* Prints, which may contend for a lock, and enters the next program in any case. */
SEC("raw_tp/contention_begin") int contend(void *ctx)
{
	const char text[] = "klab";
	struct attach_slot *s = slot_here();

	if (!s)
		return 0;
	s->contended++;
	bpf_trace_printk(text, sizeof(text));
	return 0;
}

/*
 * The helper fires the tracepoint that this program hangs on. The kernel must not let it enter
 * itself; where it does, this ends it: some kernels hold a lock there. Two programs cannot be active
 * on one CPU here, as one that is interrupted keeps its CPU.
 */
SEC("raw_tp/bpf_trace_printk") int print(void *ctx)
{
	const char text[] = "klab";
	struct attach_slot *s = slot_here();

	if (!s)
		return 0;
	if (s->depth) {
		s->nested++;
		return 0;
	}
	s->depth++;
	bpf_trace_printk(text, sizeof(text));
	s->depth--;
	return 0;
}

char _license[] SEC("license") = "GPL";
