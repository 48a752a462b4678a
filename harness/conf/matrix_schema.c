// SPDX-License-Identifier: GPL-2.0-or-later
/* matrix_keys[] as JSON Schema, Markdown and text. See matrix_schema.h. */
#include "conf/matrix_schema.h"

#include "conf/hosts.h"
#include "conf/matrix_keys.h"

#include <glib.h>
#include <string.h>

#define ALL_SOURCES ((1u << MATRIX_SOURCES) - 1)

/* ---- JSON Schema ---- */

static json_t *strings(const char *const *list)
{
	json_t *array = json_array();

	for (; *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *pattern(const char *regex)
{
	return json_pack("{s:s s:s}", "type", "string", "pattern", regex);
}

/* A character class wants '-' at its end and no bare '^' at its beginning. */
static json_t *word_schema(const struct matrix_key *key)
{
	g_autoptr(GString) class = g_string_new("A-Za-z0-9");
	g_autofree char *regex = NULL;

	for (const char *at = key->more; at && *at; at++)
		if (*at != '-')
			g_string_append_printf(class, "%s%c", *at == '^' ? "\\" : "", *at);
	if (key->more && strchr(key->more, '-'))
		g_string_append_c(class, '-');
	/* In a family a word may hold {version} and the like. */
	regex = g_strdup_printf("^([A-Za-z0-9]|\\{[a-z]+\\})([%s]|\\{[a-z]+\\})*$", class->str);
	return pattern(regex);
}

static json_t *one_or_list(json_t *item)
{
	json_t *both =
		json_pack("{s:[O, {s:s s:O}]}", "anyOf", item, "type", "array", "items", item);

	json_decref(item);
	return both;
}

static json_t *members_schema(const char *value)
{
	json_t *member = json_pack("{s:[{s:[s,s]}, {s:s}]}", "anyOf", "type", "string", "number",
				   "$ref", "#/$defs/member");
	json_t *range =
		json_pack("{s:s s:[s,s] s:b s:{s:{} s:{}}}", "type", "object", "required", "from",
			  "to", "additionalProperties", 0, "properties", "from", "to");
	json_t *all = json_pack("{s:[O, {s:s s:{s:[O, O]}}, {s:s s:O}]}", "anyOf", range, "type",
				"array", "items", "anyOf", member, range, "type", "object",
				"additionalProperties", member);

	json_decref(member);
	json_decref(range);
	(void)value;
	return all;
}

static json_t *type_schema(const struct matrix_key *key)
{
	switch (key->type) {
	case MATRIX_WORD:
		return word_schema(key);
	case MATRIX_WORDS:
	case MATRIX_JOINED:
		return one_or_list(word_schema(key));
	case MATRIX_PATHS:
		return one_or_list(pattern("^[^-]"));
	case MATRIX_URL:
		return pattern("^(https?://|[^-:][^:]*$)");
	case MATRIX_SHA256:
		return pattern("^[0-9A-Fa-f]{64}$");
	case MATRIX_BOOL:
		return json_pack("{s:[b, b, s, s]}", "enum", 1, 0, "yes", "no");
	case MATRIX_ENUM:
		return json_pack("{s:o}", "enum", strings(matrix_key_values(key)));
	case MATRIX_MEMBERS:
		return members_schema(key->name);
	case MATRIX_TEXT:
	case MATRIX_PATH:
		break;
	}
	return pattern("^[^-]");
}

/* Versions like 6.1 are numbers to YAML, and read as they stand. */
static json_t *key_schema(const struct matrix_key *key)
{
	json_t *schema = type_schema(key);

	if (!strcmp(key->name, "version"))
		schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "number");
	json_object_set_new(schema, "description", json_string(key->doc));
	return schema;
}

/* "With this source, only these keys", for an editor's squiggles and completion. */
static json_t *source_rule(unsigned source, unsigned at)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (matrix_keys[i].at & at && matrix_keys[i].sources & 1u << source)
			g_ptr_array_add(names, (char *)matrix_keys[i].name);
	g_ptr_array_add(names, NULL);
	return json_pack("{s:{s:{s:{s:s}} s:[s]} s:{s:{s:o}}}", "if", "properties", "source",
			 "const", matrix_source_names[source], "required", "source", "then",
			 "propertyNames", "enum", strings((const char *const *)names->pdata));
}

/* What may not stand together: suite with suites, url with repo, keyring with sha256 ... */
static void add_group_rules(json_t *rules, unsigned at)
{
	for (unsigned i = 0; i < matrix_n_keys; i++)
		for (unsigned j = i + 1; j < matrix_n_keys; j++)
			if (matrix_keys[i].group && matrix_keys[i].group == matrix_keys[j].group &&
			    matrix_keys[i].at & matrix_keys[j].at & at)
				json_array_append_new(
					rules, json_pack("{s:{s:[s,s]}}", "not", "required",
							 matrix_keys[i].name, matrix_keys[j].name));
}

