// SPDX-License-Identifier: GPL-2.0-or-later
/* What the reports on blacklists share. */
#include "report/blacklist_text.h"

#include <string.h>

const char *blacklist_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

#define text_of blacklist_text_of

void blacklist_append_escaped(GString *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '<')
			g_string_append(out, "&lt;");
		else if (*text == '\n')
			g_string_append_c(out, ' ');
		else if (strchr("|*_`\\[]", *text))
			g_string_append_printf(out, "\\%c", *text);
		else
			g_string_append_c(out, *text);
	}
}

/* Where nobody knows what follows the last that was seen. */
static void append_open(GString *out, const char *from, const char *last, const char *to)
{
	g_string_append(out, from);
	if (*last && strcmp(from, last))
		g_string_append_printf(out, " to %s", last);
	if (strcmp(to, "unknown"))
		g_string_append_printf(out, "; unknown from there until %s", to);
	else
		g_string_append(out, "; unknown later in that branch");
}

void blacklist_append_builds(GString *out, const json_t *range)
{
	const char *from = text_of(range, "from"), *last = text_of(range, "last_seen");
	const char *to = text_of(range, "to");

	if (!*from)
		g_string_append(out, "all that are known");
	else if (!*to)
		g_string_append_printf(out, "%s", from);
	else if (g_str_has_suffix(to, "-eol"))
		g_string_append_printf(out, "%s up to the last %.*s", from, (int)strlen(to) - 4,
				       to);
	else if (!strcmp(to, "unknown") || *last)
		append_open(out, from, last, to);
	else
		g_string_append_printf(out, "%s until before %s", from, to);
}

/* --- sources ------------------------------------------------------------------------------- */

/* Does a sentence name this version: not as a part of a longer one? */
static bool names(const char *says, const char *version)
{
	size_t n = strlen(version);

	for (const char *at = says; n && (at = strstr(at, version)); at++) {
		bool left = at == says || (!g_ascii_isdigit(at[-1]) && at[-1] != '.');
		bool right =
			!g_ascii_isdigit(at[n]) && !(at[n] == '.' && g_ascii_isdigit(at[n + 1]));

		if (left && right)
			return true;
	}
	return false;
}

/* How prose writes a bound: 5.19.0 as 5.19, 6.0-eol as 6.0, without the distribution's tag. */
static char *as_written(const char *bound)
{
	static const char *const tags[] = { "-eol", ".el", ".amzn" };
	char *text = g_strdup(bound);

	for (unsigned i = 0; i < G_N_ELEMENTS(tags); i++) {
		char *tag = strstr(text, tags[i]);

		if (tag)
			*tag = '\0';
	}
	if (strspn(text, "0123456789.") == strlen(text) && g_str_has_suffix(text, ".0"))
		text[strlen(text) - 2] = '\0';
	return text;
}

static bool names_a_bound(const char *says, const json_t *range)
{
	static const char *const bounds[] = { "from", "last_seen", "to" };

	for (unsigned i = 0; i < G_N_ELEMENTS(bounds); i++) {
		const char *bound = text_of(range, bounds[i]);
		g_autofree char *written = as_written(bound);

		if (names(says, bound) || names(says, written))
			return true;
	}
	return false;
}

/* What sources call the vendors that have ranges of their own. */
static const char *const vendor_names[][2] = {
	{ "debian", "Debian" }, { "ubuntu", "Ubuntu" }, { "rhel7", "RHEL 7" },
	{ "rhel8", "RHEL 8" },  { "rhel9", "RHEL 9" },  { "rhel10", "RHEL 10" },
	{ "suse", "SUSE" },     { "sle", "SLE" },       { "amazon", "Amazon" }, { "fedora", "Fedora" },
};

bool blacklist_is_about(const char *says, const json_t *range)
{
	const char *vendor = text_of(range, "vendor");

	for (unsigned i = 0; i < G_N_ELEMENTS(vendor_names); i++) {
		const char *name = vendor_names[i][1];

		if (!strcmp(vendor, vendor_names[i][0]))
			return strstr(says, name) &&
			       (!*text_of(range, "from") || names_a_bound(says, range));
		/* "Debian: ..." is not about mainline */
		if (!strcmp(vendor, "mainline") && g_str_has_prefix(says, name))
			return false;
	}
	return names_a_bound(says, range);
}

const char *blacklist_range_answer(const json_t *range)
{
	const char *kind = text_of(range, "kind");

	return g_str_has_prefix(kind, "clean") ? "clean" : kind;
}

char *blacklist_answer_text(const char *value, const char *evidence)
{
	return strcmp(evidence, "none") ? g_strdup_printf("%s (%s)", value, evidence)
					: g_strdup(value);
}

bool blacklist_kernel_of_bound(const char *vendor_name, const char *bound, struct ktb_kernel *ret)
{
	/* the caller's may be that of *ret */
	g_autofree char *vendor = g_strdup(vendor_name);
	g_autofree char *version = g_str_has_suffix(bound, "-eol")
					   ? g_strndup(bound, strlen(bound) - 4)
					   : g_strdup(bound);

	if (!ktb_identify(ret, version, NULL, NULL))
		return false;
	for (size_t i = 0; i < KTB_N_VENDORS; i++) {
		const struct ktb_vendor *v = &ktb_vendors[i];

		if (strcmp(v->name, vendor) || !strcmp(vendor, "mainline"))
			continue;
		ktb_copy(ret->vendor, sizeof(ret->vendor), vendor, sizeof(ret->vendor));
		ktb_copy(ret->build, sizeof(ret->build), version, sizeof(ret->build));
		ret->order = v->order;
		ret->trust = v->trust;
		ret->base_exact = v->trust == KTB_BASE_EXACT;
	}
	return true;
}
