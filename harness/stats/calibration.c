// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of calibrated rates and its JSON. Reads what people may have edited: every field is
 * checked, and a rate is recomputed from its counts rather than believed.
 */
#include "stats/calibration.h"

#include "stats/rate.h"

#include <jansson.h>
#include <math.h>

#define STRING_MAX 256
#define SMP_MAX 4096
#define RUNS_MAX 1000000

void calibration_entry_free(struct calibration_entry *entry)
{
	if (!entry)
		return;
	g_free(entry->probe);
	g_free(entry->hazard);
	g_free(entry->engine);
	g_free(entry->accel);
	g_free(entry->amplify);
	g_free(entry->rung);
	g_free(entry->kernel_sha256);
	g_free(entry);
}

struct calibration_entry *calibration_entry_copy(const struct calibration_entry *entry)
{
	struct calibration_entry *copy = g_memdup2(entry, sizeof(*entry));

	copy->probe = g_strdup(entry->probe);
	copy->hazard = g_strdup(entry->hazard);
	copy->engine = g_strdup(entry->engine);
	copy->accel = g_strdup(entry->accel);
	copy->amplify = g_strdup(entry->amplify);
	copy->rung = g_strdup(entry->rung);
	copy->kernel_sha256 = g_strdup(entry->kernel_sha256);
	return copy;
}

struct calibration *calibration_new(void)
{
	struct calibration *c = g_new0(struct calibration, 1);

	c->entries = g_ptr_array_new_with_free_func((GDestroyNotify)calibration_entry_free);
	return c;
}

void calibration_free(struct calibration *c)
{
	if (!c)
		return;
	g_ptr_array_unref(c->entries);
	g_free(c);
}

unsigned calibration_smp_class(unsigned smp)
{
	unsigned class = smp ? 1 : 0;

	while (class && class <= smp / 2)
		class *= 2;
	return class;
}

bool calibration_same_engine(const char *a, const char *b)
{
	size_t len = strspn(a, "0123456789");

	return len > 0 && len == strspn(b, "0123456789") && !strncmp(a, b, len);
}

bool calibration_same_rung(const char *a, const char *b)
{
	size_t len = a ? strcspn(a, "+") : 0;

	return !a || !b || (len == strcspn(b, "+") && !strncmp(a, b, len));
}

static bool same_conditions(const struct calibration_entry *entry,
			    const struct calibration_key *key)
{
	return !strcmp(entry->probe, key->probe) && !strcmp(entry->accel, key->accel) &&
	       !strcmp(entry->amplify, key->amplify) &&
	       calibration_smp_class(entry->smp) == calibration_smp_class(key->smp) &&
	       calibration_same_engine(entry->engine, key->engine);
}

void calibration_put(struct calibration *c, const struct calibration_entry *entry)
{
	struct calibration_key key = {
		.probe = entry->probe,
		.engine = entry->engine,
		.accel = entry->accel,
		.amplify = entry->amplify,
		.smp = entry->smp,
	};
	struct calibration_entry *copy = calibration_entry_copy(entry);

	for (unsigned i = c->entries->len; i-- > 0;) {
		const struct calibration_entry *old = c->entries->pdata[i];

		if (same_conditions(old, &key) && !strcmp(old->hazard, entry->hazard))
			g_ptr_array_remove_index(c->entries, i);
	}
	g_ptr_array_add(c->entries, copy);
}

void calibration_overlay(struct calibration *c, const struct calibration *over)
{
	for (unsigned i = 0; i < over->entries->len; i++)
		calibration_put(c, over->entries->pdata[i]);
}

const struct calibration_entry *calibration_find(const struct calibration *c,
						 const struct calibration_key *key)
{
	const struct calibration_entry *found = NULL;

	for (unsigned i = 0; i < c->entries->len; i++) {
		const struct calibration_entry *entry = c->entries->pdata[i];

		if (!same_conditions(entry, key))
			continue;
		if (!(entry->rate_lower > 0))
			return NULL;
		if (!found || entry->rate_lower < found->rate_lower)
			found = entry;
	}
	return found;
}

static bool get_string(json_t *object, const char *name, char **ret, GError **error)
{
	const char *value = json_string_value(json_object_get(object, name));

	if (!value || !*value || strlen(value) > STRING_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is not a string of 1 to %d bytes",
				name, STRING_MAX);
	*ret = g_strdup(value);
	return true;
}

static bool get_count(json_t *object, const char *name, json_int_t min, json_int_t max,
		      unsigned *ret, GError **error)
{
	json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is not an integer from %d to %d",
				name, (int)min, (int)max);
	*ret = json_integer_value(value);
	return true;
}

static bool get_exposure(json_t *object, double *ret, GError **error)
{
	double value = json_number_value(json_object_get(object, "exposure"));

	if (!json_is_number(json_object_get(object, "exposure")) || !isfinite(value) || value < 0)
		return lab_fail(error, LAB_ERROR_INPUT, "'exposure' is not a number of 0 or more");
	*ret = value;
	return true;
}

