// SPDX-License-Identifier: GPL-2.0-or-later
/* The user's choice among the kernels of a matrix: see matrix_select() in matrix.h. */
#include "conf/matrix.h"

#include "conf/matrix_keys.h"
#include "conf/suggest.h"

#include <fnmatch.h>

#define KNOWN_MAX 12 /* ids that an error lists */

struct choice {
	GPtrArray *specs;
	GHashTable *had;
};

static bool add_once(struct choice *chosen, struct kernel_spec *spec)
{
	if (g_hash_table_add(chosen->had, spec))
		g_ptr_array_add(chosen->specs, spec);
	return true;
}

static struct kernel_spec *at(const struct matrix *m, unsigned i)
{
	return g_ptr_array_index(m->kernels, i);
}

/* ---- names that entries give their kernels ---- */

/* "Debian 12" -> "debian-12" */
static char *plain_name(const char *typed)
{
	char *name = g_ascii_strdown(typed, -1);

	return g_strdelimit(name, " _", '-');
}

/* What kernel package names begin with; what follows is the release. */
static const char *release_of(const char *package)
{
	static const char *const prefixes[] = { "linux-image-unsigned-", "linux-image-",
						"linux-binary-",         "kernel-core-",
						"kernel-default-",       "kernel-" };

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		const char *rest = package + strlen(prefixes[i]);

		if (g_str_has_prefix(package, prefixes[i]) && g_ascii_isdigit(*rest))
			return rest;
	}
	return NULL;
}

/* ".../linux-image-5.4.0-150-generic_5.4.0-150.167_amd64.deb" -> "5.4.0-150-generic" */
static char *release_of_url(const char *url)
{
	g_autofree char *base = g_path_get_basename(url);
	const char *release;

	if (g_str_has_suffix(base, ".rpm"))
		base[strlen(base) - strlen(".rpm")] = 0;
	else
		base[strcspn(base, "_")] = 0;
	release = release_of(base);
	return g_strdup(release);
}

/* Releases of RPM distributions end with the architecture, versions of packages do not. */
static bool name_matches(const char *pattern, const char *name)
{
	size_t len = strlen(name);
	g_autofree char *bare = NULL;

	if (!fnmatch(pattern, name, 0))
		return true;
	if (len > strlen(".x86_64") && g_str_has_suffix(name, ".x86_64"))
		bare = g_strndup(name, len - strlen(".x86_64"));
	else
		bare = g_strconcat(name, ".x86_64", NULL);
	return !fnmatch(pattern, bare, 0);
}

static void add_name(GPtrArray *names, const char *name)
{
	if (name && *name)
		g_ptr_array_add(names, g_strdup(name));
}

/* All but its id. */
static GPtrArray *names_of(const struct kernel_spec *spec)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *from_url = spec->url ? release_of_url(spec->url) : NULL;

	for (char **alias = spec->aliases; alias && *alias; alias++)
		add_name(names, *alias);
	add_name(names, spec->family);
	add_name(names, spec->version);
	add_name(names, spec->ref);
	if (spec->ref && *spec->ref == 'v' && g_ascii_isdigit(spec->ref[1]))
		add_name(names, spec->ref + 1);
	add_name(names, spec->package ? release_of(spec->package) : NULL);
	add_name(names, from_url);
	return names;
}

static bool spec_is_called(const struct kernel_spec *spec, const char *pattern, const char *plain)
{
	g_autoptr(GPtrArray) names = names_of(spec);

	for (char **alias = spec->aliases; alias && *alias; alias++) {
		g_autofree char *name = plain_name(*alias);

		if (!fnmatch(plain, name, 0))
			return true;
	}
	for (unsigned i = 0; i < names->len; i++)
		if (name_matches(pattern, names->pdata[i]))
			return true;
	return !strcmp(plain, spec->id) || !g_strcmp0(plain, spec->family);
}

/* ---- patterns ---- */

/* The id of "PATH" where the user gave none: its last component, made fit. */
static char *id_from_path(const char *path)
{
	char *id = g_path_get_basename(path);

	for (char *at = id; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(MATRIX_ID_MORE, *at))
			*at = '-';
	if (!g_ascii_isalnum(*id))
		*id = 'k';
	if (strlen(id) > MATRIX_ID_MAX)
		id[MATRIX_ID_MAX] = 0;
	return id;
}

static bool is_package(const char *source)
{
	return !strcmp(source, "deb") || !strcmp(source, "rpm");
}

static struct kernel_spec *spec_from_path(const char *source, const char *id, const char *path)
{
	struct kernel_spec *spec = g_new0(struct kernel_spec, 1);

	spec->id = g_strdup(id);
	spec->source = g_strdup(source);
	*(is_package(source) ? &spec->url : &spec->path) = g_strdup(path);
	/* Who names a package on the command line vouches for it; that is told. */
	spec->verify_none = is_package(source);
	return spec;
}

static bool is_same(const struct kernel_spec *spec, const char *source, const char *path)
{
	return !spec->line && !strcmp(spec->source, source) &&
	       !g_strcmp0(is_package(source) ? spec->url : spec->path, path);
}

/* "PATH[,id=NAME]": the same pattern twice names the same kernel. */
static bool select_path(struct matrix *m, const char *source, const char *pattern, const char *rest,
			struct choice *chosen, GError **error)
{
	const char *comma = g_strrstr(rest, ",id=");
	g_autofree char *path = comma ? g_strndup(rest, comma - rest) : g_strdup(rest);
	g_autofree char *id = comma ? g_strdup(comma + strlen(",id=")) : id_from_path(path);
	struct kernel_spec *spec = matrix_find(m, id);

