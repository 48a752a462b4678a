// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernels that kernels.yaml does not write down but leaves room for: which package of an index
 * would be a member of a family, under which id, and the line that writes it down.
 */
#include "conf/matrix.h"

#include "conf/matrix_keys.h"

#define VERSION_MORE ".+-~_"

struct hole {
	const char *at; /* of "{name}" or "{version}" in the text; NULL: there is none */
	size_t len;
};

static struct hole find_hole(const char *text)
{
	static const char *const holes[] = { "{version}", "{name}" };
	struct hole first = { NULL, 0 };

	for (size_t i = 0; text && i < G_N_ELEMENTS(holes); i++) {
		const char *at = strstr(text, holes[i]);

		if (at && (!first.at || at < first.at))
			first = (struct hole){ at, strlen(holes[i]) };
	}
	return first;
}

static char *with_family(const char *text, const char *id)
{
	g_auto(GStrv) parts = g_strsplit(text, "{family}", -1);

	return g_strjoinv(id, parts);
}

/* What stands in the hole; with a second one there would be several answers. */
static char *fill_of(const char *pattern, const char *package)
{
	struct hole hole = find_hole(pattern);
	size_t before = hole.at - pattern, all = strlen(package), after;
	g_autofree char *fill = NULL;

	if (find_hole(hole.at + hole.len).at || strncmp(package, pattern, before))
		return NULL;
	after = strlen(hole.at + hole.len);
	if (all <= before + after || strcmp(package + all - after, hole.at + hole.len))
		return NULL;
	fill = g_strndup(package + before, all - before - after);
	/* "generic" in linux-image-generic is no version, and what is unsigned another package. */
	if (!g_ascii_isdigit(*fill) || !matrix_word_is_good(fill, VERSION_MORE))
		return NULL;
	return g_steal_pointer(&fill);
}

char *matrix_family_name(const struct matrix_family *family, const char *package,
			 const char *version)
{
	g_autofree char *pattern =
		family->package ? with_family(family->package, family->id) : NULL;

	if (!pattern)
		return NULL;
	if (find_hole(pattern).at)
		return fill_of(pattern, package);
	return !strcmp(pattern, package) && matrix_word_is_good(version, VERSION_MORE ":^")
		       ? g_strdup(version)
		       : NULL;
}

char *matrix_family_id(const struct matrix_family *family, const char *name)
{
	g_autoptr(GString) id = g_string_new(NULL);
	g_autofree char *text = with_family(family->ids, family->id);
	const char *rest = text;

	for (struct hole hole; (hole = find_hole(rest)).at; rest = hole.at + hole.len) {
		g_string_append_len(id, rest, hole.at - rest);
		g_string_append(id, name);
	}
	g_string_append(id, rest);
	for (char *at = id->str; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(MATRIX_ID_MORE, *at))
			*at = '-';
	return matrix_id_is_good(id->str) ? g_string_free(g_steal_pointer(&id), FALSE) : NULL;
}

bool matrix_family_by_version(const struct matrix_family *family)
{
	return family->package && !find_hole(family->package).at;
}

size_t matrix_family_closeness(const struct matrix_family *family)
{
	struct hole hole = find_hole(family->package);

	return family->package ? strlen(family->package) - hole.len : 0;
}

/* ---- as a line ---- */

/* Words stand as they are; anything else in quotes, as YAML has JSON's. */
static void add_value(GString *line, const char *value)
{
	if (matrix_word_is_good(value, "._+-/")) {
		g_string_append(line, value);
		return;
	}
	g_string_append_c(line, '"');
	for (const char *at = value; *at; at++) {
		if (strchr("\"\\", *at))
			g_string_append_c(line, '\\');
		g_string_append_c(line, *at);
	}
	g_string_append_c(line, '"');
}

static void add_key(GString *line, const char *key, const char *value)
{
	if (!value)
		return;
	g_string_append_printf(line, "%s%s: ", line->str[line->len - 1] == '{' ? "" : ", ", key);
	add_value(line, value);
}

static void add_list(GString *line, const char *key, char *const *values)
{
	if (!values || !*values)
		return;
	g_string_append_printf(line, ", %s: [", key);
	for (char *const *v = values; *v; v++) {
		g_string_append(line, v == values ? "" : ", ");
		add_value(line, *v);
	}
	g_string_append_c(line, ']');
}

static void add_suites(GString *line, const char *suites)
{
	g_auto(GStrv) list = suites ? g_strsplit(suites, ",", -1) : NULL;

	if (list && list[0] && list[1])
		add_list(line, "suites", list);
	else
		add_key(line, "suite", suites);
}

char *matrix_item(const struct kernel_spec *spec)
{
	GString *line = g_string_new("  - {");

	add_key(line, "id", spec->id);
	add_key(line, "source", spec->source);
	add_key(line, "vendor", spec->vendor);
	add_key(line, "repo", spec->repo);
	add_suites(line, spec->suite);
	add_key(line, "component", spec->component);
	add_key(line, "package", spec->package);
	add_key(line, "version", spec->version);
	add_key(line, "keyring", spec->keyring);
	add_key(line, "verify", spec->verify_none ? "none" : NULL);
	add_key(line, "check-valid-until", spec->ignore_valid_until ? "no" : NULL);
	add_list(line, "aliases", spec->aliases);
	g_string_append(line, "}\n");
	return g_string_free(line, FALSE);
}
