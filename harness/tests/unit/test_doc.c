// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors in YAML files: the line that they speak of and the caret below its column. */
#include "conf/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What the user reads on the value of the last key of a map. */
static char *complain(const char *text, size_t len)
{
	g_autoptr(doc_errors) errors = doc_errors_new("d");
	g_autoptr(doc_node) root = doc_parse(text, len, errors);
	g_autoptr(GError) error = NULL;

	if (root)
		doc_error(g_ptr_array_index(root->children, root->children->len - 1), errors, "no");
	assert_false(doc_errors_report(errors, &error));
	return g_strdup(error->message);
}

static void carets_stand_below_their_column(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "a: 1", "d:1:4: no\n    1 | a: 1\n      |    ^" },
		{ "a: 1\r\nb: 2\r\n", "d:2:4: no\n    2 | b: 2\n      |    ^" },
		{ "a: 1\rb: 2\r", "d:2:4: no\n    2 | b: 2\n      |    ^" },
		{ "a: 1 # \xc2\x85"
		  "b: 2",
		  "d:2:4: no\n    2 | b: 2\n      |    ^" },
		{ "# \xe2\x80\xa8"
		  "b: 2",
		  "d:2:4: no\n    2 | b: 2\n      |    ^" },
		{ "\xc3\xa4: 1", "d:1:4: no\n    1 | \xc3\xa4: 1\n      |    ^" },
		/* twice as wide on a terminal */
		{ "\xe4\xb8\xad: 1", "d:1:4: no\n    1 | \xe4\xb8\xad: 1\n      |     ^" },
		{ "a:\t1", "d:1:4: no\n    1 | a: 1\n      |    ^" },
		/* zero width joiner, right-to-left override */
		{ "a: '\xe2\x80\x8d\xe2\x80\xae' #", "d:1:4: no\n    1 | a: '?"
						     "?' #\n      |    ^" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *message = complain(rows[i].text, strlen(rows[i].text));

		if (strcmp(message, rows[i].message))
			fail_msg("row %u: %s", i, message);
	}
}

/* Bytes that are no text reach no terminal, wherever the YAML parser gave up. */
static void broken_bytes_are_not_shown(void **state)
{
	static const char *const texts[] = { "a: \x1b[31m", "a: \xff\xfe", "b: 1\na: \x1b]0;x\x07",
					     "\xc3", "a: \xf0\x9f" };

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *message = complain(texts[i], strlen(texts[i]));

		assert_null(strchr(message, '\x1b'));
		assert_true(g_utf8_validate(message, -1, NULL));
	}
}

static void long_lines_are_cut_around_the_column(void **state)
{
	g_autofree char *left = g_strnfill(300, 'l'), *right = g_strnfill(300, 'r');
	g_autofree char *text = g_strdup_printf("{%s: 1, a: %s}", left, right);
	g_autofree char *message = complain(text, strlen(text));
	g_auto(GStrv) lines = g_strsplit(message, "\n", -1);

	assert_string_equal(lines[0], "d:1:310: no");
	assert_true(strlen(lines[1]) < 110);
	assert_true(g_str_has_prefix(lines[1], "    1 | ...lll"));
	assert_true(g_str_has_suffix(lines[1], "rrr..."));
	assert_int_equal(lines[1][strlen(lines[2]) - 1], 'r');
	assert_int_equal(lines[1][strlen(lines[2]) - 2], ' ');
}

static void the_same_is_said_once(void **state)
{
	g_autoptr(doc_errors) errors = doc_errors_new("d");
	g_autoptr(doc_node) root = doc_parse("a: 1", 4, errors);
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < 1000; i++)
		doc_error(root, errors, "no");
	assert_false(doc_errors_full(errors));
	for (unsigned i = 0; i < DOC_ERRORS_MAX; i++)
		doc_error(root, errors, "no %u", i);
	assert_true(doc_errors_full(errors));
	assert_false(doc_errors_report(errors, &error));
	assert_non_null(strstr(error->message, "\nd: 1 more errors"));
}

/* Without a text, as of errors that come before it is parsed: the sentence alone. */
static void no_text_no_line(void **state)
{
	g_autoptr(doc_errors) errors = doc_errors_new("d");
	const struct doc_node node = { .line = 3, .column = 4 };
	g_autoptr(GError) error = NULL;

	doc_error(&node, errors, "no");
	assert_false(doc_errors_report(errors, &error));
	assert_string_equal(error->message, "d:3:4: no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carets_stand_below_their_column),
		cmocka_unit_test(broken_bytes_are_not_shown),
		cmocka_unit_test(long_lines_are_cut_around_the_column),
		cmocka_unit_test(the_same_is_said_once),
		cmocka_unit_test(no_text_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
