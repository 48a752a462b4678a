// SPDX-License-Identifier: GPL-2.0
/*
 * Read user memory from every NMI: into memory that the kernel took from vmalloc, and into all the
 * other places that a program can write to.
 *
 * Must load on 5.2 and later, with and without kernel BTF: no globals (their maps are mmapable,
 * which 5.4 does not know), no CO-RE, no loops. Below 5.5 libbpf puts bpf_probe_read() in the place
 * of bpf_probe_read_user(). A raw tracepoint, because the plain attachment does not run in NMI
 * before 5.11.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "nmi_user_read.h"

/* A plain array over 32 KiB is vmalloc memory on every kernel; the user copy check then looks its
 * area up under a lock on affected kernels. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NMI_SLOTS);
	__type(key, __u32);
	__type(value, struct nmi_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nmi_words);
} percpu SEC(".maps");

/* 5.8 and later. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static __always_inline struct nmi_slot *slot_ready(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct nmi_slot *s = bpf_map_lookup_elem(&slots, &cpu);

	if (!s || !s->user_addr)
		return 0;
#pragma unroll
	for (int i = 0; i < NMI_WORDS; i++)
		s->words[i] = 0;
	return s;
}

/* Only the probe's own threads have the words in their address space for sure. */
static __always_inline void slot_judge(struct nmi_slot *s, const __u64 *words, long got)
{
	__u64 wrong = 0;

	if (got < 0) {
		s->faults++;
		return;
	}
	if (bpf_get_current_pid_tgid() >> 32 != s->tgid)
		return;
#pragma unroll
	for (int i = 0; i < NMI_WORDS; i++)
		wrong |= words[i] ^ NMI_WORD(i);
	s->own++;
	if (wrong)
		s->wrong++;
}

static __always_inline void read_to_stack(struct nmi_slot *s)
{
	struct nmi_words w = { 0 };

	slot_judge(s, w.words, bpf_probe_read_user(&w, sizeof(w), (void *)s->user_addr));
}

static __always_inline void read_to_percpu(struct nmi_slot *s)
{
	__u32 zero = 0;
	struct nmi_words *w = bpf_map_lookup_elem(&percpu, &zero);

	if (w)
		slot_judge(s, w->words,
			   bpf_probe_read_user(w, sizeof(*w), (void *)s->user_addr));
}

SEC("raw_tp/nmi_handler")
int read_user(void *ctx)
{
	struct nmi_slot *s = slot_ready();
	long got;

	if (!s)
		return 0;
	if (s->reads & 1)
		got = bpf_probe_read_user_str(s->words, sizeof(s->words), (void *)s->user_addr);
	else
		got = bpf_probe_read_user(s->words, sizeof(s->words), (void *)s->user_addr);
	s->reads++;
	slot_judge(s, s->words, got);
	if (s->into & NMI_INTO_STACK)
		read_to_stack(s);
	if (s->into & NMI_INTO_PERCPU)
		read_to_percpu(s);
	return 0;
}

SEC("raw_tp/nmi_handler")
int read_user_to_ring(void *ctx)
{
	struct nmi_slot *s = slot_ready();
	struct nmi_words *w;

	if (!s || !(s->into & NMI_INTO_RING))
		return 0;
	w = bpf_ringbuf_reserve(&ring, sizeof(*w), 0);
	if (!w)
		return 0;
	slot_judge(s, w->words, bpf_probe_read_user(w, sizeof(*w), (void *)s->user_addr));
	bpf_ringbuf_discard(w, BPF_RB_NO_WAKEUP);
	return 0;
}

char _license[] SEC("license") = "GPL";
