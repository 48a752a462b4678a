/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walk a vCPU's kernel stack from its registers, through interrupts, NMIs and exceptions, as the
 * kernel's own unwinders do (arch/x86/kernel/unwind_orc.c, unwind_frame.c): by ORC, else by frame
 * pointers, else by looking for return addresses. Pure: memory comes through a callback.
 */
#ifndef KLAB_JUDGE_UNWIND_H
#define KLAB_JUDGE_UNWIND_H

#include "parse/orc.h"

/* Where x86-64 puts modules and JITed BPF programs. */
#define UNWIND_MODULES_START UINT64_C(0xffffffffa0000000)
#define UNWIND_MODULES_END UINT64_C(0xffffffffff000000)

struct unwind_regs {
	uint64_t ip, sp, bp, bx, dx, di, r10, r12, r13, r14, r15;
	bool called;	/* ip is a return address: a task that was switched away; only ip, sp, bp */
};

enum unwind_how {
	UNWIND_EXACT,	/* the CPU's own ip, or one that an interrupt saved */
	UNWIND_CALLED,	/* a return address, by ORC or frame pointer */
	UNWIND_GUESSED,	/* a word on the stack that looks like a return address */
};

struct unwind_frame {
	uint64_t ip;
	enum unwind_how how;
	bool entry;	/* entry code: the next frame, if there is one, is what it interrupted */
	bool user;	/* user mode was interrupted: the last frame */
	struct unwind_regs regs;	/* exact frames only; what the CPU did not save is 0 */
};

struct unwind_env {
	const struct orc *orc;		/* or NULL */
	uint64_t text_start, text_end;	/* of the kernel's code; start 0: not known, no walking */
	bool sp_indirect_old;		/* before 5.12: ORC_REG_SP_INDIRECT adds first */
	/* Read guest memory as that vCPU sees it; false: not there. */
	bool (*read)(void *user, uint64_t addr, void *buf, size_t len);
	void *user;
};

/* Fill frames[0..max-1], innermost first; the number of frames, at least 1 (max >= 1). */
unsigned unwind_stack(const struct unwind_env *env, const struct unwind_regs *regs,
		      struct unwind_frame *frames, unsigned max);

#endif
