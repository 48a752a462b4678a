// SPDX-License-Identifier: GPL-2.0
/*
 * What tracing tools do in the scheduler: read memory of the user and of the kernel, take both
 * stacks, send a signal, with the run queue's lock held.
 *
 * User memory goes to the program's stack, which no hazard of vmalloc memory concerns. Must load on
 * 5.2 and later, with and without kernel BTF: no globals, no CO-RE, no loops; bpf_send_signal() is
 * of 5.3, so that program is left out where it does not load.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sched_trace.h"

#define STACK_DEPTH 127
#define EFAULT 14

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCHED_SLOTS);
	__type(key, __u32);
	__type(value, struct sched_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, STACK_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

static __always_inline struct sched_slot *slot_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct sched_slot *s = bpf_map_lookup_elem(&slots, &cpu);

	return s && s->user_addr ? s : 0;
}

static __always_inline int is_ours(const struct sched_slot *s)
{
	return bpf_get_current_pid_tgid() >> 32 == s->tgid;
}

static __always_inline void user_read(struct sched_slot *s)
{
	__u64 words[SCHED_WORDS] = {}, wrong = 0;
	long got = bpf_probe_read_user(words, sizeof(words), (const void *)s->user_addr);

	if (!is_ours(s))
		return;
	if (got < 0) {
		s->faults++;
		return;
	}
#pragma unroll
	for (int i = 0; i < SCHED_WORDS; i++)
		wrong |= words[i] ^ SCHED_WORD(i);
	s->compared++;
	if (wrong)
		s->wrong++;
}

static __always_inline void kernel_read(struct sched_slot *s, __u64 task)
{
	__u64 words[4], known = s->kernel_value;

	/* A kernel that is locked down says EPERM. */
	if (bpf_probe_read_kernel(words, sizeof(words), (const void *)task) == -EFAULT)
		s->kernel_wrong++;
	if (s->kernel_addr &&
	    !bpf_probe_read_kernel(&known, sizeof(known), (const void *)s->kernel_addr) &&
	    known != s->kernel_value)
		s->kernel_wrong++;
}

static __always_inline void stacks_take(void *ctx, struct sched_slot *s)
{
	if (bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID) >= 0)
		s->stacks++;
	if (bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK | BPF_F_REUSE_STACKID) >= 0)
		s->stacks++;
}

SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct sched_slot *s = slot_get();

	if (!s)
		return 0;
	s->switches++;
	user_read(s);
	kernel_read(s, ctx->args[2]);
	stacks_take(ctx, s);
	return 0;
}

SEC("raw_tp/sched_wakeup")
int on_wakeup(struct bpf_raw_tracepoint_args *ctx)
{
	struct sched_slot *s = slot_get();

	if (!s)
		return 0;
	s->wakeups++;
	kernel_read(s, ctx->args[0]);
	stacks_take(ctx, s);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch_signal(void *ctx)
{
	struct sched_slot *s = slot_get();

	/* A kernel that wakes a thread while it goes to sleep on this very CPU loses it, and nobody
	 * would take the next signal, over which it deadlocks. */
	if (!s || !is_ours(s) || s->taker == (__u32)bpf_get_current_pid_tgid() ||
	    s->turns++ % SCHED_SIGNAL_NTH)
		return 0;
	if (bpf_send_signal(SCHED_SIGNAL))
		s->busy++;
	else
		s->sent++;
	return 0;
}

char _license[] SEC("license") = "GPL";