static json_t *map_schema(unsigned at, const char *description)
{
	json_t *properties = json_object(), *rules = json_array();

	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (matrix_keys[i].at & at)
			json_object_set_new(properties, matrix_keys[i].name,
					    key_schema(&matrix_keys[i]));
	for (unsigned i = 0; i < MATRIX_SOURCES && !(at & MATRIX_AT_MEMBER); i++)
		json_array_append_new(rules, source_rule(i, at));
	add_group_rules(rules, at);
	return json_pack("{s:s s:s s:o s:b s:o}", "type", "object", "description", description,
			 "properties", properties, "additionalProperties", 0, "allOf", rules);
}

static void require(json_t *map, const char *key)
{
	json_object_set_new(map, "required", json_pack("[s]", key));
}

static json_t *definitions(void)
{
	json_t *kernel = map_schema(MATRIX_AT_KERNEL, "one kernel");
	json_t *family = map_schema(MATRIX_AT_FAMILY, "many kernels that differ in version or ref");

	require(kernel, "id");
	require(family, "id");
	json_object_set_new(
		family, "oneOf",
		json_pack("[{s:[s]}, {s:[s]}]", "required", "versions", "required", "refs"));
	return json_pack("{s:o s:o s:o s:o s:o}", "host", hosts_schema_json(), "defaults",
			 map_schema(MATRIX_AT_DEFAULTS, "for kernels of that source"), "kernel",
			 kernel, "family", family, "member",
			 map_schema(MATRIX_AT_MEMBER, "one of a family"));
}

static json_t *list_of(const char *definition, const char *description)
{
	g_autofree char *ref = g_strconcat("#/$defs/", definition, NULL);

	return json_pack("{s:s s:{s:s} s:s}", "type", "array", "items", "$ref", ref, "description",
			 description);
}

json_t *matrix_schema_json(void)
{
	json_t *properties = json_pack(
		"{s:o s:{s:s} s:o s:o s:{s:s s:{s:s} s:b s:s}}", "hosts",
		list_of("host", "names for --connect"), "defaults", "$ref", "#/$defs/defaults",
		"kernels", list_of("kernel", "single kernels"), "families",
		list_of("family", "entries that stand for many kernels"), "default", "type",
		"array", "items", "type", "string", "uniqueItems", 1, "description",
		"ids of the kernels that commands take when none is named");

	return json_pack("{s:s s:s s:s s:s s:b s:o s:[{s:[s]}, {s:[s]}, {s:[s]}] s:o}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "title", "kernels.yaml",
			 "description", "The kernels that klab knows", "type", "object",
			 "additionalProperties", 0, "properties", properties, "anyOf", "required",
			 "kernels", "required", "families", "required", "hosts", "$defs",
			 definitions());
}

/* ---- for people ---- */

static char *source_list(unsigned sources)
{
	g_autoptr(GString) list = g_string_new(NULL);

	if (sources == ALL_SOURCES)
		return g_strdup("all");
	for (unsigned i = 0; i < MATRIX_SOURCES; i++)
		if (sources & 1u << i)
			g_string_append_printf(list, "%s%s", list->len ? ", " : "",
					       matrix_source_names[i]);
	return g_string_free(g_steal_pointer(&list), FALSE);
}

/* Where it may stand: k(ernel), m(ember), f(amily), d(efaults). */
static char *place_list(unsigned at)
{
	static const char *const names[] = { "defaults", "family", "member", "kernel" };
	g_autoptr(GString) list = g_string_new(NULL);

	for (int i = G_N_ELEMENTS(names) - 1; i >= 0; i--)
		if (at & 1u << i)
			g_string_append_printf(list, "%s%s", list->len ? ", " : "", names[i]);
	return g_string_free(g_steal_pointer(&list), FALSE);
}

static char *type_text(const struct matrix_key *key)
{
	g_autofree char *values = NULL;

	if (key->type != MATRIX_ENUM)
		return g_strdup(matrix_type_name(key->type));
	values = g_strjoinv("`, `", (char **)matrix_key_values(key));
	return g_strdup_printf("`%s`", values);
}

char *matrix_schema_markdown(void)
{
	g_autoptr(GString) out = g_string_new("| key | is | sources | stands in | means |\n"
					      "|---|---|---|---|---|\n");

	for (unsigned i = 0; i < matrix_n_keys; i++) {
		const struct matrix_key *key = &matrix_keys[i];
		g_autofree char *sources = source_list(key->sources), *at = place_list(key->at);
		g_autofree char *type = type_text(key);

		g_string_append_printf(out, "| `%s` | %s | %s | %s | %s |\n", key->name, type,
				       sources, at, key->doc);
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *matrix_schema_text(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (unsigned i = 0; i < matrix_n_keys; i++) {
		const struct matrix_key *key = &matrix_keys[i];
		g_autofree char *sources = source_list(key->sources), *at = place_list(key->at);
		g_autofree char *type = type_text(key), *bare = NULL, *doc = NULL;

		g_strdelimit(type, "`", ' ');
		doc = g_strdelimit(g_strdup(key->doc), "`", '\'');
		g_string_append_printf(out, "%s%s\n  %s\n  %-9s %s\n  %-9s %s\n  %-9s %s\n",
				       i ? "\n" : "", key->name, doc, "is", g_strstrip(type),
				       "sources", sources, "stands in", at);
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}
