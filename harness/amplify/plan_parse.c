// SPDX-License-Identifier: GPL-2.0-or-later
/* From a plan's text, and from the word that a user gives to --amplify, to sites. See plan.h. */
#include "amplify/plan.h"

#include <math.h>
#include <string.h>

#define NAME_MAX_LEN 511 /* KSYM_NAME_LEN - 1, include/linux/kallsyms.h */
#define STARS_MAX 8      /* a glob's time grows with them */

static void line_clear(gpointer data)
{
	g_free(((struct plan_line *)data)->symbol);
}

struct plan *plan_new(void)
{
	struct plan *p = g_new0(struct plan, 1);

	p->lines = g_array_new(FALSE, FALSE, sizeof(struct plan_line));
	g_array_set_clear_func(p->lines, line_clear);
	return p;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	g_array_unref(p->lines);
	g_free(p);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool get_number(const char *text, uint64_t lo, uint64_t hi, uint64_t *ret)
{
	bool hex = g_str_has_prefix(text, "0x");

	return g_ascii_string_to_unsigned(text + 2 * hex, hex ? 16 : 10, lo, hi, ret, NULL);
}

static bool get_u32(const char *text, uint32_t lo, uint32_t hi, uint32_t *ret)
{
	uint64_t n;

	if (!get_number(text, lo, hi, &n))
		return false;
	*ret = n;
	return true;
}

/* "LO..HI", "N": both ends, as written. The caller frees; *ret_hi is the same as *ret_lo then. */
static void split_range(const char *text, const char *between, char **ret_lo, char **ret_hi)
{
	const char *at = strstr(text, between);

	*ret_lo = at ? g_strndup(text, at - text) : g_strdup(text);
	*ret_hi = g_strdup(at ? at + strlen(between) : text);
}

/* --- what stands behind a symbol -------------------------------------------------------------- */

static bool set_at(const char *value, struct amp_site *site)
{
	site->at = strcmp(value, "access") == 0 ? AMP_ACCESS : AMP_BEFORE;
	return site->at == AMP_ACCESS || strcmp(value, "before") == 0;
}

static bool set_us(const char *value, struct amp_site *site)
{
	g_autofree char *lo = NULL, *hi = NULL;

	split_range(value, "..", &lo, &hi);
	return get_u32(lo, 1, AMP_DELAY_MAX_US, &site->us_lo) &&
	       get_u32(hi, site->us_lo, AMP_DELAY_MAX_US, &site->us_hi);
}

static bool set_every(const char *value, struct amp_site *site)
{
	return get_u32(value, 1, PLAN_COUNT_MAX, &site->every);
}

/* A chance is kept as the nearest 1 in N. */
static bool set_prob(const char *value, struct amp_site *site)
{
	char *end;
	double p = g_ascii_isdigit(*value) || *value == '.' ? g_ascii_strtod(value, &end) : -1;

	if (!(p > 0))
		return false;
	if (*end == '%') {
		p /= 100;
		end++;
	}
	if (*end || !(p <= 1) || 1 / p > PLAN_COUNT_MAX)
		return false;
	site->every = lround(1 / p);
	return true;
}

static bool set_vcpu(const char *value, struct amp_site *site)
{
	uint32_t n;

	if (!get_u32(value, 0, AMP_VCPUS_MAX - 1, &n))
		return false;
	site->vcpu = n;
	return true;
}

static bool set_after(const char *value, struct amp_site *site)
{
	return get_u32(value, 0, PLAN_COUNT_MAX, &site->after);
}

static const struct option {
	const char *name; /* with its '=' */
	const char *wants;
	unsigned bit; /* of those that say the same */
	bool (*set)(const char *value, struct amp_site *site);
} options[] = {
	{ "at=", "before or access", 1, set_at },
	{ "us=", "1.." G_STRINGIFY(AMP_DELAY_MAX_US) " (microseconds), or LO..HI of them", 2,
	  set_us },
	{ "every=", "1.." G_STRINGIFY(PLAN_COUNT_MAX) " (1 in so many executions)", 4, set_every },
	{ "prob=", "a chance more than 0 and at most 1, or 100%", 4, set_prob },
	{ "vcpu=", "a vCPU's number from 0 on", 8, set_vcpu },
	{ "after=", "0.." G_STRINGIFY(PLAN_COUNT_MAX) " (executions that pass first)", 16,
	  set_after },
};

static bool parse_option(const char *word, struct amp_site *site, unsigned *seen, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		const struct option *o = &options[i];

		if (!g_str_has_prefix(word, o->name))
			continue;
		if (*seen & o->bit)
			return lab_fail(error, LAB_ERROR_USAGE, "'%.80s' says again what was said",
					word);
		*seen |= o->bit;
		return o->set(word + strlen(o->name), site) ||
		       lab_fail(error, LAB_ERROR_USAGE, "'%.80s' wants %s", word, o->wants);
	}
	return lab_fail(error, LAB_ERROR_USAGE,
			"'%.80s' is nothing that a site has\n"
			"hint: at, us, every, prob, vcpu, after, each with its '='",
			word);
}