	if (!*path)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' names no file\nhint: %s:PATH[,id=NAME]", pattern, source);
	if (!matrix_id_is_good(id))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': '%s' is no id\n"
				"hint: letters, digits and . _ + - only, at most %u",
				pattern, id, MATRIX_ID_MAX);
	if (spec && is_same(spec, source, path))
		return add_once(chosen, spec);
	if (spec)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': the id '%s' is taken by another kernel\n"
				"hint: give it one of its own: %s:PATH,id=NAME",
				pattern, id, source);
	spec = spec_from_path(source, id, path);
	g_ptr_array_add(m->kernels, spec);
	g_hash_table_insert(m->by_id, spec->id, spec);
	return add_once(chosen, spec);
}

/* The source that "SOURCE:PATH" names, with *ret_rest behind the colon; NULL: no such prefix. */
static const char *named_source(const char *pattern, const char **ret_rest)
{
	static const char *const sources[] = { "file", "dir", "deb", "rpm" };

	for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
		size_t len = strlen(sources[i]);

		if (!g_str_has_prefix(pattern, sources[i]) || pattern[len] != ':')
			continue;
		*ret_rest = pattern + len + 1;
		return sources[i];
	}
	return NULL;
}

static const char *source_of_path(const char *pattern)
{
	const char *comma = g_strrstr(pattern, ",id=");
	g_autofree char *path = comma ? g_strndup(pattern, comma - pattern) : g_strdup(pattern);

	if (g_str_has_suffix(path, ".deb"))
		return "deb";
	if (g_str_has_suffix(path, ".rpm"))
		return "rpm";
	/* The one look at the host that conf/ takes: a folder cannot be told from a file by its
	 * name. */
	return g_file_test(path, G_FILE_TEST_IS_DIR) ? "dir" : "file";
}

static bool select_ids(struct matrix *m, const char *pattern, struct choice *chosen)
{
	struct kernel_spec *exact = matrix_find(m, pattern);
	bool found = false;

	if (exact)
		return add_once(chosen, exact);
	for (unsigned i = 0; strpbrk(pattern, "*?[\\") && i < m->kernels->len; i++)
		if (!fnmatch(pattern, at(m, i)->id, 0))
			found = add_once(chosen, at(m, i));
	return found;
}

static bool select_names(struct matrix *m, const char *pattern, struct choice *chosen)
{
	g_autofree char *plain = plain_name(pattern);
	bool found = false;

	for (unsigned i = 0; i < m->kernels->len; i++)
		if (spec_is_called(at(m, i), pattern, plain))
			found = add_once(chosen, at(m, i));
	return found;
}

/* The nearest of all that a kernel can be called by. */
static char *suggest_name(const struct matrix *m, const char *pattern)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *plain = plain_name(pattern);
	char *phrase;

	for (unsigned i = 0; i < m->kernels->len; i++)
		add_name(words, at(m, i)->id);
	for (unsigned i = 0; i < m->kernels->len; i++) {
		g_autoptr(GPtrArray) names = names_of(at(m, i));

		g_ptr_array_extend_and_steal(words, g_steal_pointer(&names));
	}
	g_ptr_array_add(words, NULL);
	phrase = suggest_phrase(pattern, (const char *const *)words->pdata);
	if (*phrase)
		return phrase;
	g_free(phrase);
	return suggest_phrase(plain, (const char *const *)words->pdata);
}

static bool no_match(const struct matrix *m, const char *pattern, GError **error)
{
	g_autofree char *hint = suggest_name(m, pattern);
	g_autoptr(GString) known = g_string_new(NULL);

	for (unsigned i = 0; i < MIN(m->kernels->len, KNOWN_MAX); i++)
		g_string_append_printf(known, "%s%s", i ? ", " : "", at(m, i)->id);
	if (m->kernels->len > KNOWN_MAX)
		g_string_append_printf(known, " and %u more: klab kernels list",
				       m->kernels->len - KNOWN_MAX);
	return lab_fail(error, LAB_ERROR_USAGE, "no kernel matches '%s'%s\nhint: there are: %s",
			pattern, hint, known->len ? known->str : "none");
}

static bool select_one(struct matrix *m, const char *pattern, struct choice *chosen, GError **error)
{
	const char *rest, *source = named_source(pattern, &rest);

	if (source)
		return select_path(m, source, pattern, rest, chosen, error);
	if (select_ids(m, pattern, chosen) || select_names(m, pattern, chosen))
		return true;
	if (strchr(pattern, '/'))
		return select_path(m, source_of_path(pattern), pattern, pattern, chosen, error);
	return no_match(m, pattern, error);
}

bool matrix_select(struct matrix *m, const char *const *patterns, GPtrArray **ret, GError **error)
{
	g_autoptr(GPtrArray) specs = g_ptr_array_new();
	g_autoptr(GHashTable) had = g_hash_table_new(NULL, NULL);
	struct choice chosen = { specs, had };

	for (unsigned i = 0; (!patterns || !*patterns) && i < m->kernels->len; i++)
		if (at(m, i)->in_default)
			add_once(&chosen, at(m, i));
	for (; patterns && *patterns; patterns++)
		if (!select_one(m, *patterns, &chosen, error))
			return false;
	if (!specs->len)
		return lab_fail(error, LAB_ERROR_USAGE,
				"the default set of kernels is empty\n"
				"hint: name kernels with --kernel GLOB");
	*ret = g_steal_pointer(&specs);
	return true;
}
