// SPDX-License-Identifier: GPL-2.0-or-later
/* ORC tables of all formats, and walks over stacks made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "judge/unwind.h"

#include <string.h>

#define TEXT UINT64_C(0xffffffff81000000)
#define STACK UINT64_C(0xffffc90000010000)	/* a page of it */
#define NMI_STACK UINT64_C(0xfffffe0000020000)
#define IPS UINT64_C(0xffffffff82000000)

/* Code of these tests: one function each 0x100 bytes. */
enum { F_LEAF = 0x000, F_MIDDLE = 0x100, F_NMI_ENTRY = 0x200, F_TASK = 0x300, F_BP = 0x400,
       F_END = 0x500, F_PARTIAL = 0x600, F_REALIGNED = 0x700, F_SWITCH = 0x800, F_HOLE = 0x900,
       F_LAST = 0xa00 };

struct line {
	unsigned at;
	struct orc_entry entry;
};

static const struct line lines[] = {
	{ F_LEAF, { 8, 0, ORC_REG_SP, ORC_REG_UNDEFINED, ORC_CALL, false } },
	{ F_MIDDLE, { 32, -16, ORC_REG_SP, ORC_REG_PREV_SP, ORC_CALL, false } },
	{ F_NMI_ENTRY, { 0, 0, ORC_REG_SP, ORC_REG_UNDEFINED, ORC_REGS, true } },
	{ F_TASK, { 24, 0, ORC_REG_SP, ORC_REG_UNDEFINED, ORC_CALL, false } },
	{ F_BP, { 16, -16, ORC_REG_BP, ORC_REG_PREV_SP, ORC_CALL, false } },
	{ F_END, { 0, 0, ORC_REG_UNDEFINED, ORC_REG_UNDEFINED, ORC_END, false } },
	{ F_PARTIAL, { 8, 0, ORC_REG_SP, ORC_REG_UNDEFINED, ORC_REGS_PARTIAL, true } },
	{ F_REALIGNED, { 0, 0, ORC_REG_R10, ORC_REG_UNDEFINED, ORC_CALL, false } },
	{ F_SWITCH, { 8, 0, ORC_REG_SP_INDIRECT, ORC_REG_UNDEFINED, ORC_CALL, false } },
	{ F_HOLE, { 0, 0, ORC_REG_UNDEFINED, ORC_REG_UNDEFINED, ORC_UNDEFINED, false } },
};

/* --- tables ------------------------------------------------------------------------------------ */

static unsigned reg_number(unsigned format, enum orc_reg reg)
{
	static const unsigned anew[] = {
		[ORC_REG_UNDEFINED] = 0, [ORC_REG_DX] = 2, [ORC_REG_SP] = 3, [ORC_REG_BP] = 4,
		[ORC_REG_R10] = 6, [ORC_REG_R13] = 7, [ORC_REG_PREV_SP] = 8,
		[ORC_REG_SP_INDIRECT] = 9, [ORC_REG_BP_INDIRECT] = 10,
	};

	return format == 4 ? anew[reg] : reg;
}

static unsigned flags_of(unsigned format, const struct orc_entry *e)
{
	unsigned type = e->type, flags = reg_number(format, e->sp_reg) |
					 reg_number(format, e->bp_reg) << 4;

	if (format >= 3)
		return flags | type << 8 | e->signal << 11;
	type = type == ORC_REGS ? 1 : type == ORC_REGS_PARTIAL ? 2 : 0;
	flags |= type << 8;
	if (format == 2)
		return flags | e->signal << 10 | (e->type == ORC_END) << 11;
	return flags | (e->type == ORC_END) << 10;
}

struct tables {
	uint8_t ips[4 * 64], entries[6 * 64];
	struct elf_part ip_part, entry_part;
	size_t n;
};

static void add_line(struct tables *t, unsigned format, const struct line *line)
{
	uint32_t off = TEXT + line->at - (IPS + 4 * t->n);
	const uint16_t words[] = { line->entry.sp_offset, line->entry.bp_offset,
				   flags_of(format, &line->entry) };

	memcpy(t->ips + 4 * t->n, &off, 4);
	memcpy(t->entries + 6 * t->n, words, 6);
	t->n++;
}

