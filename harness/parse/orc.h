/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ORC unwind tables of x86-64 kernels (CONFIG_UNWINDER_ORC, 4.14+): how to get from an instruction to
 * its caller's registers. Formats by arch/x86/include/asm/orc_types.h; they differ in the flags:
 *
 *	4.14 to 6.2	sp_reg:4 bp_reg:4 type:2 end:1
 *	6.3		sp_reg:4 bp_reg:4 type:2 signal:1 end:1		(commit ffb1b4a41016)
 *	6.4 on		sp_reg:4 bp_reg:4 type:3 signal:1		(commit fb799447ae29)
 *	7.2 (or before)	the same, and registers are numbered anew
 *
 * Distributions backport, so the format is told by the table itself and not by the release. Total and
 * bounded; borrows the bytes.
 */
#ifndef KLAB_PARSE_ORC_H
#define KLAB_PARSE_ORC_H

#include "parse/elf.h"

#include <glib.h>

enum orc_reg {
	ORC_REG_UNDEFINED, ORC_REG_PREV_SP, ORC_REG_DX, ORC_REG_DI, ORC_REG_BP, ORC_REG_SP,
	ORC_REG_R10, ORC_REG_R13, ORC_REG_BP_INDIRECT, ORC_REG_SP_INDIRECT,
};

enum orc_type {
	ORC_UNDEFINED,		/* nothing is known of this code */
	ORC_END,		/* the outermost frame */
	ORC_CALL,		/* the return address lies below the previous stack pointer */
	ORC_REGS,		/* struct pt_regs lies there: an interrupt, exception or system call */
	ORC_REGS_PARTIAL,	/* only the five words that the CPU pushes */
};

struct orc_entry {
	int16_t sp_offset, bp_offset;
	enum orc_reg sp_reg, bp_reg;
	enum orc_type type;
	bool signal;		/* the previous ip is where it was interrupted, no return address */
};

struct orc_line {
	uint64_t ip;		/* first address */
	uint32_t entry;		/* its index */
};

struct orc {
	const uint8_t *entries;	/* 6 bytes each */
	size_t n;
	unsigned format;	/* 1..4, as above */
	struct orc_line *line;	/* ascending */
};
typedef struct orc orc;
void orc_free(struct orc *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(orc, orc_free)

/* The tables of these two parts (sections .orc_unwind_ip and .orc_unwind), or NULL if they are empty,
 * do not match or are in no known format. */
struct orc *orc_new(const struct elf_part *ips, const struct elf_part *entries);
/* What is known of the code at `ip`; false outside of the table and for ORC_UNDEFINED. */
bool orc_find(const struct orc *o, uint64_t ip, struct orc_entry *ret);

#endif
