// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KTAP: one line, one thought. Depth is the indentation by two (KTAP) or four (TAP 14) spaces; a
 * parent's result follows its subtests, and is then named before them.
 */
#include "parse/ktap.h"

#include <string.h>

void ktap_init(struct ktap *k)
{
	*k = (struct ktap){ .cases = g_array_new(FALSE, TRUE, sizeof(struct ktap_case)) };
}

void ktap_clear(struct ktap *k)
{
	for (unsigned i = 0; k->cases && i < k->cases->len; i++) {
		struct ktap_case *kc = &g_array_index(k->cases, struct ktap_case, i);

		g_free(kc->name);
		g_free(kc->reason);
	}
	if (k->cases)
		g_array_free(k->cases, TRUE);
	g_free(k->bail_reason);
	*k = (struct ktap){ 0 };
}

static bool take(const char **p, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - *p) < n || memcmp(*p, word, n))
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, const char *end, unsigned *ret)
{
	const char *start = *p;
	unsigned n = 0;

	for (; *p < end && g_ascii_isdigit(**p); (*p)++)
		n = MIN(n, 99999999) * 10 + (**p - '0');
	*ret = n;
	return *p > start;
}

static void skip_space(const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
}

/* Printable, trimmed, cut to KTAP_NAME_MAX; NULL when empty. */
static char *text_dup(const char *p, const char *end)
{
	char *text;
	size_t len;

	skip_space(&p, end);
	while (end > p && g_ascii_isspace(end[-1]))
		end--;
	if (p == end)
		return NULL;
	len = MIN(end - p, KTAP_NAME_MAX);
	text = g_malloc(len + 1);
	for (size_t i = 0; i < len; i++)
		text[i] = g_ascii_isprint(p[i]) ? p[i] : '?';
	text[len] = '\0';
	return text;
}

/* "# SKIP reason" and kin behind the name; an unescaped " # " begins it. */
static const char *find_directive(const char *p, const char *end)
{
	for (const char *s = p; (s = memchr(s, '#', end - s)); s++) {
		if (s == p || g_ascii_isspace(s[-1]))
			return s;
	}
	return end;
}

static enum ktap_result directive(const char *p, const char *end, bool ok, char **ret_reason)
{
	static const struct {
		const char *word;
		enum ktap_result result;
	} words[] = {
		{ "SKIP", KTAP_SKIP },       { "TODO", KTAP_TODO },   { "XFAIL", KTAP_XFAIL },
		{ "TIMEOUT", KTAP_TIMEOUT }, { "ERROR", KTAP_ERROR },
	};

	*ret_reason = NULL;
	if (p < end)
		p++;
	skip_space(&p, end);
	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(end - p) < n || g_ascii_strncasecmp(p, words[i].word, n))
			continue;
		*ret_reason = text_dup(p + n, end);
		return words[i].result;
	}
	return ok ? KTAP_PASS : KTAP_FAIL;
}

/* The result of a parent names its subtests: "case" becomes "suite/case". */
static void adopt(struct ktap *k, unsigned depth, const char *name)
{
	for (unsigned i = k->level[depth + 1].first_case; i < k->cases->len; i++) {
		struct ktap_case *kc = &g_array_index(k->cases, struct ktap_case, i);
		char *full;

		if (kc->depth <= depth)
			continue;
		full = g_strdup_printf("%.*s/%.*s", KTAP_NAME_MAX, name, KTAP_NAME_MAX * 2,
				       kc->name);
		g_free(kc->name);
		kc->name = full;
	}
}

static void level_close(struct ktap *k, unsigned depth)
{
	struct ktap_level *level = &k->level[depth];

	if (level->has_plan && level->planned > level->seen)
		k->missing += level->planned - level->seen;
	*level = (struct ktap_level){ 0 };
}

/* Enter or leave levels; a level that is entered starts without plan. */
static void set_depth(struct ktap *k, unsigned depth)
{
	while (k->depth < depth) {
		k->depth++;
		k->level[k->depth] = (struct ktap_level){ .first_case = k->cases->len };
	}
	while (k->depth > depth)
		level_close(k, k->depth--);
}

