// SPDX-License-Identifier: GPL-2.0-or-later
/* What the last sync of a watch saw, as JSON: by when each build was seen first. See sync.h. */
#include "kernel/sync.h"

#include <jansson.h>

#define SCHEMA 1
#define TEXT_MAX 600 /* a name, a blank, a version */

static bool is_time(const json_t *value)
{
	const char *text = json_string_value(value);
	g_autoptr(GDateTime) time = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	return time && strlen(text) < 40;
}

static bool is_text(const char *text)
{
	return text && *text && strlen(text) <= TEXT_MAX && g_utf8_validate(text, -1, NULL);
}

static bool take_builds(struct sync_watch *watch, json_t *builds)
{
	const char *key;
	json_t *value;

	if (!json_is_object(builds) || json_object_size(builds) > SYNC_PACKAGES_MAX)
		return false;
	json_object_foreach (builds, key, value) {
		if (!is_text(key) || !is_time(value))
			return false;
		g_hash_table_insert(watch->known, g_strdup(key),
				    g_strdup(json_string_value(value)));
	}
	return true;
}

static bool take_places(struct sync_watch *watch, json_t *places)
{
	json_t *place;
	size_t i;

	if (!json_is_array(places) || json_array_size(places) > 1000)
		return false;
	json_array_foreach (places, i, place) {
		if (!json_is_string(place))
			return false;
		g_hash_table_add(watch->places, g_strdup(json_string_value(place)));
	}
	return true;
}

static bool take(struct sync_watch *watch, json_t *root)
{
	json_t *synced = json_object_get(root, "synced");

	if (json_integer_value(json_object_get(root, "schema")) != SCHEMA || !is_time(synced) ||
	    !take_builds(watch, json_object_get(root, "builds")) ||
	    !take_places(watch, json_object_get(root, "indexes"))) {
		g_hash_table_remove_all(watch->known);
		g_hash_table_remove_all(watch->places);
		return false;
	}
	watch->since = g_strdup(json_string_value(synced));
	return true;
}

bool sync_state_parse(struct sync_watch *watch, const char *text, size_t len, GError **error)
{
	json_error_t trouble;
	json_auto_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &trouble);

	if (!root)
		return lab_fail(error, LAB_ERROR_INPUT, "line %d: %s", trouble.line, trouble.text);
	return take(watch, root) ||
	       lab_fail(error, LAB_ERROR_INPUT, "it holds something else than builds and times");
}

char *sync_state_text(const struct sync_watch *watch, const char *now)
{
	json_auto_t *builds = json_object(), *places = json_array(), *root = NULL;
	GHashTableIter iter;
	gpointer key, value;
	char *text;

	g_hash_table_iter_init(&iter, watch->known);
	while (g_hash_table_iter_next(&iter, &key, &value))
		json_object_set_new(builds, key, json_string(value));
	g_hash_table_iter_init(&iter, watch->places);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		json_array_append_new(places, json_string(key));
	root = json_pack("{s:i s:s s:s s:O s:O}", "schema", SCHEMA, "watch", watch->name, "synced",
			 now, "indexes", places, "builds", builds);
	text = root ? json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	return text ? text : g_strdup("");
}
