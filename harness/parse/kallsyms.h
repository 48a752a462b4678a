/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own symbol table (CONFIG_KALLSYMS) as it lies in a decompressed vmlinux, Linux 3.10 to
 * 7.x. The layout is that of the kernel's scripts/kallsyms.c:
 *
 *	until 4.5	addresses (8 bytes each), num_syms, names, markers, token_table, token_index
 *	4.6 to 6.3	offsets (4 bytes each), relative_base, num_syms, names, markers,
 *			[seqs_of_names, 3 bytes each, 6.2+ and its backports], token_table, token_index
 *	6.4 on		num_syms, names, markers, token_table, token_index, offsets, relative_base, ...
 *	7.x		the same, offsets count from where they lie and there is no relative_base
 *
 * Nothing marks it, so it is found by its token table and believed only if all parts agree. Total and
 * bounded: any bytes may be given.
 */
#ifndef KLAB_PARSE_KALLSYMS_H
#define KLAB_PARSE_KALLSYMS_H

#include "parse/elf.h"
#include "parse/symbols.h"

#define KALLSYMS_MAX (2u << 20)	/* symbols */

enum kallsyms_layout {
	KALLSYMS_ABSOLUTE,	/* full addresses in front of the names */
	KALLSYMS_BASE_FIRST,	/* offsets and their base in front of the names */
	KALLSYMS_BASE_LAST,	/* offsets and their base behind the token index */
	KALLSYMS_SELF_RELATIVE,	/* offsets behind the token index, relative to themselves */
};

struct kallsym {
	uint64_t addr;
	const char *name;
	char type;		/* as nm(1) tells it: 't', 'T', 'd', ... */
};

struct kallsyms {
	enum kallsyms_layout layout;
	bool absolute_percpu;	/* offsets that are not negative are addresses */
	size_t n;
	struct kallsym *sym;	/* in the order of the table: ascending addresses */
	char *names;		/* owns the names */
};
typedef struct kallsyms kallsyms;
void kallsyms_free(struct kallsyms *k);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kallsyms, kallsyms_free)

/* NULL with *ret_why (a phrase, static) if the image holds no table, or none that adds up. */
struct kallsyms *kallsyms_read(const struct elf *e, const char **ret_why);
/* The symbol of that name, or NULL. */
const struct kallsym *kallsyms_find(const struct kallsyms *k, const char *name);
/* "HEXADDR NAME" lines of text symbols, sorted: what the guest agent makes of /proc/kallsyms (no boot
 * code, no padding). Caller frees. */
char *kallsyms_text(const struct kallsyms *k);
/* The same of all symbols, for looking up data; the caller owns them. */
struct symbols *kallsyms_all(const struct kallsyms *k);

#endif
