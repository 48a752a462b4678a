// SPDX-License-Identifier: GPL-2.0-or-later
/* sources.list(5): both formats in, one out, and the choice of the archive that has a suite. */
#include "kernel/aptsources.h"

#define SOURCES_MAX 1000

void apt_source_free(struct apt_source *source)
{
	if (!source)
		return;
	g_free(source->uri);
	g_free(source->suite);
	g_free(source->components);
	g_free(source->signed_by);
	g_free(source);
}

static void add(GPtrArray *sources, const char *uri, const char *suite, const char *components,
		const char *signed_by, bool trusted)
{
	struct apt_source *source;

	if (sources->len >= SOURCES_MAX || !*uri || !*suite)
		return;
	source = g_new0(struct apt_source, 1);
	source->uri = g_strdup(uri);
	source->suite = g_strdup(suite);
	source->components = g_strdup(components);
	source->signed_by = signed_by && *signed_by ? g_strdup(signed_by) : NULL;
	source->trusted = trusted;
	g_ptr_array_add(sources, source);
}

static bool is_yes(const char *value)
{
	static const char *const words[] = { "yes", "true", "with", "on", "enable", "1" };

	for (size_t i = 0; value && i < G_N_ELEMENTS(words); i++)
		if (!g_ascii_strcasecmp(value, words[i]))
			return true;
	return false;
}

/* Does a list of words have one of them? */
static bool has_word(const char *list, const char *word)
{
	g_auto(GStrv) words = g_strsplit_set(list ? list : "", " \t\n,", -1);

	return g_strv_contains((const char *const *)words, word);
}

/* "[ a=b signed-by=/x ]" off the front of `line`; returns what follows. */
static char *take_options(char *line, char **ret_signed_by, bool *ret_trusted)
{
	char *close = *line == '[' ? strchr(line, ']') : NULL;
	g_auto(GStrv) words = NULL;

	if (!close)
		return line;
	*close = '\0';
	words = g_strsplit_set(line + 1, " \t", -1);
	for (char **w = words; *w; w++) {
		if (g_str_has_prefix(*w, "signed-by=") && !*ret_signed_by)
			*ret_signed_by = g_strdup(*w + strlen("signed-by="));
		else if (g_str_has_prefix(*w, "trusted="))
			*ret_trusted = is_yes(*w + strlen("trusted="));
	}
	return g_strchug(close + 1);
}

/* "deb [options] URI SUITE COMPONENT..." */
static void parse_one_line(GPtrArray *sources, char *line)
{
	g_autofree char *signed_by = NULL, *components = NULL;
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	bool trusted = false;
	char *rest, *word;

	if ((rest = strchr(line, '#')))
		*rest = '\0';
	g_strstrip(line);
	if (!g_str_has_prefix(line, "deb") || (line[3] != ' ' && line[3] != '\t'))
		return;
	rest = take_options(g_strchug(line + 4), &signed_by, &trusted);
	while ((word = strsep(&rest, " \t")))
		if (*word)
			g_ptr_array_add(words, word);
	g_ptr_array_add(words, NULL);
	if (words->len < 3)
		return;
	components = g_strjoinv(" ", (char **)words->pdata + 2);
	add(sources, words->pdata[0], words->pdata[1], components, signed_by, trusted);
}

/* Fields of one stanza, keys in lower case; continuation lines keep their line breaks. */
static GHashTable *parse_stanza(const char *text)
{
	GHashTable *fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *key = NULL;

	for (char **l = lines; *l; l++) {
		char *colon = strchr(*l, ':');

		if (**l == '#')
			continue;
		if ((**l == ' ' || **l == '\t') && key) {
			const char *old = g_hash_table_lookup(fields, key);

			g_hash_table_insert(fields, g_strdup(key),
					    g_strconcat(old, "\n", g_strchomp(*l), NULL));
		} else if (colon) {
			g_free(key);
			key = g_ascii_strdown(*l, colon - *l);
			g_hash_table_insert(fields, g_strdup(key),
					    g_strdup(g_strstrip(colon + 1)));
		}
	}
	return fields;
}

static void add_stanza(GPtrArray *sources, const char *text)
{
	g_autoptr(GHashTable) fields = parse_stanza(text);
	const char *uris = g_hash_table_lookup(fields, "uris");
	const char *suites = g_hash_table_lookup(fields, "suites");
	const char *enabled = g_hash_table_lookup(fields, "enabled");
	const char *components = g_hash_table_lookup(fields, "components");
	g_auto(GStrv) uri = g_strsplit_set(uris ? uris : "", " \t\n", -1);
	g_auto(GStrv) suite = g_strsplit_set(suites ? suites : "", " \t\n", -1);

	if (!has_word(g_hash_table_lookup(fields, "types"), "deb") ||
	    (enabled && !is_yes(enabled)))
		return;
	for (char **u = uri; *u; u++)
		for (char **s = suite; *s; s++)
			add(sources, *u, *s, components ? components : "",
			    g_hash_table_lookup(fields, "signed-by"),
			    is_yes(g_hash_table_lookup(fields, "trusted")));
}

