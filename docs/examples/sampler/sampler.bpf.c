// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Two programs: samples of what runs, with the words on top of the user's stack, and a count of a
 * function's calls. Both switches are constants once user space has set them: the verifier drops
 * the branch that is not taken, so that a degraded sampler holds no read of user memory at all.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sampler.h"

const volatile bool copy_user_memory = false;

__u64 calls = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} samples SEC(".maps");

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct sample *s = bpf_ringbuf_reserve(&samples, sizeof(*s), 0);

	if (!s)
		return 0;
	s->ip = PT_REGS_IP(&ctx->regs);
	s->pid = bpf_get_current_pid_tgid() >> 32;
	s->n_words = 0;
	/* A ring buffer is vmalloc memory: this is the very thing that nmi-user-read is about. */
	if (copy_user_memory &&
	    !bpf_probe_read_user(s->words, sizeof(s->words), (void *)PT_REGS_SP(&ctx->regs)))
		s->n_words = SAMPLE_WORDS;
	bpf_ringbuf_submit(s, 0);
	return 0;
}

SEC("kprobe")
int count(void *ctx)
{
	__sync_fetch_and_add(&calls, 1);
	return 0;
}

/* Helpers for tracing are for GPL programs only. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
