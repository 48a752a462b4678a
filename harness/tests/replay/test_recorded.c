// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals of real guests, played again: same end, same verdict, and the same again when judged from
 * the recording itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "run/evidence.h"
#include "run/session.h"

#include <string.h>

static const char *const cases[] = { "nmi-deadlock", "nmi-deadlock-orc", "ipi-deadlock-in-tick",
				     "poke-oops" };

static const char *want(const json_t *expect, const char *key)
{
	return json_string_value(json_object_get(expect, key));
}

static void check(const struct outcome *o, const json_t *expect)
{
	json_t *piece;
	size_t i;

	assert_string_equal(job_end_name(o->end), want(expect, "end"));
	assert_string_equal(verdict_value_name(o->verdict.value), want(expect, "verdict"));
	assert_string_equal(verdict_kind_name(o->verdict.kind), want(expect, "kind"));
	assert_string_equal(o->verdict.title, want(expect, "title"));
	assert_non_null(strstr(o->verdict.reason, want(expect, "reason_has")));
	json_array_foreach(json_object_get(expect, "excerpt_has"), i, piece)
		if (!strstr(o->verdict.excerpt, json_string_value(piece)))
			fail_msg("no '%s' in:\n%s", json_string_value(piece), o->verdict.excerpt);
}

static struct symbols *load_symbols(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "symbols.txt", NULL);
	g_autofree char *text = NULL;
	size_t len;

	assert_true(fs_read(path, 1 << 20, &text, &len, NULL));
	return symbols_parse(text, len);
}

static void play(const char *name, const char *scratch)
{
	const struct judge_params nothing_known = { 0 };
	g_autofree char *dir = g_build_filename(TEST_DIR, "recorded", name, NULL);
	g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);
	g_autofree char *expected = g_build_filename(dir, "expect.json", NULL);
	g_autofree char *out = g_build_filename(scratch, name, NULL);
	g_autoptr(job) job = NULL;
	g_autoptr(symbols) symbols = NULL;
	g_autoptr(outcome) recorded = NULL, played = NULL;
	json_t *expect = json_load_file(expected, 0, NULL);
	bool judged_only = json_is_false(json_object_get(expect, "played"));
	struct session_params params = { .backend = &guest_backend_replay, .dir = out,
					 .replay_of = dir };

	assert_non_null(expect);
	assert_true(job_load(spec, &job, NULL));
	params.job = job;
	assert_true(fs_mkdir(out, NULL) && job_save(job, out, NULL));
	if (!judged_only) {
		params.symbols = symbols = load_symbols(dir);
		assert_true(session_run(&params, NULL, NULL, NULL));
		assert_true(outcome_load(out, &nothing_known, &played, NULL));
		check(played, expect);
	}
	assert_true(outcome_load(dir, &nothing_known, &recorded, NULL));
	check(recorded, expect);
	json_decref(expect);
}

static void test_recorded(void **state)
{
	g_autofree char *scratch = g_dir_make_tmp("klab-test-XXXXXX", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		play(cases[i], scratch);
	assert_true(fs_remove(scratch, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_recorded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
