// SPDX-License-Identifier: GPL-2.0-or-later
/* See unwind.h. All that is read comes from a guest in an unknown state: every step is bounded. */
#include "judge/unwind.h"

#include <string.h>

#define STACK_MAX 16384		/* bytes of one kernel stack (THREAD_SIZE, IRQ stacks) */
#define SCAN_BYTES 8192
#define STEPS_MAX 256
#define PAGE 4096

/* struct pt_regs of x86-64, in words. */
enum {
	PT_R15, PT_R14, PT_R13, PT_R12, PT_BP, PT_BX, PT_R11, PT_R10, PT_R9, PT_R8, PT_AX, PT_CX,
	PT_DX, PT_SI, PT_DI, PT_ORIG_AX, PT_IP, PT_CS, PT_FLAGS, PT_SP, PT_SS, PT_WORDS
};
#define IRET_WORDS 5	/* ip, cs, flags, sp, ss: the tail of pt_regs */

struct state {
	const struct unwind_env *env;
	struct unwind_regs regs;
	bool full;	/* all of them are those of this frame, not only ip, sp and bp */
	bool exact;	/* ip is the next instruction, no return address */
	bool user;
};

enum step { STEP_FAILED, STEP_DONE, STEP_ON };

static bool read_words(const struct state *s, uint64_t at, uint64_t *ret, size_t n)
{
	return !(at & 7) && at >> 63 && s->env->read(s->env->user, at, ret, n * sizeof(*ret));
}

static bool in_modules(uint64_t ip)
{
	return ip >= UNWIND_MODULES_START && ip < UNWIND_MODULES_END;
}

static bool in_kernel(const struct unwind_env *env, uint64_t ip)
{
	return (ip >= env->text_start && ip < env->text_end) || in_modules(ip);
}

/* Take over what an interrupt saved. The CPU's own rules: selectors of Linux, and bit 1 of the flags
 * is always set. */
static bool take_iret(struct state *s, const uint64_t *iret)
{
	uint64_t ip = iret[0], cs = iret[1], flags = iret[2];
	bool user = (cs & 3) == 3;

	if (!(flags & 2) || flags >> 32 || (user ? ip >> 63 != 0 : cs != 0x10) ||
	    (!user && !in_kernel(s->env, ip)))
		return false;
	s->regs.ip = ip;
	s->regs.sp = iret[3];
	s->exact = true;
	s->user = user;
	return true;
}

static bool take_pt_regs(struct state *s, uint64_t at)
{
	uint64_t pt[PT_WORDS];

	if (!read_words(s, at, pt, PT_WORDS) || !take_iret(s, pt + PT_IP))
		return false;
	s->regs = (struct unwind_regs){
		.ip = s->regs.ip, .sp = s->regs.sp, .bp = pt[PT_BP], .bx = pt[PT_BX],
		.dx = pt[PT_DX], .di = pt[PT_DI], .r10 = pt[PT_R10], .r12 = pt[PT_R12],
		.r13 = pt[PT_R13], .r14 = pt[PT_R14], .r15 = pt[PT_R15],
	};
	s->full = true;
	return true;
}

/* --- ORC --------------------------------------------------------------------------------------- */

/* The stack pointer of the previous frame. */
static bool orc_prev_sp(const struct state *s, const struct orc_entry *e, uint64_t *ret)
{
	const struct unwind_regs *r = &s->regs;
	int64_t off = e->sp_offset;

	switch (e->sp_reg) {
	case ORC_REG_SP:
		*ret = r->sp + off;
		return true;
	case ORC_REG_BP:
		*ret = r->bp + off;
		return true;
	case ORC_REG_BP_INDIRECT:
		return read_words(s, r->bp + off, ret, 1);
	case ORC_REG_SP_INDIRECT:
		if (s->env->sp_indirect_old)
			return read_words(s, r->sp + off, ret, 1);
		if (!read_words(s, r->sp, ret, 1))
			return false;
		*ret += off;
		return true;
	case ORC_REG_R10:
		*ret = r->r10;
		return s->full;
	case ORC_REG_R13:
		*ret = r->r13;
		return s->full;
	case ORC_REG_DI:
		*ret = r->di;
		return s->full;
	case ORC_REG_DX:
		*ret = r->dx;
		return s->full;
	default:
		return false;
	}
}

static bool orc_prev_bp(const struct state *s, const struct orc_entry *e, uint64_t sp, uint64_t bp,
			uint64_t *ret)
{
	if (e->bp_reg == ORC_REG_PREV_SP)
		return read_words(s, sp + (int64_t)e->bp_offset, ret, 1);
	if (e->bp_reg == ORC_REG_BP)
		return read_words(s, bp + (int64_t)e->bp_offset, ret, 1);
	return e->bp_reg == ORC_REG_UNDEFINED;
}