static bool get_when(json_t *object, int64_t *ret, GError **error)
{
	const char *text = json_string_value(json_object_get(object, "when"));
	g_autoptr(GDateTime) when = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	if (!when)
		return lab_fail(error, LAB_ERROR_INPUT,
				"'when' is not a time such as "
				"'2026-01-02T03:04:05Z'");
	*ret = g_date_time_to_unix(when);
	return true;
}

static bool entry_fill(json_t *object, struct calibration_entry *entry, GError **error)
{
	if (!get_string(object, "probe", &entry->probe, error) ||
	    !get_string(object, "hazard", &entry->hazard, error) ||
	    !get_string(object, "engine", &entry->engine, error) ||
	    !get_string(object, "accel", &entry->accel, error) ||
	    !get_string(object, "amplify", &entry->amplify, error) ||
	    (json_object_get(object, "rung") &&
	     !get_string(object, "rung", &entry->rung, error)) ||
	    !get_string(object, "kernel", &entry->kernel_sha256, error) ||
	    !get_count(object, "smp", 1, SMP_MAX, &entry->smp, error) ||
	    !get_count(object, "runs", 1, RUNS_MAX, &entry->runs, error) ||
	    !get_count(object, "failures", 0, entry->runs, &entry->failures, error) ||
	    !get_exposure(object, &entry->exposure, error) ||
	    !get_when(object, &entry->when_s, error))
		return false;
	entry->rate_lower = rate_lower(entry->failures, entry->exposure, CALIBRATION_CONFIDENCE);
	return true;
}

static bool entries_fill(json_t *array, bool shipped, struct calibration *c, GError **error)
{
	if (!json_is_array(array) || json_array_size(array) > CALIBRATION_ENTRIES_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "'entries' is not an array of at most %d",
				CALIBRATION_ENTRIES_MAX);
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct calibration_entry *entry = g_new0(struct calibration_entry, 1);
		bool ok = entry_fill(json_array_get(array, i), entry, error);

		entry->shipped = shipped;
		if (ok)
			calibration_put(c, entry);
		calibration_entry_free(entry);
		if (!ok)
			return lab_prefix(error, "entry %zu", i + 1);
	}
	return true;
}

bool calibration_parse(const char *text, size_t len, bool shipped, struct calibration **ret,
		       GError **error)
{
	g_autoptr(calibration) c = calibration_new();
	json_error_t why;
	json_t *root;
	bool ok;

	if (len > CALIBRATION_TEXT_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "%zu bytes are more than the limit of %u",
				len, CALIBRATION_TEXT_MAX);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return lab_fail(error, LAB_ERROR_INPUT, "line %d: %s", why.line, why.text);
	if (json_integer_value(json_object_get(root, "schema")) != CALIBRATION_SCHEMA)
		ok = lab_fail(error, LAB_ERROR_INPUT, "'schema' is not %d", CALIBRATION_SCHEMA);
	else
		ok = entries_fill(json_object_get(root, "entries"), shipped, c, error);
	json_decref(root);
	if (ok)
		*ret = g_steal_pointer(&c);
	return ok;
}

static int entry_compare(gconstpointer pa, gconstpointer pb)
{
	const struct calibration_entry *a = *(struct calibration_entry *const *)pa;
	const struct calibration_entry *b = *(struct calibration_entry *const *)pb;
	int order = strcmp(a->probe, b->probe);

	order = order ? order : strcmp(a->hazard, b->hazard);
	order = order ? order : strcmp(a->accel, b->accel);
	order = order ? order : strcmp(a->engine, b->engine);
	order = order ? order : strcmp(a->amplify, b->amplify);
	return order ? order : (a->smp > b->smp) - (a->smp < b->smp);
}

static json_t *entry_to_json(const struct calibration_entry *entry)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(entry->when_s);
	g_autofree char *text = when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%SZ") : NULL;

	return json_pack("{ss ss ss ss ss ss* si si si sf sf ss ss}", "probe", entry->probe, "hazard",
			 entry->hazard, "engine", entry->engine, "accel", entry->accel, "amplify",
			 entry->amplify, "rung", entry->rung, "smp", (int)entry->smp, "runs", (int)entry->runs,
			 "failures", (int)entry->failures, "exposure", entry->exposure,
			 "rate_lower", entry->rate_lower, "kernel", entry->kernel_sha256, "when",
			 text ? text : "1970-01-01T00:00:00Z");
}

char *calibration_print(const struct calibration *c)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_copy(c->entries, NULL, NULL);
	json_t *entries = json_array(), *root;
	g_autofree char *text = NULL;
	char *line;

	/* The copy borrows the entries. */
	g_ptr_array_set_free_func(sorted, NULL);
	g_ptr_array_sort(sorted, entry_compare);
	for (unsigned i = 0; i < sorted->len; i++)
		json_array_append_new(entries, entry_to_json(sorted->pdata[i]));
	root = json_pack("{si so}", "schema", CALIBRATION_SCHEMA, "entries", entries);
	text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	json_decref(root);
	line = g_strdup_printf("%s\n", text);
	return line;
}
