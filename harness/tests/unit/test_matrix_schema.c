// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of kernels.yaml's keys says the same everywhere: schema, manual, parser. */
#include "conf/matrix.h"
#include "conf/matrix_keys.h"
#include "conf/matrix_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void manual_has_the_table(void **state)
{
	g_autofree char *manual = NULL, *table = matrix_schema_markdown();

	assert_true(g_file_get_contents(SOURCE_DIR "/docs/kernels.md", &manual, NULL, NULL));
	if (!strstr(manual, table))
		fail_msg("docs/kernels.md lacks what `klab schema --markdown` prints:\n%s", table);
}

static void text_tells_every_key(void **state)
{
	g_autofree char *text = matrix_schema_text();
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (!g_strv_contains((const char *const *)lines, matrix_keys[i].name))
			fail_msg("'%s' is missing", matrix_keys[i].name);
}

static json_t *at(json_t *schema, const char *definition, const char *key)
{
	json_t *map = json_object_get(json_object_get(schema, "$defs"), definition);

	return json_object_get(json_object_get(map, "properties"), key);
}

static void schema_has_every_key_where_it_may_stand(void **state)
{
	static const struct {
		const char *definition;
		unsigned at;
	} places[] = { { "kernel", MATRIX_AT_KERNEL },
		       { "family", MATRIX_AT_FAMILY },
		       { "member", MATRIX_AT_MEMBER },
		       { "defaults", MATRIX_AT_DEFAULTS } };
	json_t *schema = matrix_schema_json();

	assert_non_null(schema);
	for (unsigned i = 0; i < matrix_n_keys; i++) {
		for (unsigned j = 0; j < G_N_ELEMENTS(places); j++) {
			json_t *key = at(schema, places[j].definition, matrix_keys[i].name);

			assert_int_equal(key != NULL, (matrix_keys[i].at & places[j].at) != 0);
			if (key)
				assert_string_equal(
					json_string_value(json_object_get(key, "description")),
					matrix_keys[i].doc);
		}
	}
	json_decref(schema);
}

/* A value that each key takes; all keys of a source together make a kernel that is accepted. */
static const char *sample(const struct matrix_key *key)
{
	switch (key->type) {
	case MATRIX_SHA256:
		return "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	case MATRIX_ENUM:
		return matrix_key_values(key)[0];
	case MATRIX_BOOL:
		return "no";
	default:
		return "a1";
	}
}

static bool accepted(unsigned source, unsigned with, GError **error)
{
	const struct matrix_key *key = &matrix_keys[with];
	g_autoptr(GString) text = g_string_new("kernels:\n  - id: a\n");
	g_autoptr(matrix) m = NULL;

	g_string_append_printf(text, "    source: %s\n", matrix_source_names[source]);
	if (strcmp(key->name, "id") && strcmp(key->name, "source"))
		g_string_append_printf(text, "    %s: %s\n", key->name, sample(key));
	return matrix_parse("t", text->str, text->len, &m, error);
}

/* Each key with each source: "no meaning" exactly where the table says so. */
static void parser_obeys_the_table(void **state)
{
	for (unsigned source = 0; source < MATRIX_SOURCES; source++) {
		for (unsigned i = 0; i < matrix_n_keys; i++) {
			const struct matrix_key *key = &matrix_keys[i];
			g_autofree char *line = g_strdup_printf("'%s' has no meaning", key->name);
			g_autoptr(GError) error = NULL;
			bool fits = key->at & MATRIX_AT_KERNEL && key->sources & 1u << source;
			bool told = !accepted(source, i, &error) && strstr(error->message, line);

			if (fits == told)
				fail_msg("%s, %s: %s", matrix_source_names[source], key->name,
					 error ? error->message : "accepted");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manual_has_the_table),
		cmocka_unit_test(text_tells_every_key),
		cmocka_unit_test(schema_has_every_key_where_it_may_stand),
		cmocka_unit_test(parser_obeys_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
