/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the two halves of the sampler share. */
#ifndef SAMPLER_H
#define SAMPLER_H

#define SAMPLE_WORDS 16

struct sample {
	__u64 ip;
	__u32 pid;
	__u32 n_words; /* of `words`: 0 where user memory was not read */
	__u64 words[SAMPLE_WORDS];
};

#endif
