// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans of the levels, bound to a kernel's symbols, and written as text. See plan.h. */
#include "amplify/plan.h"

#include <string.h>

static const struct {
	const char *name;
	uint32_t every, us_lo, us_hi; /* of the probe's own sites; every 0: none */
	enum amp_at at;
} levels[] = {
	/* Behind an access, where what was loaded is not yet used: text-poke-race took 0.03 s (median of
	 * 7), 0.05 s by light's delays in front of any instruction, and 2.8 s without. */
	[AMPLIFY_AUTO] = { "auto", 16, 100, 600, AMP_ACCESS },
	[AMPLIFY_LIGHT] = { "light", 1024, 50, 300, AMP_BEFORE },
	[AMPLIFY_OFF] = { "off" },
	[AMPLIFY_HOST] = { "host" },
	[AMPLIFY_PLAN] = { "plan" },
};

const char *amplify_level_name(enum amplify_level level)
{
	return levels[level].name;
}

bool amplify_level_parse(const char *word, enum amplify_level *ret)
{
	for (unsigned i = 0; i < AMPLIFY__COUNT; i++) {
		if (strcmp(levels[i].name, word) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

struct plan *plan_of_level(enum amplify_level level, const char *const *globs)
{
	struct plan *p = plan_new();

	for (; levels[level].every && globs && *globs && p->lines->len < PLAN_LINES_MAX; globs++) {
		struct plan_line line = { .symbol = g_strdup(*globs), .site = PLAN_SITE_DEFAULT };

		line.site.at = levels[level].at;
		line.site.every = levels[level].every;
		line.site.us_lo = levels[level].us_lo;
		line.site.us_hi = levels[level].us_hi;
		g_array_append_val(p->lines, line);
	}
	return p;
}

/* --- a kernel's addresses --------------------------------------------------------------------- */

void plan_sites_clear(struct plan_sites *s)
{
	g_clear_pointer(&s->names, g_free);
	g_clear_pointer(&s->missing, g_free);
	s->n = s->dropped = 0;
}

/* The part of [lo, hi) that the function has; false: none. */
static bool place(const struct plan_line *line, const struct symbol *sym, struct amp_site *ret)
{
	uint64_t len = sym->end > sym->addr ? sym->end - sym->addr : 0;
	uint64_t hi = line->hi ? line->hi : PLAN_HEAD_BYTES;

	if (line->lo >= len)
		return false;
	*ret = line->site;
	ret->lo = sym->addr + line->lo;
	ret->hi = sym->addr + MIN(hi, len);
	return true;
}

/* Aliases, and globs that overlap, name a place twice: the first site is the one that counts. */
static bool is_known(const struct plan_sites *s, const struct amp_site *site)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct amp_site *o = &s->site[i];

		if (o->lo == site->lo && o->hi == site->hi && o->at == site->at &&
		    o->vcpu == site->vcpu)
			return true;
	}
	return false;
}

static void add_site(struct plan_sites *s, const struct amp_site *site)
{
	if (is_known(s, site))
		return;
	if (s->n < AMP_SITES_MAX)
		s->site[s->n++] = *site;
	else
		s->dropped++;
}

static const struct symbol *next_match(const struct symbols *symbols, const char *symbol,
				       size_t *at)
{
	if (strpbrk(symbol, "*?["))
		return symbols_glob(symbols, symbol, at);
	while (*at < symbols->n)
		if (strcmp(symbols->sym[(*at)++].name, symbol) == 0)
			return &symbols->sym[*at - 1];
	return NULL;
}

/* Words, each once, in order. */
struct words {
	GString *text;
	GHashTable *seen;
};

static void words_add(struct words *w, const char *word)
{
	if (g_hash_table_add(w->seen, g_strdup(word)))
		g_string_append_printf(w->text, "%s%s", w->text->len ? " " : "", word);
}

static char *words_end(struct words *w)
{
	g_hash_table_destroy(w->seen);
	return g_string_free(w->text, w->text->len == 0);
}

static struct words words_begin(void)
{
	return (struct words){ g_string_new(NULL),
			       g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
}

static void words_add_place(struct words *w, const struct plan_line *line)
{
	g_autofree char *place =
		g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", line->symbol, line->lo);

	words_add(w, line->hi ? place : line->symbol);
}

void plan_bind(const struct plan *p, const struct symbols *symbols, struct plan_sites *ret)
{
	struct words names = words_begin(), missing = words_begin();

	ret->n = ret->dropped = 0;
	for (guint i = 0; i < p->lines->len; i++) {
		const struct plan_line *line = &g_array_index(p->lines, struct plan_line, i);
		const struct symbol *sym;
		struct amp_site site;
		bool found = false;
		size_t at = 0;

		while (symbols && (sym = next_match(symbols, line->symbol, &at))) {
			if (!place(line, sym, &site))
				continue;
			found = true;
			if (ret->n < AMP_SITES_MAX)
				words_add(&names, sym->name);
			add_site(ret, &site);
		}
		if (!found)
			words_add_place(&missing, line);
	}
	ret->names = words_end(&names);
	ret->missing = words_end(&missing);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Can a plan say it? Names come out of a kernel's image, which may be anybody's. */
static bool is_plain(const char *name)
{
	size_t n = 0;

	while (g_ascii_isalnum(name[n]) || (name[n] && strchr("_.$", name[n])))
		n++;
	return n && !name[n];
}

static void append_place(GString *text, const struct amp_site *site, const struct symbol *sym)
{
	uint64_t len = MIN(sym->end - sym->addr, PLAN_OFFSET_MAX);
	uint64_t lo = site->lo - sym->addr, hi = MIN(site->hi - sym->addr, len);

	g_string_append(text, sym->name);
	if (!lo && hi == MIN(PLAN_HEAD_BYTES, len))
		return;
	g_string_append_printf(text, "+0x%" G_GINT64_MODIFIER "x", lo);
	if (hi > lo + 1)
		g_string_append_printf(text, "-0x%" G_GINT64_MODIFIER "x", hi);
}

static void append_site(GString *text, const struct amp_site *site, const struct symbol *sym)
{
	uint32_t us_lo = CLAMP(site->us_lo, 1, AMP_DELAY_MAX_US);
	uint32_t us_hi = CLAMP(site->us_hi, us_lo, AMP_DELAY_MAX_US);

	append_place(text, site, sym);
	g_string_append_printf(text, ",at=%s,us=%u", site->at == AMP_ACCESS ? "access" : "before",
			       us_lo);
	if (us_hi > us_lo)
		g_string_append_printf(text, "..%u", us_hi);
	g_string_append_printf(text, ",every=%u", MIN(site->every, PLAN_COUNT_MAX));
	if (site->vcpu >= 0 && site->vcpu < AMP_VCPUS_MAX)
		g_string_append_printf(text, ",vcpu=%d", site->vcpu);
	if (site->after)
		g_string_append_printf(text, ",after=%u", MIN(site->after, PLAN_COUNT_MAX));
	g_string_append_c(text, '\n');
}

static void append_comment(GString *text, const char *comment)
{
	g_auto(GStrv) lines = g_strsplit(comment, "\n", -1);

	for (char **line = lines; *line; line++)
		if (**line || line[1])
			g_string_append_printf(text, "# %s\n", *line);
}

char *plan_text(const struct amp_site *sites, unsigned n, const struct symbols *symbols,
		uint64_t seed, const char *comment)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (comment && *comment)
		append_comment(text, comment);
	g_string_append_printf(text, "seed=%" G_GUINT64_FORMAT "\n", seed);
	for (unsigned i = 0; symbols && i < MIN(n, PLAN_LINES_MAX); i++) {
		const struct symbol *sym = symbols_find(symbols, sites[i].lo);
		size_t before = text->len;

		if (!sites[i].every || !sym || sites[i].hi <= sites[i].lo || !is_plain(sym->name))
			continue;
		append_site(text, &sites[i], sym);
		if (text->len > PLAN_TEXT_MAX)
			g_string_truncate(text, before);
	}
	return g_strdup(text->str);
}
