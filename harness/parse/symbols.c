// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbol lists as the guest sends them (probes/lib/wire.h). */
#include "parse/symbols.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_SPAN_MAX (1u << 20)
#define NAME_LEN_MAX	511	/* KSYM_NAME_LEN - 1, include/linux/kallsyms.h */

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	g_free(s->text);
	g_free(s->sym);
	g_free(s);
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* aliases: a stable choice whatever the order of the list */
	return strcmp(x->name, y->name);
}

/* Names go into titles and JSON: printable ASCII, as every kernel's are. */
static bool is_name(const char *name)
{
	size_t n = 0;

	while (g_ascii_isprint(name[n]))
		n++;
	return n && n <= NAME_LEN_MAX && !name[n];
}

static bool parse_line(char *line, struct symbol *ret)
{
	char *end;
	uint64_t addr = g_ascii_strtoull(line, &end, 16);

	if (end == line || *end != ' ' || !is_name(end + 1))
		return false;
	*ret = (struct symbol){ .addr = addr, .name = end + 1 };
	return true;
}

struct symbols *symbols_parse(const char *text, size_t len)
{
	struct symbols *s = g_new0(struct symbols, 1);
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct symbol));
	char *save = NULL;

	s->text = g_strndup(text, MIN(len, SYMBOLS_TEXT_MAX));
	for (char *line = strtok_r(s->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct symbol sym;

		if (parse_line(line, &sym))
			g_array_append_val(list, sym);
	}
	s->n = list->len;
	s->sym = (struct symbol *)g_array_free(list, FALSE);
	if (s->n)
		qsort(s->sym, s->n, sizeof(*s->sym), by_addr);
	for (size_t i = s->n, end = 0; i-- > 0;) {
		if (i + 1 < s->n && s->sym[i + 1].addr != s->sym[i].addr)
			end = s->sym[i + 1].addr;
		s->sym[i].end = end ? end : s->sym[i].addr + 4096;
	}
	return s;
}

const struct symbol *symbols_find(const struct symbols *s, uint64_t addr)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->sym[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || addr - s->sym[lo - 1].addr >= SYMBOL_SPAN_MAX || addr >= s->sym[lo - 1].end)
		return NULL;
	while (lo > 1 && s->sym[lo - 2].addr == s->sym[lo - 1].addr)
		lo--;
	return &s->sym[lo - 1];
}

const struct symbol *symbols_glob(const struct symbols *s, const char *glob, size_t *at)
{
	while (*at < s->n) {
		const struct symbol *sym = &s->sym[(*at)++];

		if (!fnmatch(glob, sym->name, 0))
			return sym;
	}
	return NULL;
}