static bool is_blank(const char *line)
{
	while (*line == ' ' || *line == '\t' || *line == '\r')
		line++;
	return !*line;
}

static void parse_deb822(GPtrArray *sources, char **lines)
{
	g_autoptr(GString) stanza = g_string_new(NULL);

	for (char **l = lines; *l; l++) {
		if (!is_blank(*l)) {
			g_string_append_printf(stanza, "%s\n", *l);
		} else {
			add_stanza(sources, stanza->str);
			g_string_truncate(stanza, 0);
		}
	}
	add_stanza(sources, stanza->str);
}

void apt_sources_parse(GPtrArray *sources, const char *name, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	if (g_str_has_suffix(name, ".sources")) {
		parse_deb822(sources, lines);
		return;
	}
	for (char **l = lines; *l; l++)
		parse_one_line(sources, *l);
}

static bool is_security(const char *suite)
{
	return g_str_has_suffix(suite, "-security") || g_str_has_suffix(suite, "/updates");
}

/* Names that Debian's archive has or had for a suite, without "-backports" and the like. */
static bool is_debian_suite(const char *suite)
{
	static const char *const names[] = { "buster", "bullseye", "bookworm", "trixie", "forky",
					     "duke", "sid", "unstable", "testing", "stable",
					     "oldstable", "oldoldstable", "experimental", NULL };
	static const char *const suffixes[] = { "", "-security", "/updates", "-updates",
						"-backports", "-backports-sloppy",
						"-proposed-updates" };

	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *base = NULL;

		if (!g_str_has_suffix(suite, suffixes[i]))
			continue;
		base = g_strndup(suite, strlen(suite) - strlen(suffixes[i]));
		if (g_strv_contains(names, base))
			return true;
	}
	return false;
}

/* How likely `source` leads to the archive of `suite`; 0: not at all. Third parties use Debian's
 * suite names too, so the archive's usual name and keyring count. */
static unsigned score(const struct apt_source *source, const char *suite)
{
	g_autofree char *uri = g_strdup(source->uri);
	bool exact = !strcmp(source->suite, suite);
	bool family = is_debian_suite(suite) && is_debian_suite(source->suite);

	if (*source->components && !has_word(source->components, "main"))
		return 0;
	if (!exact && (!family || is_security(suite) != is_security(source->suite)))
		return 0;
	while (g_str_has_suffix(uri, "/"))
		uri[strlen(uri) - 1] = '\0';
	return 1 + (exact ? 4 : 0) + (strstr(uri, "/debian") ? 2 : 0) +
	       (source->signed_by && strstr(source->signed_by, "debian-archive") ? 2 : 0);
}

static const struct apt_source *best(const GPtrArray *sources, const char *suite)
{
	const struct apt_source *found = NULL;
	unsigned most = 0;

	for (guint i = 0; i < sources->len; i++) {
		unsigned points = score(sources->pdata[i], suite);

		if (points <= most)
			continue;
		most = points;
		found = sources->pdata[i];
	}
	return found;
}

bool apt_sources_find(const GPtrArray *sources, const char *suite, struct apt_source **ret)
{
	const struct apt_source *found = best(sources, suite);
	struct apt_source *source;
	g_autofree char *uri = NULL;

	if (found) {
		uri = g_strdup(found->uri);
	} else if (is_debian_suite(suite) && is_security(suite) && (found = best(sources, "sid"))) {
		/* No security line at all: mirrors that carry both name them so. */
		g_autofree char *main_uri = g_strdup(found->uri);

		while (g_str_has_suffix(main_uri, "/"))
			main_uri[strlen(main_uri) - 1] = '\0';
		if (!g_str_has_suffix(main_uri, "/debian"))
			return false;
		uri = g_strconcat(main_uri, "-security", NULL);
	} else {
		return false;
	}
	source = g_new0(struct apt_source, 1);
	source->uri = g_steal_pointer(&uri);
	source->suite = g_strdup(suite);
	/* The kernel, its source and QEMU are in main; other components come and go by suite. */
	source->components = g_strdup(*found->components ? "main" : "");
	source->signed_by = g_strdup(found->signed_by);
	source->trusted = found->trusted;
	*ret = source;
	return true;
}

char *apt_source_format(const struct apt_source *source, bool check_valid_until)
{
	GString *out = g_string_new("Types: deb\nArchitectures: amd64\n");

	g_string_append_printf(out, "URIs: %s\nSuites: %s\n", source->uri, source->suite);
	if (*source->components)
		g_string_append_printf(out, "Components: %s\n", source->components);
	if (source->signed_by)
		g_string_append_printf(out, "Signed-By: %s\n", source->signed_by);
	if (source->trusted)
		g_string_append(out, "Trusted: yes\n");
	if (!check_valid_until)
		g_string_append(out, "Check-Valid-Until: no\n");
	return g_string_free(out, FALSE);
}