/* In reverse where `sorted` is false, as linkers before 5.6 may leave them. */
static void make_tables(struct tables *t, unsigned format, bool sorted)
{
	t->n = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		add_line(t, format, &lines[sorted ? i : G_N_ELEMENTS(lines) - 1 - i]);
	t->ip_part = (struct elf_part){ .data = t->ips, .len = 4 * t->n, .addr = IPS };
	t->entry_part = (struct elf_part){ .data = t->entries, .len = 6 * t->n };
}

static void test_formats(void **state)
{
	for (unsigned format = 1; format <= 4; format++)
		for (unsigned sorted = 0; sorted < 2; sorted++) {
			struct tables t;
			g_autoptr(orc) o = NULL;

			make_tables(&t, format, sorted);
			o = orc_new(&t.ip_part, &t.entry_part);
			assert_non_null(o);
			assert_int_equal(o->format, format);
			for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
				const struct orc_entry *want = &lines[i].entry;
				struct orc_entry e = { 0 };
				bool found = orc_find(o, TEXT + lines[i].at + 0x7f, &e);

				assert_int_equal(found, want->type != ORC_UNDEFINED);
				if (!found)
					continue;
				assert_int_equal(e.type, want->type);
				if (e.type == ORC_END)
					continue;
				assert_int_equal(e.sp_reg, want->sp_reg);
				assert_int_equal(e.bp_reg, want->bp_reg);
				assert_int_equal(e.sp_offset, want->sp_offset);
				assert_int_equal(e.bp_offset, want->bp_offset);
				assert_int_equal(e.signal, want->signal);
			}
		}
}

static void test_no_table(void **state)
{
	struct orc_entry e;
	struct tables t;
	g_autoptr(orc) o = NULL;

	make_tables(&t, 3, true);
	assert_null(orc_new(NULL, &t.entry_part));
	assert_null(orc_new(&t.ip_part, NULL));
	o = orc_new(&t.ip_part, &t.entry_part);
	assert_false(orc_find(o, TEXT - 1, &e));
	t.entry_part.len--;	/* one entry short */
	assert_null(orc_new(&t.ip_part, &t.entry_part));
	t.entry_part.len++;
	memset(t.entries, 0xff, sizeof(t.entries));	/* bits that no format has */
	assert_null(orc_new(&t.ip_part, &t.entry_part));
}

/* --- stacks ------------------------------------------------------------------------------------ */

struct memory {
	uint64_t stack[512], nmi[512];
	uint8_t code[F_LAST];
};

static bool read_memory(void *user, uint64_t addr, void *buf, size_t len)
{
	struct memory *m = user;
	const struct {
		uint64_t at;
		void *bytes;
		size_t len;
	} parts[] = { { STACK, m->stack, sizeof(m->stack) },
		      { NMI_STACK, m->nmi, sizeof(m->nmi) },
		      { TEXT, m->code, sizeof(m->code) } };

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (addr >= parts[i].at && addr - parts[i].at + len <= parts[i].len) {
			memcpy(buf, (uint8_t *)parts[i].bytes + (addr - parts[i].at), len);
			return true;
		}
	return false;
}

struct rig {
	struct memory memory;
	struct tables tables;
	struct orc *orc;
	struct unwind_env env;
	struct unwind_frame frames[32];
};

static void rig_init(struct rig *r, unsigned format)
{
	memset(r, 0, sizeof(*r));
	make_tables(&r->tables, format, true);
	r->orc = orc_new(&r->tables.ip_part, &r->tables.entry_part);
	r->env = (struct unwind_env){ .orc = r->orc, .text_start = TEXT,
				      .text_end = TEXT + F_LAST, .read = read_memory,
				      .user = &r->memory };
}

/* A return address with a call in front of it. */
static uint64_t called(struct rig *r, unsigned at)
{
	r->memory.code[at - 5] = 0xe8;
	return TEXT + at;
}

