// SPDX-License-Identifier: GPL-2.0-or-later
/* Read the probes' records; they come from our own build, but are checked like any input. */
#include "conf/probes.h"

#include <fnmatch.h>
#include <jansson.h>

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

static struct probe_info *parse_one(const json_t *json)
{
	struct probe_info *p = g_new0(struct probe_info, 1);

	p->name = g_strdup(json_string_value(json_object_get(json, "name")));
	p->summary = g_strdup(json_string_value(json_object_get(json, "summary")) ?: "");
	p->hazards = get_list(json, "hazards");
	p->kconfig = get_list(json, "kconfig");
	p->amplify = get_list(json, "amplify");
	p->counters = get_list(json, "counters");
	p->min_cpus = MAX(get_unsigned(json, "min_cpus"), 1);
	p->duration_s = MAX(get_unsigned(json, "duration_s"), 1);
	p->needs_nmi = json_is_true(json_object_get(json, "needs_nmi"));
	p->nmi_hz = get_unsigned(json, "nmi_hz");
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

bool probes_select(GPtrArray *all, const char *const *globs, GPtrArray **ret, GError **error)
{
	static const char *const everything[] = { "*", NULL };
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (globs = globs && *globs ? globs : everything; *globs; globs++)
		if (!select_glob(all, *globs, list))
			return lab_fail(error, LAB_ERROR_USAGE,
					"no probe matches '%s'\nhint: 'klab probes' lists them", *globs);
	*ret = g_steal_pointer(&list);
	return true;
}
