/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small program of functions whose results are known, to hang user probes on. It is a file of its
 * own, so that it can be mapped, protected, unmapped and executed at will, and so that each first
 * instruction is one that the kernel steps over or emulates in a way of its own.
 *
 *	page 0	ELF header and a start that calls page 1's TARGET_PUSH, checks, and exits
 *	1..	copies of one page of functions, TARGET_STRIDE apart
 */
#ifndef KLAB_PROBE_TARGET_H
#define KLAB_PROBE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#define TARGET_PAGE 4096
#define TARGET_STRIDE 128
#define TARGET_EXEC_CALLS 5 /* of page 1's TARGET_PUSH, by an execution */
#define TARGET_JCC_FIRST 8  /* offset of the first conditional jump in TARGET_JCC */
#define TARGET_JCC_STEP 6
#define TARGET_JCCS 7

enum target_fn {
	TARGET_NOP,
	TARGET_NOP5, /* what newer kernels replace by a call */
	TARGET_PUSH,
	TARGET_JMP,
	TARGET_CALL,
	TARGET_RIP,      /* an operand relative to RIP */
	TARGET_JCC,      /* conditional jumps over RDI, RSI */
	TARGET_RECURSE,  /* RDI levels deep */
	TARGET_TAIL,     /* jumps to TARGET_PUSH: two returns at one place */
	TARGET_RET,      /* nothing but a return */
	TARGET_CALLBACK, /* calls RDI, a C function */
	TARGET__COUNT
};

enum target_reg {
	TARGET_RAX,
	TARGET_RBX,
	TARGET_RCX,
	TARGET_RDX,
	TARGET_RSI,
	TARGET_RDI,
	TARGET_RBP,
	TARGET_R8,
	TARGET_R15 = TARGET_R8 + 7,
	TARGET_REGS
};

struct target_call {
	uint64_t fn;               /* address */
	uint64_t reg[TARGET_REGS]; /* going in, then coming out */
	uint64_t flags;
};

#define TARGET_FLAGS 0x8d5u /* arithmetic flags; the only ones that a call sets */

/* Write the program with so many pages of functions to path. 0 or a negative errno. */
int target_write(const char *path, unsigned pages);
/* Map the file, readable and executable; NULL if that fails. */
void *target_map(const char *path, unsigned pages);

/* Offset in the file, and from a mapping's start. page counts from 1. */
static inline uint64_t target_offset(unsigned page, enum target_fn fn)
{
	return page * TARGET_PAGE + fn * TARGET_STRIDE;
}

/* Call with all registers and arithmetic flags as given, and say how they came back. */
void target_enter(struct target_call *call);

/* Judge a call that came back: the first register that is not what it must be, TARGET_REGS for the
 * flags, or -1. ret_want: what it must be. */
int target_judge(enum target_fn fn, const struct target_call *in, const struct target_call *out,
		 uint64_t *ret_want);

const char *target_reg_name(int reg);

#endif
