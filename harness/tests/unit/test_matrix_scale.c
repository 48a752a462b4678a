// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ten thousand kernels. Compares are counted (the link wraps the calls, see CMakeLists.txt): twice
 * as many kernels may take twice as many of them, not four times. No clock is asked.
 */
#include "conf/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static unsigned long compares;

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
int __real_fnmatch(const char *pattern, const char *text, int flags);
int __wrap_fnmatch(const char *pattern, const char *text, int flags);
gboolean __real_g_str_equal(gconstpointer a, gconstpointer b);
gboolean __wrap_g_str_equal(gconstpointer a, gconstpointer b);
gboolean __real_g_ptr_array_find(GPtrArray *all, gconstpointer one, guint *ret);
gboolean __wrap_g_ptr_array_find(GPtrArray *all, gconstpointer one, guint *ret);
char *__real_suggest_phrase(const char *typed, const char *const *words);
char *__wrap_suggest_phrase(const char *typed, const char *const *words);

int __wrap_strcmp(const char *a, const char *b)
{
	compares++;
	return __real_strcmp(a, b);
}

int __wrap_fnmatch(const char *pattern, const char *text, int flags)
{
	compares++;
	return __real_fnmatch(pattern, text, flags);
}

gboolean __wrap_g_str_equal(gconstpointer a, gconstpointer b)
{
	compares++;
	return __real_g_str_equal(a, b);
}

/* A search through a list costs its length. */
gboolean __wrap_g_ptr_array_find(GPtrArray *all, gconstpointer one, guint *ret)
{
	compares += all->len;
	return __real_g_ptr_array_find(all, one, ret);
}

/* "Did you mean" looks at every word. */
char *__wrap_suggest_phrase(const char *typed, const char *const *words)
{
	compares += g_strv_length((char **)words);
	return __real_suggest_phrase(typed, words);
}

static char *make(unsigned n, bool family, const char *tail)
{
	GString *text = g_string_new("defaults: {source: apt, vendor: debian}\n");

	g_string_append(text,
			family ? "families:\n  - id: k\n    suite: s\n    package: p-{version}\n"
				 "    versions:\n"
			       : "kernels:\n");
	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(
			text,
			family ? "      - {version: %u.%u.0-1}\n"
			       : "  - {id: k-%u.%u, suites: [a, b], package: linux-image-x}\n",
			i / 100, i % 100);
	g_string_append(text, tail);
	return g_string_free(text, FALSE);
}

/* Compares that it takes to read and to select n kernels. */
static unsigned long cost(unsigned n, bool family)
{
	const char *const patterns[] = { "k-*", "k-*", "*9*", NULL };
	g_autofree char *text = make(n, family, "");
	g_autoptr(GPtrArray) chosen = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(matrix) m = NULL;

	compares = 0;
	if (!matrix_parse("m.yaml", text, strlen(text), &m, &error) ||
	    !matrix_select(m, patterns, &chosen, &error))
		fail_msg("%s", error->message);
	assert_int_equal(chosen->len, n);
	return compares;
}

static void work_grows_with_the_number_of_kernels(void **state)
{
	for (int family = 0; family < 2; family++) {
		unsigned long small = cost(5000, family), large = cost(10000, family);

		assert_true(small > 5000); /* the counter counts */
		if (large > 2.3 * small)
			fail_msg("%lu for 5000, %lu for 10000", small, large);
	}
}

/* A file that is wrong all over, with hints wanted for each. */
static unsigned long cost_of_errors(unsigned n)
{
	g_autoptr(GString) wrong = g_string_new("default: [");
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct matrix *m = NULL;

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(wrong, "q-%u, ", i);
	g_string_append(wrong, "]\n");
	text = make(n, false, wrong->str);
	compares = 0;
	assert_false(matrix_parse("m.yaml", text, strlen(text), &m, &error));
	assert_non_null(strstr(error->message, "more errors"));
	return compares;
}

static void errors_cost_no_more(void **state)
{
	unsigned long small = cost_of_errors(5000), large = cost_of_errors(10000);

	if (large > 2.3 * small)
		fail_msg("%lu for 5000, %lu for 10000", small, large);
}

/* Keys of one map, values of one list: the same. */
static void keys_of_a_map_are_not_searched(void **state)
{
	g_autoptr(GString) text =
		g_string_new("families: [{id: k, source: git, remote: r, refs: {");
	g_autoptr(GError) error = NULL;
	g_autoptr(matrix) m = NULL;

	for (unsigned i = 0; i < 10000; i++)
		g_string_append_printf(text, "n%u: v%u, ", i, i);
	g_string_append(text, "}}]\n");
	compares = 0;
	if (!matrix_parse("m.yaml", text->str, text->len, &m, &error))
		fail_msg("%s", error->message);
	assert_int_equal(m->kernels->len, 10000);
	assert_true(compares < 10000 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_grows_with_the_number_of_kernels),
		cmocka_unit_test(errors_cost_no_more),
		cmocka_unit_test(keys_of_a_map_are_not_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
