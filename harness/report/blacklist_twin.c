// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON twin to knowledge: hazards by way of hazards.yaml's own parser (JSON is YAML), so that a
 * twin from elsewhere is checked like any declaration. */
#include "report/blacklist_twin.h"
#include "report/blacklist_json.h"
#include "report/blacklist_text.h"

#include <math.h>

#define text_of blacklist_text_of

void blacklist_twin_clear(struct blacklist_twin *twin)
{
	know_free(twin->known);
	hazard_set_free(twin->hazards);
	if (twin->measured)
		g_ptr_array_unref(twin->measured);
}

/* A range as hazards.yaml writes it. */
static json_t *range_text(const json_t *range)
{
	const char *last = text_of(range, "last_seen"), *to = text_of(range, "to");
	g_autofree char *text = g_strconcat(text_of(range, "from"), *last ? ".." : "", last,
					    *to ? ".." : "", to, NULL);

	return json_string(text);
}

/* Append to owner[key][name], or to owner[key] where there is no name. */
static void append_under(json_t *owner, const char *key, const char *name, json_t *item)
{
	json_t *map = owner, *list;

	if (name) {
		map = json_object_get(owner, key);
		if (!map) {
			map = json_object();
			json_object_set_new(owner, key, map);
		}
		key = name;
	}
	list = json_object_get(map, key);
	if (!list) {
		list = json_array();
		json_object_set_new(map, key, list);
	}
	json_array_append_new(list, item);
}

static void convert_range(json_t *hazard, const json_t *range)
{
	const char *vendor = text_of(range, "vendor"), *kind = text_of(range, "kind");
	const char *key = !strcmp(kind, "affected")  ? "vendor"
			  : !strcmp(kind, "unknown") ? "unknown"
						     : "clean";

	if (!strcmp(kind, "clean-all-known")) {
		json_t *clean = json_object_get(hazard, "clean");

		if (!clean) {
			clean = json_object();
			json_object_set_new(hazard, "clean", clean);
		}
		json_object_set_new(clean, vendor, json_string("all-known"));
	} else if (!strcmp(vendor, "mainline") && !strcmp(key, "vendor")) {
		append_under(hazard, "mainline", NULL, range_text(range));
	} else {
		append_under(hazard, key, vendor, range_text(range));
	}
}

static json_t *convert_hazard(const json_t *hazard)
{
	static const char *const keys[] = { "id",         "op",         "summary",    "workaround",
					    "exposure",   "introduced", "fixed",      "sources",
					    "signatures", "claims",     "untested_if" };
	json_t *out = json_object(), *range;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(keys); i++) {
		json_t *value = json_object_get(hazard, keys[i]);

		if (value && !json_is_null(value) &&
		    (!json_is_array(value) || json_array_size(value)))
			json_object_set(out, keys[i], value);
	}
	if (json_array_size(json_object_get(hazard, "kconfig")))
		json_object_set_new(
			out, "needs",
			json_pack("{s:O}", "kconfig", json_object_get(hazard, "kconfig")));
	json_array_foreach (json_object_get(hazard, "ranges"), i, range)
		convert_range(out, range);
	return out;
}

static bool read_hazards(const json_t *document, struct hazard_set **ret, GError **error)
{
	json_t *list = json_array(), *root, *hazard;
	char *text;
	size_t i;
	bool ok;

	json_array_foreach (json_object_get(document, "hazards"), i, hazard)
		json_array_append_new(list, convert_hazard(hazard));
	root = json_pack("{s:s, s:o}", "surveyed", text_of(document, "surveyed"), "hazards", list);
	text = json_dumps(root, 0);
	ok = hazard_set_parse("hazards", text, strlen(text), ret, error);
	free(text);
	json_decref(root);
	return ok;
}

static char *get_text(const json_t *object, const char *key)
{
	const char *text = text_of(object, key);

	return *text ? g_strdup(text) : NULL;
}

static double get_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static struct measured *read_measured(const json_t *row)
{
	struct measured *m = g_new0(struct measured, 1);

	m->kernel = g_strdup(text_of(row, "kernel"));
	m->release = g_strdup(text_of(row, "release"));
	m->version = g_strdup(text_of(row, "version"));
	m->vendor = get_text(row, "os_id");
	m->package_version = get_text(row, "package_version");
	m->sha256 = get_text(row, "sha256");
	m->probe = g_strdup(text_of(row, "probe"));
	m->op = g_strdup(text_of(row, "op"));
	m->affected = !strcmp(text_of(row, "verdict"), "affected");
	m->kind = get_text(row, "kind");
	m->title = get_text(row, "title");
	m->hazard = get_text(row, "matched");
	m->reachable = !strcmp(text_of(row, "schedule"), "reachable");
	m->untold = json_is_true(json_object_get(row, "untold"));
	m->confidence = get_number(row, "confidence");
	m->p_missed = get_number(row, "p_missed");
	m->journals = g_new0(char *, 1);
	m->digests = g_new0(char *, 1);
	return m;
}

bool blacklist_twin_read(const json_t *document, struct blacklist_twin *ret, GError **error)
{
	json_int_t schema = json_integer_value(json_object_get(document, "schema"));
	struct blacklist_twin twin = { 0 };
	json_t *row;
	size_t i;

	if (!json_is_array(json_object_get(document, "hazards")) ||
	    !json_is_array(json_object_get(document, "measured")))
		return lab_fail(error, LAB_ERROR_INPUT,
				"no JSON twin of a blacklist\n"
				"hint: 'klab blacklist generate' writes one");
	if (schema != BLACKLIST_SCHEMA)
		return lab_fail(error, LAB_ERROR_INPUT,
				"schema %d, this klab reads schema %d\n"
				"hint: generate it again from its evidence",
				(int)schema, BLACKLIST_SCHEMA);
	if (!read_hazards(document, &twin.hazards, error))
		return false;
	twin.measured = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	json_array_foreach (json_object_get(document, "measured"), i, row)
		if (*text_of(row, "op") && *text_of(row, "release"))
			g_ptr_array_add(twin.measured, read_measured(row));
	twin.known = know_new(twin.hazards, twin.measured);
	*ret = twin;
	return true;
}
