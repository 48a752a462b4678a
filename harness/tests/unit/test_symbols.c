// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbol lists, and the delay plans that are made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "amplify/delay.h"
#include "parse/symbols.h"

#include <string.h>

static const char list[] = "ffffffff81000300 poke_int3_handler\n"
			   "ffffffff81000000 _stext\n"
			   "ffffffff81000000 _text\n"
			   "garbage\n"
			   "zz top\n"
			   "ffffffff81000320 text_poke_bp\n"
			   "ffffffff81000400 text_poke_bp_batch\n"
			   "ffffffff81000500";

static void test_find(void **state)
{
	static const struct {
		uint64_t addr;
		const char *name;
	} cases[] = {
		{ 0xffffffff80ffffff, NULL },
		{ 0xffffffff81000000, "_stext" },	/* of two aliases the first by name */
		{ 0xffffffff810002ff, "_stext" },
		{ 0xffffffff81000300, "poke_int3_handler" },
		{ 0xffffffff8100031f, "poke_int3_handler" },
		{ 0xffffffff81000401, "text_poke_bp_batch" },
		{ 0xffffffffc0000000, NULL },		/* far behind the last symbol */
	};
	g_autoptr(symbols) s = symbols_parse(list, strlen(list));

	assert_int_equal(s->n, 5);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct symbol *sym = symbols_find(s, cases[i].addr);

		if (cases[i].name)
			assert_string_equal(sym->name, cases[i].name);
		else
			assert_null(sym);
	}
}

static void test_empty(void **state)
{
	g_autoptr(symbols) s = symbols_parse("", 0);
	size_t at = 0;

	assert_null(symbols_find(s, 1));
	assert_null(symbols_glob(s, "*", &at));
}

static void test_plan_binds_globs(void **state)
{
	const char *const globs[] = { "poke_int3_handler", "text_poke_bp*", "not_there", NULL };
	g_autoptr(symbols) s = symbols_parse(list, strlen(list));
	struct delay_plan plan;
	g_autofree char *args = NULL;

	delay_plan_make(DELAY_AUTO, globs, s, &plan);
	assert_int_equal(plan.n_sites, 3);
	assert_string_equal(plan.names, "poke_int3_handler text_poke_bp text_poke_bp_batch");
	args = delay_plan_args(&plan, "p.so", 9);
	/* a site ends with its function, and at the latest after DELAY_SITE_BYTES */
	assert_string_equal(args, "p.so,every=256,us=100-600,seed=9,"
				  "site=ffffffff81000300-ffffffff81000320,"
				  "site=ffffffff81000320-ffffffff810003a0,"
				  "site=ffffffff81000400-ffffffff81000480");
	delay_plan_clear(&plan);
}

static void test_plan_without_sites(void **state)
{
	const char *const globs[] = { "poke_int3_handler", NULL };
	g_autoptr(symbols) s = symbols_parse(list, strlen(list));
	struct delay_plan plan;

	delay_plan_make(DELAY_OFF, globs, s, &plan);
	assert_null(delay_plan_args(&plan, "p.so", 9));
	delay_plan_make(DELAY_AUTO, globs, NULL, &plan);
	assert_null(delay_plan_args(&plan, "p.so", 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_plan_binds_globs),
		cmocka_unit_test(test_plan_without_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
