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

const char *measured_op(const char *probe, const GPtrArray *probes,
			const struct hazard_set *hazards)
{
	for (unsigned i = 0; i < probes->len; i++) {
		const struct probe_info *info = g_ptr_array_index(probes, i);

		if (strcmp(info->name, probe))
			continue;
		for (char **id = info->hazards; *id; id++) {
			const struct hazard *h = hazard_set_find(hazards, *id);

			if (h)
				return h->op;
		}
	}
	return probe;
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

static struct measured *read_cell(const json_t *root, const json_t *cell, const GPtrArray *probes,
				  const struct hazard_set *hazards)
{
	const char *id = json_string_value(json_object_get(cell, "kernel"));
	const char *probe = json_string_value(json_object_get(cell, "probe"));
	const char *verdict = json_string_value(json_object_get(cell, "verdict"));
	const json_t *kernel = find_kernel(root, id), *jobs = json_object_get(cell, "jobs");
	const char *release = json_string_value(json_object_get(kernel, "release"));
	bool affected = !g_strcmp0(verdict, "affected");
	struct measured *m;

	/* A kernel that cannot be named later is no evidence for anybody. */
	if (!probe || !release || !*release || !g_str_is_ascii(release) ||
	    (!affected && g_strcmp0(verdict, "clean")))
		return NULL;
	m = g_new0(struct measured, 1);
	m->kernel = g_strdup(id);
	m->release = g_strdup(release);
	m->version = version_of(kernel);
	m->vendor = get_text(kernel, "vendor");
	m->package_version = get_text(kernel, "package_version");
	m->sha256 = get_text(kernel, "sha256");
	m->probe = g_strdup(probe);
	m->op = g_strdup(measured_op(probe, probes, hazards));
	m->affected = affected;
	m->kind = get_text(cell, "kind");
	m->title = get_text(cell, "title");
	m->hazard = get_text(cell, "hazard");
	m->confidence = get_number(cell, "confidence");
	m->p_missed = get_number(cell, "p_missed");
	m->journals = get_texts(jobs, "dir");
	m->digests = get_texts(jobs, "digest");
	return m;
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
	json_array_foreach (cells, i, cell) {
		struct measured *m = read_cell(root, cell, probes, hazards);

		if (m)
			g_ptr_array_add(out, m);
	}
	return true;
}
