/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel's text symbols: parse, look up by address, match by glob. Total and bounded. */
#ifndef KLAB_PARSE_SYMBOLS_H
#define KLAB_PARSE_SYMBOLS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SYMBOLS_TEXT_MAX (32u << 20)	/* bytes of a symbol list */

struct symbol {
	uint64_t addr;
	uint64_t end;		/* first address of the next symbol */
	const char *name;
};

struct symbols {
	char *text;		/* owns the names */
	size_t n;
	struct symbol *sym;	/* ascending addresses */
};
typedef struct symbols symbols;
void symbols_free(struct symbols *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(symbols, symbols_free)

/* Lines "HEXADDR NAME"; others are dropped. The list may be unsorted. Never NULL. */
struct symbols *symbols_parse(const char *text, size_t len);
/* The symbol that holds `addr`, or NULL (also when it is further than 1 MiB into it). */
const struct symbol *symbols_find(const struct symbols *s, uint64_t addr);
/* The next symbol from *at on whose name matches the glob, or NULL; *at moves behind it. */
const struct symbol *symbols_glob(const struct symbols *s, const char *glob, size_t *at);

#endif