static bool take_return(struct state *s, uint64_t sp)
{
	uint64_t ip;

	if (!read_words(s, sp - 8, &ip, 1) || !in_kernel(s->env, ip))
		return false;
	s->regs.ip = ip;
	s->regs.sp = sp;
	s->full = s->exact = false;
	return true;
}

static bool take_partial(struct state *s, uint64_t sp)
{
	uint64_t iret[IRET_WORDS];

	if (!read_words(s, sp, iret, IRET_WORDS) || !take_iret(s, iret))
		return false;
	s->full = false;
	return true;
}

static enum step step_orc(struct state *s, bool *ret_entry)
{
	struct state next = *s;
	struct orc_entry e;
	uint64_t sp;
	bool ok;

	if (!s->env->orc || in_modules(s->regs.ip) ||
	    !orc_find(s->env->orc, s->regs.ip - !s->exact, &e))
		return STEP_FAILED;
	if (e.type == ORC_END)
		return STEP_DONE;
	if (!orc_prev_sp(s, &e, &sp))
		return STEP_FAILED;
	ok = e.type == ORC_CALL ? take_return(&next, sp) :
	     e.type == ORC_REGS ? take_pt_regs(&next, sp) : take_partial(&next, sp);
	if (!ok || !orc_prev_bp(s, &e, sp, s->regs.bp, &next.regs.bp))
		return STEP_FAILED;
	/* within one stack it only goes up */
	if (e.type == ORC_CALL && next.regs.sp <= s->regs.sp &&
	    s->regs.sp - next.regs.sp < STACK_MAX)
		return STEP_FAILED;
	*ret_entry = e.type != ORC_CALL;
	*s = next;
	return STEP_ON;
}

/* --- frame pointers ---------------------------------------------------------------------------- */

/* E8 rel32, or FF /2 in its addressing forms, ends where the return address points. */
static bool follows_call(const struct unwind_env *env, uint64_t addr)
{
	uint8_t code[7];

	if (!env->read(env->user, addr - sizeof(code), code, sizeof(code)))
		return false;
	return code[2] == 0xe8 || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

/*
 * [bp] is the caller's bp, [bp + 8] the return address. Code without frame pointers uses bp for
 * anything: it must point up the same stack, to a return address. Entry code of 4.9+ leaves the
 * address of pt_regs there, plus one (ENCODE_FRAME_POINTER).
 */
static enum step step_bp(struct state *s, bool *ret_entry)
{
	uint64_t bp = s->regs.bp, frame[2];

	*ret_entry = false;
	if (bp & 1) {
		*ret_entry = true;
		return take_pt_regs(s, bp - 1) ? STEP_ON : STEP_FAILED;
	}
	if (bp < s->regs.sp || bp - s->regs.sp > STACK_MAX || !read_words(s, bp, frame, 2) ||
	    !in_kernel(s->env, frame[1]) || !follows_call(s->env, frame[1]))
		return STEP_FAILED;
	s->regs.ip = frame[1];
	s->regs.bp = frame[0];
	s->regs.sp = bp + 16;
	s->full = s->exact = false;
	return STEP_ON;
}

/* --- all together ------------------------------------------------------------------------------ */

static unsigned scan(const struct state *s, struct unwind_frame *frames, unsigned n, unsigned max)
{
	uint64_t at = (s->regs.sp + 7) & ~UINT64_C(7), end = at + SCAN_BYTES, word;

	/* a page that is not there is the end of the stack, or its guard page */
	for (; n < max && at < end && read_words(s, at, &word, 1); at += 8)
		if (in_kernel(s->env, word) && !in_modules(word) && follows_call(s->env, word))
			frames[n++] = (struct unwind_frame){ .ip = word, .how = UNWIND_GUESSED };
	return n;
}

unsigned unwind_stack(const struct unwind_env *env, const struct unwind_regs *regs,
		      struct unwind_frame *frames, unsigned max)
{
	struct state s = { .env = env, .regs = *regs, .full = !regs->called,
			   .exact = !regs->called };
	enum step step = STEP_ON;
	unsigned n = 0;

	frames[n++] = (struct unwind_frame){
		.ip = regs->ip, .how = s.exact ? UNWIND_EXACT : UNWIND_CALLED, .regs = *regs };
	if (!env->text_start || !in_kernel(env, regs->ip))
		return n;
	while (n < max && n < STEPS_MAX && !s.user) {
		struct unwind_frame *last = &frames[n - 1];
		bool entry = false;

		step = step_orc(&s, &entry);
		if (step == STEP_FAILED)
			step = step_bp(&s, &entry);
		if (step != STEP_ON)
			break;
		last->entry = entry;
		frames[n] = (struct unwind_frame){
			.ip = s.regs.ip, .how = s.exact ? UNWIND_EXACT : UNWIND_CALLED,
			.user = s.user };
		if (s.full)
			frames[n].regs = s.regs;
		n++;
	}
	return step == STEP_FAILED ? scan(&s, frames, n, max) : n;
}
