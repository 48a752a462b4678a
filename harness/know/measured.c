// SPDX-License-Identifier: GPL-2.0-or-later
/* result.json to evidence: which build was seen affected or clean by which operation. */
#include "know/measured.h"

#include <jansson.h>
#include <math.h>

void measured_free(struct measured *m)
{
	if (!m)
		return;
	g_free(m->kernel);
	g_free(m->release);
	g_free(m->version);
	g_free(m->vendor);
	g_free(m->package_version);
	g_free(m->sha256);
	g_free(m->probe);
	g_free(m->op);
	g_free(m->kind);
	g_free(m->title);
	g_free(m->hazard);
	g_strfreev(m->journals);
	g_strfreev(m->digests);
	g_strfreev(m->limits);
	g_free(m);
}

static void json_unref(json_t **json)
{
	json_decref(*json);
}
#define auto_json __attribute__((cleanup(json_unref))) json_t

/* A member's text, or NULL if it is absent, null or empty. */
static char *get_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? g_strdup(text) : NULL;
}

static double get_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* That member of the objects in a list. */
static char **get_texts(const json_t *list, const char *key)
{
	g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(json_object_get(item, key));

		if (text && *text)
			g_strv_builder_add(texts, text);
	}
	return g_strv_builder_end(texts);
}

static json_t *load(const char *json, size_t len, GError **error)
{
	json_error_t trouble;
	json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &trouble);

	if (!root)
		lab_fail(error, LAB_ERROR_INPUT, "no JSON at line %d: %s", trouble.line,
			 trouble.text);
	return root;
}

/* --- which operations a verdict speaks of ------------------------------------------------- */

static bool limits_say(char *const *limits, const char *words)
{
	for (; limits && *limits; limits++)
		if (strstr(*limits, words))
			return true;
	return false;
}

/* Did this probe, with these limits, press on this hazard so that surviving means something? */
static bool presses_on(const struct probe_info *probe, char *const *limits, const struct hazard *h)
{
	if (g_strcmp0(probe->counters[0], h->exposure))
		return false;
	for (char *const *words = h->untested_if; *words; words++)
		if (limits_say(limits, *words))
			return false;
	return true;
}

/* And on all that can make the operation fail? */
static bool presses_on_all(const struct probe_info *probe, char *const *limits, const char *op,
			   const struct hazard_set *hazards)
{
	for (unsigned i = 0; i < hazards->all->len; i++) {
		const struct hazard *h = g_ptr_array_index(hazards->all, i);

		if (!strcmp(h->op, op) && !presses_on(probe, limits, h))
			return false;
	}
	return true;
}

/* The probe's own operations: of all its hazards, or else its name. */
static GPtrArray *ops_of(const struct probe_info *probe, const struct hazard_set *hazards)
{
	GPtrArray *ops = g_ptr_array_new();

	for (char **id = probe->hazards; *id; id++) {
		const struct hazard *h = hazard_set_find(hazards, *id);

		if (h && !g_ptr_array_find_with_equal_func(ops, h->op, g_str_equal, NULL))
			g_ptr_array_add(ops, h->op);
	}
	if (!ops->len)
		g_ptr_array_add(ops, probe->name);
	return ops;
}

static void keep_pressed(GPtrArray *ops, const struct probe_info *probe, char *const *limits,
			 const struct hazard_set *hazards)
{
	for (unsigned i = ops->len; i-- > 0;)
		if (!presses_on_all(probe, limits, ops->pdata[i], hazards))
			g_ptr_array_remove_index(ops, i);
}

GPtrArray *measured_ops(const struct measured *m, const struct probe_info *probe,
			const struct hazard_set *hazards, bool *ret_untold)
{
	const struct hazard *h = m->hazard ? hazard_set_find(hazards, m->hazard) : NULL;
	GPtrArray *ops = ops_of(probe, hazards);

	*ret_untold = m->affected && !h && ops->len > 1;
	if (m->affected && !h)
		return ops;
	/* A hazard that another probe counts, met by way of this one's operations. */
	if (!m->affected || g_strcmp0(probe->counters[0], h->exposure))
		keep_pressed(ops, probe, m->limits, hazards);
	else
		g_ptr_array_set_size(ops, 0);
	if (h && !g_ptr_array_find_with_equal_func(ops, h->op, g_str_equal, NULL))
		g_ptr_array_add(ops, h->op);
	return ops;
}

/* --- reading ------------------------------------------------------------------------------ */