static void add_case(struct ktap *k, unsigned depth, const char *p, const char *end, bool ok)
{
	struct ktap_case kc = { .depth = depth, .parent = k->depth > depth };
	const char *mark;
	unsigned number = 0;

	skip_space(&p, end);
	if (!take_number(&p, end, &number) || number != k->level[depth].seen + 1)
		k->misnumbered++;
	k->level[depth].seen++;
	skip_space(&p, end);
	if (p < end && *p == '-')
		p++;
	mark = find_directive(p, end);
	kc.name = text_dup(p, mark);
	if (!kc.name)
		kc.name = g_strdup_printf("%u", number);
	kc.result = directive(mark, end, ok, &kc.reason);
	if (kc.parent)
		adopt(k, depth, kc.name);
	set_depth(k, depth);
	/* A parent only repeats what its subtests said, except when it alone failed. */
	if (!kc.parent || kc.result == KTAP_FAIL)
		k->counts[kc.result]++;
	if (k->cases->len < KTAP_CASES_MAX) {
		g_array_append_val(k->cases, kc);
		return;
	}
	k->dropped++;
	g_free(kc.name);
	g_free(kc.reason);
}

static bool take_plan(struct ktap *k, unsigned depth, const char *p, const char *end)
{
	unsigned first, planned;

	if (!take_number(&p, end, &first) || !take(&p, end, "..") ||
	    !take_number(&p, end, &planned))
		return false;
	set_depth(k, depth);
	k->level[depth].planned = planned;
	k->level[depth].has_plan = true;
	return true;
}

static unsigned indent(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && **p == ' ')
		(*p)++;
	return *p - start;
}

/* The first indented line says how far one level is indented. */
static unsigned depth_of(struct ktap *k, unsigned spaces)
{
	if (!k->indent && spaces >= 2)
		k->indent = spaces == 4 ? 4 : 2;
	return k->indent ? MIN(spaces / k->indent, KTAP_DEPTH_MAX - 1) : 0;
}

void ktap_line(struct ktap *k, const char *line, size_t len)
{
	const char *p = line, *end = line + len;
	unsigned spaces = indent(&p, end), depth;

	while (end > p && (end[-1] == '\r' || end[-1] == '\n'))
		end--;
	if (p >= end || *p == '#')
		return;
	depth = depth_of(k, spaces);
	if (take(&p, end, "KTAP version ") || take(&p, end, "TAP version ")) {
		k->has_version = true;
		if (depth)
			set_depth(k, depth);
	} else if (take(&p, end, "not ok")) {
		add_case(k, depth, p, end, false);
	} else if (take(&p, end, "ok")) {
		add_case(k, depth, p, end, true);
	} else if (take(&p, end, "Bail out!")) {
		k->bailed = true;
		g_free(k->bail_reason);
		k->bail_reason = text_dup(p, end);
	} else if (!take_plan(k, depth, p, end)) {
		k->odd++;
	}
}

void ktap_finish(struct ktap *k)
{
	set_depth(k, 0);
	level_close(k, 0);
}

bool ktap_is_ok(const struct ktap *k)
{
	return !k->bailed && !k->missing && !k->counts[KTAP_FAIL] && !k->counts[KTAP_TIMEOUT] &&
	       !k->counts[KTAP_ERROR] && k->counts[KTAP_PASS] + k->counts[KTAP_SKIP] > 0;
}

const char *ktap_result_name(enum ktap_result result)
{
	static const char *const names[KTAP__COUNT] = {
		[KTAP_PASS] = "pass",   [KTAP_FAIL] = "fail",   [KTAP_SKIP] = "skip",
		[KTAP_TODO] = "todo",   [KTAP_XFAIL] = "xfail", [KTAP_TIMEOUT] = "timeout",
		[KTAP_ERROR] = "error",
	};

	return names[result];
}
