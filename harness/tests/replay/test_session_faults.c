// SPDX-License-Identifier: GPL-2.0-or-later
/* Recorded guests on a disk that fails at any of the journal's writes: the verdict is the one that
 * a sound disk gives, or there is none (the job is still to be done); never another, never clean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "run/evidence.h"
#include "run/session.h"
#include "tests/faults.h"

#include <string.h>

static const struct judge_params nothing_known;

static struct symbols *load_symbols(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "symbols.txt", NULL);
	g_autofree char *text = NULL;
	size_t len;

	assert_true(fs_read(path, 1 << 20, &text, &len, NULL));
	return symbols_parse(text, len);
}

struct stage {
	const char *recorded; /* folder that is played */
	char *out;
	struct job *job;
	struct symbols *symbols;
	struct outcome *sound; /* what a sound disk gives */
};

/* Play it once; whether the session called its journal written. */
static bool play(struct stage *s, enum fault_kind kind, unsigned at, GError **error)
{
	struct session_params params = { .backend = &guest_backend_replay,
					 .dir = s->out,
					 .job = s->job,
					 .symbols = s->symbols,
					 .replay_of = s->recorded };
	bool ok;

	assert_true(fs_remove(s->out, NULL) && fs_mkdir(s->out, NULL) &&
		    job_save(s->job, s->out, NULL));
	fault_set(kind, at);
	ok = session_run(&params, NULL, NULL, error);
	fault.at = 0;
	return ok;
}

static void check_left(struct stage *s, bool ok)
{
	g_autoptr(outcome) left = NULL;

	if (!outcome_load(s->out, &nothing_known, &left, NULL)) {
		assert_false(ok || journal_is_finished(s->out));
		return;
	}
	assert_int_not_equal(left->verdict.value, VERDICT_CLEAN);
	if (!journal_is_finished(s->out)) {
		assert_false(ok);
		return;
	}
	/* Finished: then it saw all of it, or (an I/O error) says that the lab failed. */
	if (left->verdict.value == VERDICT_INFRA)
		return;
	assert_string_equal(left->verdict.title, s->sound->verdict.title);
	assert_int_equal(left->verdict.value, s->sound->verdict.value);
}

/* All fault points of the start, then ever fewer, until none is left. */
static unsigned next_point(unsigned n)
{
	return n + 1 + n / 4;
}

static void torture(struct stage *s, enum fault_kind kind)
{
	bool fired = true;
	unsigned n;

	for (n = 1; fired; n = next_point(n)) {
		g_autoptr(GError) error = NULL;
		bool ok = play(s, kind, n, &error);

		fired = fault.fired;
		check_left(s, ok);
		assert_int_equal(ok, error == NULL);
		assert_int_equal(ok, !fired || kind == FAULT_SIGNAL);
		if (error && kind != FAULT_IO)
			assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_NO_SPACE));
	}
	assert_true(n > 100);
}

static void test_faults(void **state)
{
	static const char *const cases[] = { "nmi-deadlock", "poke-oops" };
	g_autofree char *scratch = g_dir_make_tmp("klab-test-XXXXXX", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *dir = g_build_filename(TEST_DIR, "recorded", cases[i], NULL);
		g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);
		g_autofree char *out = g_build_filename(scratch, cases[i], NULL);
		g_autoptr(job) job = NULL;
		g_autoptr(symbols) symbols = load_symbols(dir);
		g_autoptr(outcome) sound = NULL;
		struct stage s = { .recorded = dir, .out = out, .symbols = symbols };

		assert_true(job_load(spec, &job, NULL));
		s.job = job;
		assert_true(play(&s, FAULT_ONCE, 0, NULL));
		assert_true(outcome_load(out, &nothing_known, &sound, NULL));
		assert_int_equal(sound->verdict.value, VERDICT_AFFECTED);
		s.sound = sound;
		for (int kind = FAULT_FULL; kind < FAULT__COUNT; kind++)
			torture(&s, kind);
	}
	assert_true(fs_remove(scratch, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