/* --- symbols ---------------------------------------------------------------------------------- */

/* All that the names of compilers and linkers have in them, and what makes a glob. */
static bool is_symbol(const char *text)
{
	unsigned stars = 0;
	size_t n = 0;

	for (; text[n]; n++) {
		if (!g_ascii_isalnum(text[n]) && !strchr("_.$*?[]!^-", text[n]))
			return false;
		stars += text[n] == '*';
	}
	return n && n <= NAME_MAX_LEN && stars <= STARS_MAX;
}

/* "OFF" or "OFF-OFF2", behind the '+'. */
static bool parse_offsets(const char *text, struct plan_line *line)
{
	g_autofree char *lo = NULL, *hi = NULL;

	split_range(text, "-", &lo, &hi);
	if (!get_number(lo, 0, PLAN_OFFSET_MAX - 1, &line->lo))
		return false;
	line->hi = line->lo + 1;
	return !strchr(text, '-') || get_number(hi, line->lo + 1, PLAN_OFFSET_MAX, &line->hi);
}

static bool parse_place(const char *word, struct plan_line *line, GError **error)
{
	const char *plus = strchr(word, '+');

	g_free(line->symbol);
	line->symbol = plus ? g_strndup(word, plus - word) : g_strdup(word);
	if (!is_symbol(line->symbol))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%.80s' is no function's name or glob\n"
				"hint: a site is as poke_int3_handler+0x10,us=300,every=64",
				word);
	return !plus || parse_offsets(plus + 1, line) ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"'%.80s' wants +OFF or +OFF-OFF2 behind the name, in bytes below 1 MiB",
			word);
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool parse_site(struct plan *p, char **words, GError **error)
{
	struct plan_line line = { .site = PLAN_SITE_DEFAULT };
	unsigned seen = 0;
	bool ok = parse_place(g_strstrip(words[0]), &line, error);

	for (char **word = words + 1; ok && *word; word++)
		ok = parse_option(g_strstrip(*word), &line.site, &seen, error);
	if (ok && p->lines->len >= PLAN_LINES_MAX)
		ok = lab_fail(error, LAB_ERROR_USAGE, "more than %d sites", PLAN_LINES_MAX);
	if (ok)
		g_array_append_val(p->lines, line);
	else
		line_clear(&line);
	return ok;
}

static bool parse_seed(struct plan *p, const char *word, GError **error)
{
	if (p->has_seed)
		return lab_fail(error, LAB_ERROR_USAGE, "'%.80s' is a second seed", word);
	p->has_seed = get_number(word + strlen("seed="), 0, UINT64_MAX, &p->seed);
	return p->has_seed ||
	       lab_fail(error, LAB_ERROR_USAGE, "'%.80s' wants a number of 64 bits", word);
}

