// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbol lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
