// SPDX-License-Identifier: GPL-2.0-or-later
/* result.json boiled down. Members are named here one by one: what a later klab adds to results
 * joins the evidence on purpose or not at all. */
#include "report/blacklist_evidence.h"

#define EVIDENCE_SCHEMA 1
#define DUMP_FLAGS (JSON_SORT_KEYS | JSON_REAL_PRECISION(6)) /* as exact as result.json */

static const char *const run_keys[] = {
	"schema",       "generator", "started", "asked_confidence", "engine",
	"engine_proof", "kernels",   "cells",   "unavailable",      NULL
};
static const char *const kernel_keys[] = { "id",     "release", "version",
					   "vendor", "package", "package_version",
					   "sha256", "source",  NULL };
static const char *const cell_keys[] = {
	"id",          "kernel",     "probe",    "hazards",    "verdict",   "kind",
	"title",       "reason",     "hazard",   "confidence", "p_missed",  "time_to_failure_s",
	"exposure",    "smp",        "accel",    "amplify",    "cpu_model", "seed",
	"rung",        "nmi_source", "findings", "limits",     "foretold",  "calibration",
	"infra_class", "params",     "schedule", "jobs",       NULL
};
static const char *const job_keys[] = { "dir",    "verdict",     "cpu_model", "seed",
					"digest", "infra_class", NULL };

GPtrArray *blacklist_evidence_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
}

/* Those members, without nulls. */
static json_t *pick(const json_t *object, const char *const *keys)
{
	json_t *out = json_object();

	for (; *keys; keys++) {
		json_t *value = json_object_get(object, *keys);

		if (value && !json_is_null(value))
			json_object_set_new(out, *keys, json_deep_copy(value));
	}
	return out;
}

static void pick_all(json_t *owner, const char *key, const char *const *keys)
{
	json_t *list = json_object_get(owner, key), *out = json_array(), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		json_array_append_new(out, pick(item, keys));
	}
	json_object_set_new(owner, key, out);
}

/* As it will be read back from the evidence file: members in order, numbers no more exact. */
static json_t *as_kept(json_t *run)
{
	char *text = json_dumps(run, DUMP_FLAGS);
	json_t *kept = json_loads(text, 0, NULL);

	free(text);
	json_decref(run);
	return kept;
}

static json_t *boil_down(const json_t *result)
{
	json_t *run = pick(result, run_keys), *cell;
	size_t i;

	pick_all(run, "kernels", kernel_keys);
	pick_all(run, "cells", cell_keys);
	json_array_foreach (json_object_get(run, "cells"), i, cell) {
		pick_all(cell, "jobs", job_keys);
	}
	return as_kept(run);
}

char *blacklist_evidence_run_text(const json_t *run)
{
	char *text = json_dumps(run, DUMP_FLAGS | JSON_COMPACT);
	char *copy = g_strdup(text);

	free(text);
	return copy;
}

static int compare_runs(gconstpointer a, gconstpointer b)
{
	g_autofree char *left = blacklist_evidence_run_text(*(json_t *const *)a);
	g_autofree char *right = blacklist_evidence_run_text(*(json_t *const *)b);

	return strcmp(left, right);
}

static void add_run(GPtrArray *runs, const json_t *result)
{
	json_t *run = boil_down(result);

	for (unsigned i = 0; i < runs->len; i++) {
		if (!compare_runs(&runs->pdata[i], &run)) {
			json_decref(run);
			return;
		}
	}
	g_ptr_array_add(runs, run);
	g_ptr_array_sort(runs, compare_runs);
}

static bool is_result(const json_t *json)
{
	return json_integer_value(json_object_get(json, "schema")) == 1 &&
	       json_is_array(json_object_get(json, "cells"));
}

static bool add_document(GPtrArray *runs, const char *name, const json_t *root, GError **error)
{
	const json_t *list = json_object_get(root, "runs");
	bool known =
		json_integer_value(json_object_get(root, "evidence_schema")) == EVIDENCE_SCHEMA;
	json_t *run;
	size_t i;

	if (is_result(root)) {
		add_run(runs, root);
		return true;
	}
	json_array_foreach (list, i, run) {
		known = known && is_result(run);
	}
	if (!known || !json_is_array(list))
		return lab_fail(
			error, LAB_ERROR_INPUT,
			"%s: no result of schema 1\n"
			"hint: give a result.json of klab run, the folder that holds it, or "
			"the evidence of a blacklist",
			name);
	json_array_foreach (list, i, run) {
		add_run(runs, run);
	}
	return true;
}

bool blacklist_evidence_add(GPtrArray *runs, const char *name, const char *text, size_t len,
			    GError **error)
{
	json_error_t trouble;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &trouble);
	bool ok;

	if (!root)
		return lab_fail(error, LAB_ERROR_INPUT, "%s: no JSON at line %d: %s", name,
				trouble.line, trouble.text);
	ok = add_document(runs, name, root, error);
	json_decref(root);
	return ok;
}

/* A line for each cell and kernel: what changes between two runs shows in a diff. */
static void append_list(GString *out, const char *key, const json_t *list)
{
	json_t *item;
	size_t i;

	g_string_append_printf(out, "\"%s\": [", key);
	json_array_foreach (list, i, item) {
		g_autofree char *text = blacklist_evidence_run_text(item);

		g_string_append_printf(out, "%s\n  %s", i ? "," : "", text);
	}
	g_string_append(out, "]");
}

static void append_run(GString *out, const json_t *run)
{
	json_t *rest = json_copy((json_t *)run);
	g_autofree char *text = NULL;

	json_object_del(rest, "kernels");
	json_object_del(rest, "cells");
	text = blacklist_evidence_run_text(rest);
	json_decref(rest);
	text[strlen(text) - 1] = '\0'; /* its closing brace */
	g_string_append_printf(out, " %s,\n ", text);
	append_list(out, "kernels", json_object_get(run, "kernels"));
	g_string_append(out, ",\n ");
	append_list(out, "cells", json_object_get(run, "cells"));
	g_string_append(out, "}");
}

char *blacklist_evidence_text(const GPtrArray *runs)
{
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "{\"evidence_schema\": %d, \"runs\": [", EVIDENCE_SCHEMA);
	for (unsigned i = 0; i < runs->len; i++) {
		g_string_append(out, i ? ",\n" : "\n");
		append_run(out, runs->pdata[i]);
	}
	g_string_append(out, "]}\n");
	return g_string_free(out, FALSE);
}
