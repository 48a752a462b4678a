// SPDX-License-Identifier: GPL-2.0-or-later
/* Read the probes' records; they come from our own build, but are checked like any input. */
#include "conf/probes.h"

#include "conf/suggest.h"

#include <fnmatch.h>
#include <string.h>

static void knob_free(gpointer data)
{
	struct probe_knob *knob = data;

	g_free(knob->name);
	g_free(knob->summary);
	g_free(knob);
}

void probe_info_free(struct probe_info *p)
{
	if (!p)
		return;
	g_free(p->name);
	g_free(p->summary);
	g_strfreev(p->hazards);
	g_strfreev(p->kconfig);
	g_strfreev(p->amplify);
	g_strfreev(p->counters);
	if (p->knobs)
		g_ptr_array_free(p->knobs, TRUE);
	g_free(p);
}

static void free_one(gpointer data)
{
	probe_info_free(data);
}

static char **get_list(const json_t *json, const char *key)
{
	GStrvBuilder *b = g_strv_builder_new();
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json, key), i, item)
		if (json_is_string(item))
			g_strv_builder_add(b, json_string_value(item));
	char **list = g_strv_builder_end(b);

	g_strv_builder_unref(b);
	return list;
}

static unsigned get_unsigned(const json_t *json, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(json, key));

	return n < 0 || n > 1000000 ? 0 : n;
}

static GPtrArray *get_knobs(const json_t *json)
{
	GPtrArray *knobs = g_ptr_array_new_with_free_func(knob_free);
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json, "params"), i, item) {
		struct probe_knob *knob = g_new0(struct probe_knob, 1);

		knob->name = g_strdup(json_string_value(json_object_get(item, "name")) ?: "");
		knob->summary = g_strdup(json_string_value(json_object_get(item, "summary")) ?: "");
		knob->min = get_unsigned(item, "min");
		knob->max = get_unsigned(item, "max");
		g_ptr_array_add(knobs, knob);
	}
	return knobs;
}

static struct probe_info *parse_one(const json_t *json)
{
	struct probe_info *p = g_new0(struct probe_info, 1);

	p->name = g_strdup(json_string_value(json_object_get(json, "name")));
	p->summary = g_strdup(json_string_value(json_object_get(json, "summary")) ?: "");
	p->hazards = get_list(json, "hazards");
	p->kconfig = get_list(json, "kconfig");
	p->amplify = get_list(json, "amplify");
	p->counters = get_list(json, "counters");
	p->knobs = get_knobs(json);
	p->min_cpus = MAX(get_unsigned(json, "min_cpus"), 1);
	p->duration_s = MAX(get_unsigned(json, "duration_s"), 1);
	p->needs_nmi = json_is_true(json_object_get(json, "needs_nmi"));
	p->nmi_hz = get_unsigned(json, "nmi_hz");
	p->proves_engine = json_is_true(json_object_get(json, "proves_engine"));
	p->by_name = json_is_true(json_object_get(json, "by_name"));
	return p;
}

bool probes_parse(const char *text, size_t len, GPtrArray **ret, GError **error)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, 0, &why), *item;
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_one);
	bool ok = json_is_array(json);
	size_t i;

	if (!ok)
		lab_fail(error, LAB_ERROR_INPUT, "probe records: %s", json ? "no array" : why.text);
	json_array_foreach(json, i, item) {
		struct probe_info *p = parse_one(item);

		g_ptr_array_add(list, p);
		if (!p->name)
			ok = lab_fail(error, LAB_ERROR_INPUT, "probe records: entry %zu has no name",
				      i);
	}
	json_decref(json);
	if (ok)
		*ret = g_steal_pointer(&list);
	return ok;
}

static bool select_glob(GPtrArray *all, const char *glob, GPtrArray *into)
{
	bool found = false;

	for (guint i = 0; i < all->len; i++) {
		struct probe_info *p = all->pdata[i];

		if (fnmatch(glob, p->name, 0))
			continue;
		found = true;
		if (!g_ptr_array_find(into, p, NULL))
			g_ptr_array_add(into, p);
	}
	return found;
}

static void select_default(GPtrArray *all, GPtrArray *into)
{
	for (guint i = 0; i < all->len; i++)
		if (!((struct probe_info *)all->pdata[i])->by_name)
			g_ptr_array_add(into, all->pdata[i]);
}