static bool parse_piece(struct plan *p, const char *piece, GError **error)
{
	g_auto(GStrv) words = NULL;

	for (const char *c = piece; *c; c++)
		if (!g_ascii_isprint(*c) && !g_ascii_isspace(*c))
			return lab_fail(error, LAB_ERROR_USAGE, "byte 0x%02x is none of a plan's",
					(unsigned char)*c);
	words = g_strsplit(piece, ",", -1);
	if (g_str_has_prefix(piece, "seed=") && !words[1])
		return parse_seed(p, piece, error);
	return parse_site(p, words, error);
}

/* Sites of one line, told apart by their place in it where there are several. */
static bool parse_line(struct plan *p, char *line, unsigned number, GError **error)
{
	g_auto(GStrv) pieces = NULL;
	unsigned n;

	line[strcspn(line, "#")] = '\0';
	pieces = g_strsplit(line, ";", -1);
	n = g_strv_length(pieces);
	for (unsigned i = 0; i < n; i++) {
		if (!*g_strstrip(pieces[i]) || parse_piece(p, pieces[i], error))
			continue;
		return n > 1 ? lab_prefix(error, "line %u, site %u", number, i + 1)
			     : lab_prefix(error, "line %u", number);
	}
	return true;
}

bool plan_parse(const char *text, size_t len, struct plan **ret, GError **error)
{
	g_autoptr(plan) p = plan_new();
	g_autofree char *copy = NULL;
	g_auto(GStrv) lines = NULL;

	if (len > PLAN_TEXT_MAX)
		return lab_fail(error, LAB_ERROR_USAGE, "a plan of %zu bytes, wants at most %d",
				len, PLAN_TEXT_MAX);
	if (!g_utf8_validate(text, len, NULL))
		return lab_fail(error, LAB_ERROR_USAGE, "a plan is UTF-8 text, and this is not");
	copy = g_strndup(text, len);
	lines = g_strsplit(copy, "\n", -1);
	for (unsigned i = 0; lines[i]; i++)
		if (!parse_line(p, lines[i], i + 1, error))
			return false;
	if (!p->lines->len)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a plan without a site\n"
				"hint: a site is as poke_int3_handler+0x10,us=300,every=64");
	*ret = g_steal_pointer(&p);
	return true;
}

/* --- the user's word -------------------------------------------------------------------------- */

void amplify_clear(struct amplify *a)
{
	g_clear_pointer(&a->plan, g_free);
	a->level = AMPLIFY_OFF;
}

/* A ';' in a comment is the comment's. */
static void break_lines(char *text)
{
	bool comment = false;

	for (; *text; text++) {
		comment = *text == '#' || (comment && *text != '\n');
		if (*text == ';' && !comment)
			*text = '\n';
	}
}

char *plan_without_seed(const char *text)
{
	g_autofree char *copy = g_strdup(text);
	g_autoptr(GString) kept = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;

	break_lines(copy);
	lines = g_strsplit(copy, "\n", -1);
	for (char **line = lines; *line; line++) {
		const char *at = *line + strspn(*line, " \t\r");

		if (!g_str_has_prefix(at, "seed=") && (*at || line[1]))
			g_string_append_printf(kept, "%s\n", *line);
	}
	return g_strdup(kept->str);
}

/* A function may be called so, but a level that was misspelt is likelier. */
static bool is_bare(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return !word[n];
}

bool amplify_parse(const char *word, struct amplify *ret, GError **error)
{
	struct amplify a = { 0 };
	g_autoptr(plan) p = NULL;

	if (amplify_level_parse(word, &a.level) && a.level != AMPLIFY_PLAN) {
		*ret = a;
		return true;
	}
	if (is_bare(word))
		return lab_fail(error, LAB_ERROR_USAGE,
				"no amplification '%.80s'\n"
				"hint: off, light, auto, host, or a plan's sites as "
				"'poke_int3_handler,every=256'",
				word);
	if (!plan_parse(word, strlen(word), &p, error))
		return false;
	a = (struct amplify){ AMPLIFY_PLAN, g_strdup(word) };
	break_lines(a.plan);
	*ret = a;
	return true;
}