static void put_regs(uint64_t *pt, uint64_t ip, uint64_t cs, uint64_t sp)
{
	pt[16] = ip;
	pt[17] = cs;
	pt[18] = 0x46;
	pt[19] = sp;
	pt[20] = 0x18;
}

static void expect(const struct rig *r, unsigned n, const uint64_t *ips, unsigned count)
{
	assert_int_equal(n, count);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(r->frames[i].ip, ips[i]);
}

/* leaf <- middle <- NMI entry <- what it interrupted <- its caller <- the end. */
static void test_nmi(void **state)
{
	for (unsigned format = 1; format <= 4; format++) {
		struct rig r;
		const struct unwind_regs start = { .ip = TEXT + F_LEAF + 8, .sp = NMI_STACK + 64,
						   .di = 0x1111 };
		uint64_t *nmi, *stack, ips[6];
		unsigned n;

		rig_init(&r, format);
		nmi = r.memory.nmi;
		stack = r.memory.stack;
		nmi[8] = called(&r, F_MIDDLE + 0x20);
		nmi[9 + 2] = 0x2222;			/* middle saved bp there */
		nmi[9 + 3] = called(&r, F_NMI_ENTRY + 0x40);
		put_regs(nmi + 9 + 4, TEXT + F_TASK, 0x10, STACK + 256);
		nmi[9 + 4 + 14] = 0x3333;
		nmi[9 + 4 + 4] = 0x4444;
		stack[32 + 2] = called(&r, F_END + 0x30);
		n = unwind_stack(&r.env, &start, r.frames, G_N_ELEMENTS(r.frames));
		ips[0] = start.ip;
		ips[1] = TEXT + F_MIDDLE + 0x20;
		ips[2] = TEXT + F_NMI_ENTRY + 0x40;
		ips[3] = TEXT + F_TASK;
		ips[4] = TEXT + F_END + 0x30;
		expect(&r, n, ips, 5);
		assert_int_equal(r.frames[0].how, UNWIND_EXACT);
		assert_int_equal(r.frames[0].regs.di, 0x1111);
		assert_int_equal(r.frames[1].how, UNWIND_CALLED);
		assert_false(r.frames[1].entry);
		assert_true(r.frames[2].entry);
		/* the first instruction of a function: not looked up as a return address */
		assert_int_equal(r.frames[3].how, UNWIND_EXACT);
		assert_int_equal(r.frames[3].regs.di, 0x3333);
		assert_int_equal(r.frames[3].regs.bp, 0x4444);
		assert_int_equal(r.frames[4].how, UNWIND_CALLED);
		orc_free(r.orc);
	}
}

static void test_user_mode(void **state)
{
	struct rig r;
	const struct unwind_regs start = { .ip = TEXT + F_PARTIAL, .sp = STACK + 64 };
	uint64_t *iret;

	rig_init(&r, 3);
	iret = r.memory.stack + 9;
	iret[0] = 0x401000;
	iret[1] = 0x33;
	iret[2] = 0x202;
	iret[3] = 0x7ffc0000;
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 2);
	assert_true(r.frames[0].entry);
	assert_true(r.frames[1].user);
	/* selectors that Linux has not: no frame */
	iret[1] = 0x34;
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 1);
	orc_free(r.orc);
}

/* Frame pointers by ORC, a realigned stack, a stack switch. */
static void test_registers(void **state)
{
	struct unwind_regs start = { .ip = TEXT + F_REALIGNED, .sp = STACK, .r10 = STACK + 128 };
	struct rig r;

	rig_init(&r, 3);
	r.memory.stack[15] = called(&r, F_BP + 0x10);
	start.bp = STACK + 160;
	r.memory.stack[20] = 0;			/* the caller's bp */
	r.memory.stack[21] = called(&r, F_SWITCH + 0x10);
	r.memory.stack[22] = STACK + 400;	/* the other stack's pointer, saved on top */
	r.memory.stack[50] = called(&r, F_END + 0x10);
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 4);
	assert_int_equal(r.frames[3].ip, TEXT + F_END + 0x10);
	/* before 5.12 the offset was added first */
	r.env.sp_indirect_old = true;
	r.memory.stack[23] = STACK + 408;
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 4);
	assert_int_equal(r.frames[3].ip, TEXT + F_END + 0x10);
	orc_free(r.orc);
}

