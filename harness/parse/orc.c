// SPDX-License-Identifier: GPL-2.0-or-later
/* Decode and look up ORC entries. */
#include "parse/orc.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_LEN 6
#define LINES_MAX (8u << 20)	/* a distribution's kernel has 400 000 */

void orc_free(struct orc *o)
{
	if (!o)
		return;
	g_free(o->line);
	g_free(o);
}

static unsigned entry_flags(const uint8_t *entries, size_t i)
{
	return entries[ENTRY_LEN * i + 4] | entries[ENTRY_LEN * i + 5] << 8;
}

/* Numbers of the registers in the first three formats, and in the fourth. Of the latter those that
 * occur in 7.2; the others stay undefined, and unwinding stops there. */
static const enum orc_reg regs_old[16] = {
	ORC_REG_UNDEFINED, ORC_REG_PREV_SP, ORC_REG_DX, ORC_REG_DI, ORC_REG_BP, ORC_REG_SP,
	ORC_REG_R10, ORC_REG_R13, ORC_REG_BP_INDIRECT, ORC_REG_SP_INDIRECT,
};
static const enum orc_reg regs_new[16] = {
	[2] = ORC_REG_DX, [3] = ORC_REG_SP, [4] = ORC_REG_BP, [6] = ORC_REG_R10, [7] = ORC_REG_R13,
	[8] = ORC_REG_PREV_SP, [9] = ORC_REG_SP_INDIRECT, [10] = ORC_REG_BP_INDIRECT,
};

/*
 * Nearly all code is reached by calls and unwinds from SP. That register is 5, and 3 in the fourth
 * format; the type of such entries is 0 in the first two formats, and 2 later. Bit 11 is the end of
 * stacks in the second format, and never set in the first. Both occur in every kernel (entry code).
 */
static unsigned guess_format(const uint8_t *entries, size_t n)
{
	size_t sp5_type0 = 0, sp5_type2 = 0, sp3_type2 = 0, bit11 = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned flags = entry_flags(entries, i), sp = flags & 15, type = flags >> 8 & 7;

		if (flags >> 12)
			return 0;
		sp5_type0 += sp == 5 && type == 0;
		sp5_type2 += sp == 5 && type == 2;
		sp3_type2 += sp == 3 && type == 2;
		bit11 += flags >> 11;
	}
	if (MAX(sp5_type0, MAX(sp5_type2, sp3_type2)) < n / 4)
		return 0;
	if (sp3_type2 > sp5_type0 && sp3_type2 > sp5_type2)
		return 4;
	return sp5_type2 > sp5_type0 ? 3 : bit11 ? 2 : 1;
}

static bool decode(const struct orc *o, size_t i, struct orc_entry *ret)
{
	static const enum orc_type old_types[] = { ORC_CALL, ORC_REGS, ORC_REGS_PARTIAL,
						   ORC_UNDEFINED };
	const uint8_t *at = o->entries + ENTRY_LEN * i;
	unsigned flags = entry_flags(o->entries, i), type = flags >> 8 & 7;
	unsigned end = o->format == 1 ? flags >> 10 & 1 : flags >> 11 & 1;

	ret->sp_offset = at[0] | at[1] << 8;
	ret->bp_offset = at[2] | at[3] << 8;
	ret->sp_reg = (o->format == 4 ? regs_new : regs_old)[flags & 15];
	ret->bp_reg = (o->format == 4 ? regs_new : regs_old)[flags >> 4 & 15];
	if (o->format >= 3) {
		ret->type = type <= ORC_REGS_PARTIAL ? type : ORC_UNDEFINED;
		ret->signal = flags >> 11 & 1;
		return ret->type != ORC_UNDEFINED;
	}
	ret->type = end ? ORC_END : ret->sp_reg == ORC_REG_UNDEFINED ? ORC_UNDEFINED :
								       old_types[type & 3];
	ret->signal = o->format == 2 ? flags >> 10 & 1 : ret->type == ORC_REGS ||
							 ret->type == ORC_REGS_PARTIAL;
	return ret->type != ORC_UNDEFINED;
}

/* Sorted at build time since 5.6. Of lines for one address, those that say nothing come first, as in
 * the kernel's orc_sort_cmp(): a lookup takes the last. */
static int by_ip(const void *a, const void *b, void *user)
{
	const struct orc_line *x = a, *y = b;
	const struct orc *o = user;
	struct orc_entry entry;

	if (x->ip != y->ip)
		return x->ip < y->ip ? -1 : 1;
	return decode(o, x->entry, &entry) - decode(o, y->entry, &entry);
}

static void fill_lines(struct orc *o, const struct elf_part *ips)
{
	bool sorted = true;

	o->line = g_new(struct orc_line, o->n);
	for (size_t i = 0; i < o->n; i++) {
		const uint8_t *at = ips->data + 4 * i;
		int32_t off = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;

		o->line[i] = (struct orc_line){ .ip = ips->addr + 4 * i + (int64_t)off,
						.entry = i };
		sorted = sorted && (!i || o->line[i - 1].ip <= o->line[i].ip);
	}
	if (!sorted)
		g_qsort_with_data(o->line, o->n, sizeof(*o->line), by_ip, o);
}

struct orc *orc_new(const struct elf_part *ips, const struct elf_part *entries)
{
	struct orc *o;
	size_t n = ips && entries ? ips->len / 4 : 0;
	unsigned format;

	if (!n || n > LINES_MAX || entries->len / ENTRY_LEN != n)
		return NULL;
	format = guess_format(entries->data, n);
	if (!format)
		return NULL;
	o = g_new0(struct orc, 1);
	o->entries = entries->data;
	o->n = n;
	o->format = format;
	fill_lines(o, ips);
	return o;
}

bool orc_find(const struct orc *o, uint64_t ip, struct orc_entry *ret)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->line[mid].ip <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && decode(o, o->line[lo - 1].entry, ret);
}