static const struct probe_info *find_probe(const GPtrArray *probes, const char *name)
{
	for (unsigned i = 0; i < probes->len; i++) {
		const struct probe_info *info = g_ptr_array_index(probes, i);

		if (!strcmp(info->name, name))
			return info;
	}
	return NULL;
}

static const json_t *find_kernel(const json_t *root, const char *id)
{
	size_t i;
	json_t *kernel;

	json_array_foreach (json_object_get(root, "kernels"), i, kernel)
		if (!g_strcmp0(json_string_value(json_object_get(kernel, "id")), id))
			return kernel;
	return NULL;
}

/* uname -v alone: images name their builder before it. */
static char *version_of(const json_t *kernel)
{
	const char *version = json_string_value(json_object_get(kernel, "version"));
	const char *at = version ? strchr(version, '#') : NULL;

	return g_strdup(at && g_str_is_ascii(at) ? at : "");
}

/* The strings of a list. */
static char **get_strings(const json_t *list)
{
	g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (json_is_string(item))
			g_strv_builder_add(texts, json_string_value(item));
	return g_strv_builder_end(texts);
}

/* All but the operation. */
static struct measured *read_cell(const json_t *kernel, const json_t *cell, bool affected)
{
	const json_t *jobs = json_object_get(cell, "jobs");
	struct measured *m = g_new0(struct measured, 1);

	m->kernel = get_text(kernel, "id");
	m->release = get_text(kernel, "release");
	m->version = version_of(kernel);
	m->vendor = get_text(kernel, "vendor");
	m->package_version = get_text(kernel, "package_version");
	m->sha256 = get_text(kernel, "sha256");
	m->probe = get_text(cell, "probe");
	m->affected = affected;
	m->kind = get_text(cell, "kind");
	m->title = get_text(cell, "title");
	m->hazard = affected ? get_text(cell, "hazard") : NULL;
	m->reachable = affected && g_strcmp0(json_string_value(json_object_get(cell, "schedule")),
					     "reachable") == 0;
	m->confidence = get_number(cell, "confidence");
	m->p_missed = get_number(cell, "p_missed");
	m->journals = get_texts(jobs, "dir");
	m->digests = get_texts(jobs, "digest");
	m->limits = get_strings(json_object_get(cell, "limits"));
	return m;
}

/* One for each operation that it speaks of. */
static void add_cell(const json_t *root, const json_t *cell, const GPtrArray *probes,
		     const struct hazard_set *hazards, GPtrArray *out)
{
	static char *nothing[] = { NULL };
	const char *verdict = json_string_value(json_object_get(cell, "verdict"));
	const char *name = json_string_value(json_object_get(cell, "probe"));
	const json_t *kernel =
		find_kernel(root, json_string_value(json_object_get(cell, "kernel")));
	const char *release = json_string_value(json_object_get(kernel, "release"));
	bool affected = !g_strcmp0(verdict, "affected");
	const struct probe_info unheard = { .name = (char *)name,
					    .hazards = nothing,
					    .counters = nothing };
	const struct probe_info *probe;
	g_autoptr(GPtrArray) ops = NULL;
	struct measured *first;
	bool untold;

	/* A kernel that cannot be named later is no evidence for anybody. */
	if (!name || !*name || !release || !*release || !g_str_is_ascii(release) ||
	    (!affected && g_strcmp0(verdict, "clean")))
		return;
	probe = find_probe(probes, name);
	/* A probe of ours that looks for no hazard measures the lab. */
	if (probe && !*probe->hazards)
		return;
	first = read_cell(kernel, cell, affected);
	ops = measured_ops(first, probe ? probe : &unheard, hazards, &untold);
	for (unsigned i = 0; i < ops->len; i++) {
		struct measured *m = i ? read_cell(kernel, cell, affected) : first;

		m->op = g_strdup(ops->pdata[i]);
		m->untold = untold;
		g_ptr_array_add(out, m);
	}
	if (!ops->len)
		measured_free(first);
}

bool measured_read(const char *name, const char *json, size_t len, const GPtrArray *probes,
		   const struct hazard_set *hazards, GPtrArray *out, GError **error)
{
	auto_json *root = load(json, len, error);
	const json_t *cells = json_object_get(root, "cells");
	size_t i;
	json_t *cell;

	if (!root)
		return lab_prefix(error, "%s", name);
	if (json_integer_value(json_object_get(root, "schema")) != 1 || !json_is_array(cells))
		return lab_fail(error, LAB_ERROR_INPUT,
				"%s: no result of schema 1\n"
				"hint: give a result.json of klab run, or the folder that holds it",
				name);
	json_array_foreach (cells, i, cell)
		add_cell(root, cell, probes, hazards, out);
	return true;
}
