// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.yaml to kernel specs, and the user's choice among them. */
#include "conf/matrix.h"
#include "base/ktb_identify.h"
#include "conf/doc.h"
#include "conf/suggest.h"

#include <fnmatch.h>

#define ID_MAX 64

static const char *const sources[] = { "apt", "file", NULL };
static const char *const top_keys[] = { "defaults", "kernels", "default", NULL };
static const char *const spec_keys[] = { "id",     "source",  "suite",
					 "suites", "package", "version",
					 "path",   "vendor",  "check-valid-until",
					 NULL };
/* What may be said once for all entries. */
static const char *const default_keys[] = { "source",  "suite",  "suites",
					    "package", "vendor", "check-valid-until",
					    NULL };

void kernel_spec_free(struct kernel_spec *spec)
{
	if (!spec)
		return;
	g_free(spec->id);
	g_free(spec->source);
	g_free(spec->suite);
	g_free(spec->package);
	g_free(spec->version);
	g_free(spec->path);
	g_free(spec->vendor);
	g_free(spec);
}

void matrix_free(struct matrix *m)
{
	if (!m)
		return;
	g_ptr_array_unref(m->kernels);
	g_free(m);
}

static struct matrix *matrix_new(void)
{
	struct matrix *m = g_new0(struct matrix, 1);

	m->kernels = g_ptr_array_new_with_free_func((GDestroyNotify)kernel_spec_free);
	return m;
}

static struct kernel_spec *matrix_find(const struct matrix *m, const char *id)
{
	for (unsigned i = 0; i < m->kernels->len; i++) {
		struct kernel_spec *spec = g_ptr_array_index(m->kernels, i);

		if (!strcmp(spec->id, id))
			return spec;
	}
	return NULL;
}

/* Ids, NULL-terminated and borrowed: for "did you mean". */
static const char **matrix_ids(const struct matrix *m)
{
	const char **ids = g_new0(const char *, m->kernels->len + 1);

	for (unsigned i = 0; i < m->kernels->len; i++)
		ids[i] = ((struct kernel_spec *)g_ptr_array_index(m->kernels, i))->id;
	return ids;
}

/* Ids become folder names and parts of reports. */
static bool id_is_good(const char *id)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");

	return n && n == strlen(id) && n <= ID_MAX && g_ascii_isalnum(*id);
}

static bool word_is_good(const char *word, const char *more)
{
	for (const char *at = word; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(more, *at))
			return false;
	return g_ascii_isalnum(*word);
}

/* The text of `key`, from the entry or else from the defaults, checked against a set of characters.
 */
static char *take_word(const struct doc_node *node, const struct doc_node *defaults,
		       const char *key, const char *more, struct doc_errors *errors)
{
	const struct doc_node *from = doc_get(node, key) ? node : defaults;
	const char *text = from ? doc_get_text(from, key, errors) : NULL;

	if (!text)
		return NULL;
	if (!word_is_good(text, more))
		doc_error(doc_get(from, key), errors, "'%s' is no %s", text, key);
	return g_strdup(text);
}

/* `suite` or `suites`, as one comma-separated string. */
static char *take_suites(const struct doc_node *node, const struct doc_node *defaults,
			 struct doc_errors *errors)
{
	const struct doc_node *from =
		doc_get(node, "suite") || doc_get(node, "suites") ? node : defaults;
	const char *key = from && doc_get(from, "suites") ? "suites" : "suite";
	g_auto(GStrv) texts = from ? doc_get_texts(from, key, errors) : NULL;

	if (!texts || !*texts)
		return NULL;
	if (doc_get(from, "suites") && doc_get(from, "suite"))
		doc_error(doc_get(from, "suite"), errors,
			  "'suite' and 'suites' exclude each other");
	for (char **text = texts; *text; text++)
		if (!word_is_good(*text, ".-/_"))
			doc_error(doc_get(from, key), errors, "'%s' is no suite", *text);
	return g_strjoinv(",", texts);
}

static char *take_vendor(const struct doc_node *node, const struct doc_node *defaults,
			 struct doc_errors *errors)
{
	const char *names[KTB_N_VENDORS + 1] = { NULL };
	char *vendor = take_word(node, defaults, "vendor", "-", errors);
	g_autofree char *hint = NULL;

	for (size_t i = 0; i < KTB_N_VENDORS; i++)
		names[i] = ktb_vendors[i].name;
	if (!vendor || g_strv_contains(names, vendor))
		return vendor;
	hint = suggest_phrase(vendor, names);
	doc_error(doc_get(node, "vendor") ? doc_get(node, "vendor") : doc_get(defaults, "vendor"),
		  errors, "unknown vendor '%s'%s", vendor, hint);
	return vendor;
}