/* JITed code has no ORC and keeps frame pointers. */
static void test_jit(void **state)
{
	const uint64_t jit = UNWIND_MODULES_START + 0x178;
	const struct unwind_regs start = { .ip = TEXT + F_MIDDLE, .sp = STACK };
	struct rig r;

	rig_init(&r, 3);
	r.memory.stack[2] = STACK + 80;		/* bp of the JITed function, saved by middle */
	r.memory.stack[3] = jit;
	r.memory.stack[10] = 0;
	r.memory.stack[11] = called(&r, F_END + 0x40);
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 3);
	assert_int_equal(r.frames[1].ip, jit);
	assert_int_equal(r.frames[2].ip, TEXT + F_END + 0x40);
	orc_free(r.orc);
}

/* No ORC at all: frame pointers, then guesses; words that follow no call are none. */
static void test_without_orc(void **state)
{
	const struct unwind_regs start = { .ip = TEXT + F_LEAF, .sp = STACK, .bp = STACK + 32 };
	struct rig r;

	rig_init(&r, 3);
	orc_free(r.orc);
	r.env.orc = NULL;
	r.memory.stack[4] = 0x1234;		/* the chain ends here */
	r.memory.stack[5] = called(&r, F_MIDDLE + 0x10);
	r.memory.stack[9] = TEXT + F_TASK + 0x10;	/* stale, no call in front */
	r.memory.stack[12] = called(&r, F_TASK + 0x80);
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 3);
	assert_int_equal(r.frames[1].how, UNWIND_CALLED);
	assert_int_equal(r.frames[2].how, UNWIND_GUESSED);
	assert_int_equal(r.frames[2].ip, TEXT + F_TASK + 0x80);
}

/* Entry code of 4.9+ leaves pt_regs + 1 in bp. */
static void test_encoded_pt_regs(void **state)
{
	const struct unwind_regs start = { .ip = TEXT + F_HOLE, .sp = STACK,
					   .bp = (STACK + 80) | 1 };
	struct rig r;

	rig_init(&r, 1);
	put_regs(r.memory.stack + 10, TEXT + F_END, 0x10, STACK + 1024);
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 2);
	assert_true(r.frames[0].entry);
	assert_int_equal(r.frames[1].ip, TEXT + F_END);
	orc_free(r.orc);
}

/* Nothing known, nothing readable, loops: it ends, and says only what it knows. */
static void test_bounds(void **state)
{
	struct unwind_regs start = { .ip = TEXT + F_BP, .sp = STACK, .bp = STACK + 64 };
	struct rig r;

	rig_init(&r, 3);
	r.memory.stack[8] = STACK + 64;		/* bp leads to itself */
	r.memory.stack[9] = called(&r, F_BP + 0x20);
	assert_in_range(unwind_stack(&r.env, &start, r.frames, 32), 2, 32);
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 1), 1);
	start = (struct unwind_regs){ .ip = TEXT + F_LEAF, .sp = 0x7ff0 };
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 1);
	start = (struct unwind_regs){ .ip = 0x401000, .sp = STACK };
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 1);
	r.env.text_start = 0;
	start = (struct unwind_regs){ .ip = TEXT + F_LEAF, .sp = STACK };
	assert_int_equal(unwind_stack(&r.env, &start, r.frames, 32), 1);
	orc_free(r.orc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),	   cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_nmi),	   cmocka_unit_test(test_user_mode),
		cmocka_unit_test(test_registers),  cmocka_unit_test(test_jit),
		cmocka_unit_test(test_without_orc), cmocka_unit_test(test_encoded_pt_regs),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
