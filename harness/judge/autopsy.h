/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the registers, stacks and locks of a silent guest to a kind, a title and a table. Pure. */
#ifndef KLAB_JUDGE_AUTOPSY_H
#define KLAB_JUDGE_AUTOPSY_H

#include "judge/judge.h"

struct autopsy {
	enum verdict_kind kind;	/* deadlock, lockup or silent-stop */
	char *title;		/* "deadlock: find_vmap_area <- __check_object_size <- bpf <- nmi" */
	char *reason;		/* who is silent, and the top symbols by vCPU */
	char *excerpt;		/* a line a vCPU, at most AUTOPSY_LINES_MAX, then a line a lock */
};

#define AUTOPSY_LINES_MAX 128

/* `cpus` may be NULL: nothing could be read. autopsy_clear() the result. */
void autopsy_hang(const struct hang_cpu *cpus, unsigned ncpus, struct autopsy *ret);
/* Add to the table who sleeps in a guest whose vCPUs are all idle, and why nobody can be named. */
void autopsy_add_tasks(const struct evidence *ev, struct autopsy *autopsy);
void autopsy_clear(struct autopsy *autopsy);
/* The telling frames of a stack, "a <- b <- nmi", at most `max` names; NULL when there is none. */
char *autopsy_chain(const char *const *stack, unsigned n, unsigned max);

#endif