static char *take_source(const struct doc_node *node, const struct doc_node *defaults,
			 struct doc_errors *errors)
{
	char *source = take_word(node, defaults, "source", "-", errors);
	g_autofree char *hint = NULL;

	if (!source) {
		if (!doc_get(node, "source"))
			doc_error(node, errors, "'source' is missing");
	} else if (!g_strv_contains(sources, source)) {
		hint = suggest_phrase(source, sources);
		doc_error(doc_get(node, "source") ? doc_get(node, "source")
						  : doc_get(defaults, "source"),
			  errors, "unknown source '%s'%s", source, hint);
	}
	return source;
}

/* What the source of a spec needs, and what would be ignored. */
static void check_source(const struct kernel_spec *spec, const struct doc_node *node,
			 struct doc_errors *errors)
{
	static const char *const only_apt[] = { "suite", "suites", "package", "version",
						"check-valid-until" };

	if (!g_strcmp0(spec->source, "apt")) {
		if (!spec->suite && !doc_get(node, "suite") && !doc_get(node, "suites"))
			doc_error(node, errors, "'suite' is missing: source apt needs one");
		if (!spec->package && !doc_get(node, "package"))
			doc_error(node, errors, "'package' is missing: source apt needs one");
		if (doc_get(node, "path"))
			doc_error(doc_get(node, "path"), errors,
				  "'path' has no meaning with source apt");
	}
	if (!g_strcmp0(spec->source, "file")) {
		if (!spec->path && !doc_get(node, "path"))
			doc_error(node, errors, "'path' is missing: source file needs one");
		for (unsigned i = 0; i < G_N_ELEMENTS(only_apt); i++)
			if (doc_get(node, only_apt[i]))
				doc_error(doc_get(node, only_apt[i]), errors,
					  "'%s' has no meaning with source file", only_apt[i]);
	}
}

static struct kernel_spec *parse_spec(const struct doc_node *node, const struct doc_node *defaults,
				      struct doc_errors *errors)
{
	struct kernel_spec *spec = g_new0(struct kernel_spec, 1);
	const struct doc_node *valid = doc_get(node, "check-valid-until") ? node : defaults;

	doc_check_keys(node, spec_keys, errors);
	spec->line = node->line;
	spec->column = node->column;
	spec->id = g_strdup(doc_need_text(node, "id", errors));
	if (spec->id && !id_is_good(spec->id))
		doc_error(
			doc_get(node, "id"), errors,
			"'%s' is no id: letters, digits and . _ + - only, at most %u, a letter or "
			"digit first",
			spec->id, ID_MAX);
	spec->source = take_source(node, defaults, errors);
	spec->suite = take_suites(node, defaults, errors);
	spec->package = take_word(node, defaults, "package", ".+-", errors);
	spec->version = take_word(node, NULL, "version", ".+-~:", errors);
	spec->path = g_strdup(doc_get_text(node, "path", errors));
	spec->vendor = take_vendor(node, defaults, errors);
	if (valid)
		spec->ignore_valid_until = !doc_get_bool(valid, "check-valid-until", true, errors);
	check_source(spec, node, errors);
	if (!g_strcmp0(spec->source, "file")) {
		/* Defaults that speak to apt do not reach a file. */
		g_clear_pointer(&spec->suite, g_free);
		g_clear_pointer(&spec->package, g_free);
		spec->ignore_valid_until = false;
	}
	return spec;
}

