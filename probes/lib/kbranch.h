/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions of the kernel have jumps and calls that the kernel has emulated wrongly at
 * kprobes: jle, jg, and calls through a register. Found by their bytes, not by decoding: some are
 * in the middle of an instruction, and the kernel refuses a kprobe there.
 */
#ifndef KLAB_PROBE_KBRANCH_H
#define KLAB_PROBE_KBRANCH_H

#include "probes/lib/ktext.h"

#include <stdbool.h>

enum kbranch_kind {
	/* A call whose result the next instruction moves to another register: where that move is
	 * skipped the result is another one, and nothing else is. */
	KBRANCH_CALL_KEPT,
	KBRANCH_JLE,
	KBRANCH_JG,
	KBRANCH_CALL,
	KBRANCH_NONE
};

struct kbranch {
	unsigned function, offset; /* function: index */
	enum kbranch_kind kind;
	uint32_t turn; /* among those of its kind, by the seed */
	bool refused;
};

/* All of them, in the order of their kinds. How many, at most max, or a negative number: the
 * kernel's text cannot be read. */
int kbranch_find(const struct ktext_function *functions, unsigned nfunctions, uint64_t seed,
		 struct kbranch *ret, unsigned max);
/* "the jle"; "an instruction" for what is none. */
const char *kbranch_name(enum kbranch_kind kind);

#endif
