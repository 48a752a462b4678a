// SPDX-License-Identifier: GPL-2.0
/*
 * Read user memory from a timer's interrupt into every kind of memory that a program has: a map
 * out of vmalloc, its own stack (which is vmalloc memory too where interrupt stacks are mapped), a
 * per-CPU map; and take the user's stack.
 *
 * Must load on 5.2 and later, with and without kernel BTF: no globals, no CO-RE, no loops. Below
 * 5.5 libbpf puts bpf_probe_read() in the place of bpf_probe_read_user().
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "irq_user_read.h"

#define STACK_DEPTH 127

/* A plain array over 32 KiB is vmalloc memory on every kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IRQ_SLOTS);
	__type(key, __u32);
	__type(value, struct irq_slot);
} slots SEC(".maps");

struct irq_words {
	__u64 word[IRQ_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct irq_words);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, STACK_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

/* Only the probe's own threads have the words in their address space for sure. */
static __always_inline void words_judge(struct irq_slot *s, const __u64 *words, long got)
{
	__u64 wrong = 0;

	s->reads++;
	if (got < 0) {
		s->faults++;
		return;
	}
	if (bpf_get_current_pid_tgid() >> 32 != s->tgid)
		return;
#pragma unroll
	for (int i = 0; i < IRQ_WORDS; i++)
		wrong |= words[i] ^ IRQ_WORD(i);
	s->own++;
	if (wrong)
		s->wrong++;
}

static __always_inline void words_read(struct irq_slot *s, __u64 *words)
{
	const void *from = (const void *)s->user_addr;
	long got;

#pragma unroll
	for (int i = 0; i < IRQ_WORDS; i++)
		words[i] = 0;
	if (s->reads & 1)
		got = bpf_probe_read_user_str(words, IRQ_WORDS * sizeof(*words), from);
	else
		got = bpf_probe_read_user(words, IRQ_WORDS * sizeof(*words), from);
	words_judge(s, words, got);
}

SEC("perf_event")
int read_user(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), zero = 0;
	struct irq_slot *s = bpf_map_lookup_elem(&slots, &cpu);
	struct irq_words *p = bpf_map_lookup_elem(&percpu, &zero);
	__u64 here[IRQ_WORDS];

	if (!s || !p || !s->user_addr)
		return 0;
	words_read(s, s->words);
	words_read(s, here);
	words_read(s, p->word);
	/* Three reads a time: the parity of the count takes turns by itself. */
	if (bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK | BPF_F_REUSE_STACKID) >= 0)
		s->stacks++;
	return 0;
}

char _license[] SEC("license") = "GPL";
