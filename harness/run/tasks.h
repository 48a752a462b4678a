/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tasks of a guest that stands still, out of its memory: what the kernel's symbol init_task and
 * its BTF make findable. Bounded: a guest in any state is walked at most so far.
 */
#ifndef KLAB_RUN_TASKS_H
#define KLAB_RUN_TASKS_H

#include "judge/unwind.h"
#include "run/facts.h"

#define TASKS_WALKED_MAX 4096

struct task_view {
	uint64_t addr;		/* of its task_struct */
	char comm[17];		/* printable, NUL-terminated */
	int pid;
	uint32_t state;		/* as the kernel has it: 0 runs, 1 sleeps, 2 ignores signals ... */
	bool blocked;		/* it sleeps, and no signal wakes it; not idle kernel threads */
	struct unwind_regs regs;	/* where it was switched away; ip 0: unknown */
};

/* Memory is read with env->read. Array of struct task_view, threads included; NULL with *ret_why (a
 * phrase, static) where the kernel tells too little. The caller unrefs it. */
GArray *tasks_read(const struct facts *f, const struct unwind_env *env, const char **ret_why);

#endif