bool probes_select(GPtrArray *all, const char *const *globs, GPtrArray **ret, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	if (!globs || !*globs)
		select_default(all, list);
	for (; globs && *globs; globs++)
		if (!select_glob(all, *globs, list))
			return lab_fail(error, LAB_ERROR_USAGE,
					"no probe matches '%s'\nhint: 'klab probes' lists them", *globs);
	*ret = g_steal_pointer(&list);
	return true;
}

/* --- parameters ------------------------------------------------------------------------------- */

/* "; did you mean 'X'?" among the names of probes, or of one probe's parameters. Caller frees. */
static char *nearest_probe(GPtrArray *all, const char *typed)
{
	g_autofree const char **names = g_new0(const char *, all->len + 1);

	for (guint i = 0; i < all->len; i++)
		names[i] = ((struct probe_info *)all->pdata[i])->name;
	return suggest_phrase(typed, names);
}

static bool no_such_knob(const struct probe_info *p, const char *name, GError **error)
{
	g_autofree const char **names = g_new0(const char *, p->knobs->len + 1);
	g_autofree char *near = NULL, *list = NULL;

	for (guint i = 0; i < p->knobs->len; i++)
		names[i] = ((struct probe_knob *)p->knobs->pdata[i])->name;
	near = suggest_phrase(name, names);
	list = g_strjoinv(", ", (char **)names);
	return lab_fail(error, LAB_ERROR_USAGE, "probe '%s' has no parameter '%s'%s\nhint: it has %s",
			p->name, name, near, *list ? list : "none");
}

static const struct probe_info *find_probe(GPtrArray *all, const char *name)
{
	for (guint i = 0; i < all->len; i++)
		if (strcmp(((struct probe_info *)all->pdata[i])->name, name) == 0)
			return all->pdata[i];
	return NULL;
}

static const struct probe_knob *find_knob(const struct probe_info *p, const char *name)
{
	for (guint i = 0; i < p->knobs->len; i++)
		if (strcmp(((struct probe_knob *)p->knobs->pdata[i])->name, name) == 0)
			return p->knobs->pdata[i];
	return NULL;
}

/* The three parts of "PROBE.NAME=VALUE", each of them some bytes. */
static bool split_param(const char *text, char **probe, char **name, char **value, GError **error)
{
	const char *dot = strchr(text, '.'), *equals = dot ? strchr(dot, '=') : NULL;

	if (!equals || dot == text || equals == dot + 1 || !equals[1])
		return lab_fail(error, LAB_ERROR_USAGE, "'%s' is no PROBE.NAME=VALUE\n"
				"hint: 'klab probes' lists the parameters", text);
	*probe = g_strndup(text, dot - text);
	*name = g_strndup(dot + 1, equals - dot - 1);
	*value = g_strdup(equals + 1);
	return true;
}

static bool param_parse(GPtrArray *all, const char *text, json_t *into, GError **error)
{
	g_autofree char *probe = NULL, *name = NULL, *value = NULL;
	const struct probe_info *p;
	const struct probe_knob *knob;
	json_t *of_probe;
	guint64 n;

	if (!split_param(text, &probe, &name, &value, error))
		return false;
	p = find_probe(all, probe);
	if (!p) {
		g_autofree char *near = nearest_probe(all, probe);

		return lab_fail(error, LAB_ERROR_USAGE, "no probe '%s'%s", probe, near);
	}
	knob = find_knob(p, name);
	if (!knob)
		return no_such_knob(p, name, error);
	if (!g_ascii_string_to_unsigned(value, 10, knob->min, knob->max, &n, NULL))
		return lab_fail(error, LAB_ERROR_USAGE, "%s.%s is '%s', wants %u..%u", probe, name,
				value, knob->min, knob->max);
	of_probe = json_object_get(into, probe);
	if (!of_probe) {
		of_probe = json_object();
		json_object_set_new(into, probe, of_probe);
	}
	json_object_set_new(of_probe, name, json_integer(n));
	return true;
}

bool probes_params_parse(GPtrArray *all, const char *const *texts, json_t **ret, GError **error)
{
	json_t *params = json_object();

	for (; texts && *texts; texts++) {
		if (param_parse(all, *texts, params, error))
			continue;
		json_decref(params);
		return false;
	}
	*ret = params;
	return true;
}