static void parse_kernels(struct matrix *m, const struct doc_node *root, struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(root, "kernels"),
			      *defaults = doc_get(root, "defaults");

	if (defaults && !doc_want(defaults, DOC_MAP, "'defaults'", errors))
		defaults = NULL;
	if (defaults)
		doc_check_keys(defaults, default_keys, errors);
	if (!list) {
		doc_error(root, errors, "'kernels' is missing");
		return;
	}
	if (!doc_want(list, DOC_LIST, "'kernels'", errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		const struct kernel_spec *twin;
		struct kernel_spec *spec;

		if (!doc_want(node, DOC_MAP, "a kernel", errors))
			continue;
		spec = parse_spec(node, defaults, errors);
		twin = spec->id ? matrix_find(m, spec->id) : NULL;
		if (twin)
			doc_error(node, errors, "id '%s' is taken: line %u", spec->id, twin->line);
		if (!spec->id || twin)
			kernel_spec_free(spec);
		else
			g_ptr_array_add(m->kernels, spec);
	}
}

static void parse_default(struct matrix *m, const struct doc_node *root, struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(root, "default");
	g_autofree const char **ids = matrix_ids(m);

	if (!list || !doc_want(list, DOC_LIST, "'default'", errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		g_autofree char *hint = NULL;
		struct kernel_spec *spec;

		if (!doc_want(node, DOC_SCALAR, "an item of 'default'", errors))
			continue;
		spec = matrix_find(m, node->text);
		hint = suggest_phrase(node->text, ids);
		if (!spec)
			doc_error(node, errors, "no kernel has the id '%s'%s", node->text, hint);
		else if (spec->in_default)
			doc_error(node, errors, "'%s' stands here twice", node->text);
		else
			spec->in_default = true;
	}
}

bool matrix_parse(const char *name, const char *text, size_t len, struct matrix **ret,
		  GError **error)
{
	g_autoptr(doc_errors) errors = doc_errors_new(name);
	g_autoptr(doc_node) root = doc_parse(text, len, errors);
	g_autoptr(matrix) m = matrix_new();

	if (root && doc_want(root, DOC_MAP, "the file", errors)) {
		doc_check_keys(root, top_keys, errors);
		parse_kernels(m, root, errors);
		parse_default(m, root, errors);
	}
	if (!doc_errors_report(errors, error))
		return false;
	*ret = g_steal_pointer(&m);
	return true;
}

static bool add_once(GPtrArray *chosen, struct kernel_spec *spec)
{
	if (!g_ptr_array_find(chosen, spec, NULL))
		g_ptr_array_add(chosen, spec);
	return true;
}

/* The id of "PATH" where the user gave none: its last component, made fit. */
static char *id_from_path(const char *path)
{
	char *id = g_path_get_basename(path);

	for (char *at = id; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr("._+-", *at))
			*at = '-';
	if (!g_ascii_isalnum(*id))
		*id = 'k';
	if (strlen(id) > ID_MAX)
		id[ID_MAX] = 0;
	return id;
}

/* "file:PATH[,id=NAME]": the same pattern twice names the same kernel. */
static bool select_file(struct matrix *m, const char *pattern, GPtrArray *chosen, GError **error)
{
	const char *path = pattern + strlen("file:"), *comma = g_strrstr(path, ",id=");
	g_autofree char *file = comma ? g_strndup(path, comma - path) : g_strdup(path);
	g_autofree char *id = comma ? g_strdup(comma + strlen(",id=")) : id_from_path(file);
	struct kernel_spec *spec = matrix_find(m, id);

	if (!*file)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' names no file\n"
				"hint: file:PATH[,id=NAME]",
				pattern);
	if (!id_is_good(id))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': '%s' is no id\n"
				"hint: letters, digits and . _ + - only, at most %u",
				pattern, id, ID_MAX);
	if (spec && !spec->line && !strcmp(spec->path, file))
		return add_once(chosen, spec);
	if (spec)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': the id '%s' is taken by another kernel\n"
				"hint: give it one of its own: %s,id=NAME",
				pattern, id, comma ? "file:PATH" : pattern);
	spec = g_new0(struct kernel_spec, 1);
	spec->id = g_steal_pointer(&id);
	spec->source = g_strdup("file");
	spec->path = g_steal_pointer(&file);
	g_ptr_array_add(m->kernels, spec);
	return add_once(chosen, spec);
}

static bool select_glob(struct matrix *m, const char *pattern, GPtrArray *chosen, GError **error)
{
	g_autofree const char **ids = matrix_ids(m);
	g_autofree char *hint = NULL, *known = NULL;
	bool found = false;

	for (unsigned i = 0; i < m->kernels->len; i++) {
		struct kernel_spec *spec = g_ptr_array_index(m->kernels, i);

		if (!fnmatch(pattern, spec->id, 0))
			found = add_once(chosen, spec);
	}
	if (found)
		return true;
	hint = suggest_phrase(pattern, ids);
	known = g_strjoinv(", ", (char **)ids);
	return lab_fail(error, LAB_ERROR_USAGE, "no kernel matches '%s'%s\nhint: there are: %s",
			pattern, hint, *known ? known : "none");
}

bool matrix_select(struct matrix *m, const char *const *patterns, GPtrArray **ret, GError **error)
{
	g_autoptr(GPtrArray) chosen = g_ptr_array_new();

	for (unsigned i = 0; (!patterns || !*patterns) && i < m->kernels->len; i++) {
		struct kernel_spec *spec = g_ptr_array_index(m->kernels, i);

		if (spec->in_default)
			add_once(chosen, spec);
	}
	for (; patterns && *patterns; patterns++) {
		bool file = g_str_has_prefix(*patterns, "file:");

		if (!(file ? select_file : select_glob)(m, *patterns, chosen, error))
			return false;
	}
	if (!chosen->len)
		return lab_fail(error, LAB_ERROR_USAGE,
				"the default set of kernels is empty\n"
				"hint: name kernels with --kernel GLOB");
	*ret = g_steal_pointer(&chosen);
	return true;
}
