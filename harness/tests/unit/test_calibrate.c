// SPDX-License-Identifier: GPL-2.0-or-later
/* From results of control kernels to answers, exit codes, rates, and the file that keeps them. */
#include "base/fs.h"
#include "cmd/calibrate_report.h"
#include "cmd/calibration_file.h"
#include "cmd/cmd.h"
#include "stats/rate.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define A "nmi-user-read-deadlock"
#define B "text-poke-race"

static struct calibrate_result result(bool bad, const char *probe, enum verdict_value value,
				      double exposure, double ran_s)
{
	const char *hazard = strcmp(probe, "text-poke") ? A : B;

	return (struct calibrate_result){
		.control = bad ? "bad" : "clean",
		.probe = probe,
		.hazard = bad ? hazard : NULL,
		.found_hazard = value == VERDICT_AFFECTED ? hazard : NULL,
		.repeat = 1,
		.value = value,
		.kind = value == VERDICT_AFFECTED ? KIND_OOPS : KIND_NONE,
		.title = value == VERDICT_AFFECTED ? "oops: in poke_int3_handler" : NULL,
		.reason = "because",
		.exposure = exposure,
		.slack = 10,
		.ran_s = ran_s,
		.engine = "10.0.2",
		.accel = "tcg",
		.amplify = "auto",
		.smp = 4,
		.kernel_sha256 = bad ? "bad" : "clean",
	};
}

static void answers(void **state)
{
	static const struct {
		bool bad;
		enum verdict_value value;
		enum calibrate_answer want;
	} rows[] = {
		{ true, VERDICT_AFFECTED, ANSWER_RIGHT },
		{ true, VERDICT_CLEAN, ANSWER_WRONG },
		{ false, VERDICT_CLEAN, ANSWER_RIGHT },
		{ false, VERDICT_AFFECTED, ANSWER_WRONG },
		{ true, VERDICT_INCONCLUSIVE, ANSWER_NONE },
		{ false, VERDICT_INFRA, ANSWER_NONE },
		{ false, VERDICT_UNSUPPORTED, ANSWER_NONE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct calibrate_result r = result(rows[i].bad, "text-poke", rows[i].value, 5, 1);

		assert_int_equal(calibrate_answer(&r), rows[i].want);
	}
}

/* To fail is not enough: it must be the bug that was put back, by its own signature. */
static void another_bug_is_wrong(void **state)
{
	struct calibrate_result r = result(true, "text-poke", VERDICT_AFFECTED, 5, 1);

	r.found_hazard = "text-poke-desc-race";
	assert_int_equal(calibrate_answer(&r), ANSWER_WRONG);
	r.found_hazard = NULL;
	assert_int_equal(calibrate_answer(&r), ANSWER_WRONG);
	/* No control is clean for a bug that its tree has by itself. */
	r = result(true, "text-poke", VERDICT_CLEAN, 5, 1);
	r.control = "clean";
	assert_int_equal(calibrate_answer(&r), ANSWER_WRONG);
	r.is_native = true;
	assert_int_equal(calibrate_answer(&r), ANSWER_RIGHT);
}

static void exit_codes(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 5, 1),
		result(false, "text-poke", VERDICT_CLEAN, 5, 1),
		result(false, "text-poke", VERDICT_INFRA, 5, 1),
		result(true, "text-poke", VERDICT_CLEAN, 5, 1),
	};

	assert_int_equal(calibrate_exit(r, 0), EXIT_INFRA);
	assert_int_equal(calibrate_exit(r, 2), EXIT_CLEAN);
	assert_int_equal(calibrate_exit(r, 3), EXIT_INFRA);
	/* A wrong answer weighs more than a missing one. */
	assert_int_equal(calibrate_exit(r, 4), EXIT_AFFECTED);
}

static void assert_close(double got, double want)
{
	if (fabs(got - want) > 1e-9 * fabs(want))
		fail_msg("got %.15g, want %.15g", got, want);
}

static void rates(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 30, 0.1),
		result(true, "nmi-user-read", VERDICT_AFFECTED, 500, 0.2),
		result(false, "text-poke", VERDICT_CLEAN, 8000, 10),
		result(false, "nmi-user-read", VERDICT_CLEAN, 100, 10),
		result(true, "text-poke", VERDICT_AFFECTED, 0, 0.05),
		result(true, "text-poke", VERDICT_INFRA, 7000, 9),
		result(true, "text-poke", VERDICT_AFFECTED, 40, 0.1),
	};
	g_autoptr(calibration) got = NULL;
	const struct calibration_entry *e;

	/* The last failure looks like another bug: it ran, but found nothing of ours. */
	r[6].found_hazard = "text-poke-desc-race";
	got = calibrate_rates(r, G_N_ELEMENTS(r), 77);
	assert_int_equal(got->entries->len, 2);
	e = got->entries->pdata[0];
	assert_string_equal(e->hazard, B);
	assert_string_equal(e->kernel_sha256, "bad");
	assert_int_equal(e->runs, 3);
	assert_int_equal(e->failures, 2);
	assert_int_equal(e->when_s, 77);
	/* 800 a second on the clean control: 200 may have gone unread in each run. */
	assert_close(e->exposure, 30 + 0 + 40 + 3 * 200);
	assert_close(e->rate_lower, rate_lower(2, 670, CALIBRATION_CONFIDENCE));
	/* 10 a second: the run's own slack is larger than 2.5. */
	e = got->entries->pdata[1];
	assert_close(e->exposure, 510);
}

/* One probe, two bugs in two controls: a rate each, and the clean control's pace for both. */
static void rates_of_one_probe(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 30, 0.1),
		result(true, "text-poke", VERDICT_AFFECTED, 900, 3),
		result(false, "text-poke", VERDICT_CLEAN, 8000, 10),
		result(true, "text-poke", VERDICT_AFFECTED, 700, 3),
	};
	const struct calibration_key key = {
		.probe = "text-poke", .engine = "10", .accel = "tcg", .amplify = "auto", .smp = 4
	};
	g_autoptr(calibration) got = NULL;

	for (unsigned i = 1; i < G_N_ELEMENTS(r); i += 2) {
		r[i].control = "bad-2";
		r[i].hazard = r[i].found_hazard = A;
	}
	got = calibrate_rates(r, G_N_ELEMENTS(r), 77);
	assert_int_equal(got->entries->len, 2);
	assert_close(((struct calibration_entry *)got->entries->pdata[0])->exposure, 30 + 200);
	assert_close(((struct calibration_entry *)got->entries->pdata[1])->exposure,
		     1600 + 2 * 200);
	/* The one that strikes less often bounds what a clean verdict can miss. */
	assert_string_equal(calibration_find(got, &key)->hazard, A);
}

/* A probe that fails on all controls has no pace but that of its failures. */
static void pace_of_failures(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 30, 0.1),
		result(true, "text-poke", VERDICT_AFFECTED, 40, 0.05),
	};
	g_autoptr(calibration) got = calibrate_rates(r, G_N_ELEMENTS(r), 77);

	assert_int_equal(got->entries->len, 1);
	assert_close(((struct calibration_entry *)got->entries->pdata[0])->exposure,
		     70 + 2 * 0.25 * 800);
}

static void no_rate_without_a_pace(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 0, 0),
		result(false, "text-poke", VERDICT_INFRA, 0, 0),
		result(false, "nmi-user-read", VERDICT_CLEAN, 100, 10),
	};
	g_autoptr(calibration) got = calibrate_rates(r, G_N_ELEMENTS(r), 77);

	assert_int_equal(got->entries->len, 0);
}

/* A bug that was not found leaves an entry without a rate: it must bound nothing. */
static void missed_bug(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_CLEAN, 9000, 10),
		result(false, "text-poke", VERDICT_CLEAN, 9000, 10),
	};
	g_autoptr(calibration) got = calibrate_rates(r, G_N_ELEMENTS(r), 77);
	g_autofree char *text = calibrate_print(r, G_N_ELEMENTS(r), got);
	const struct calibration_entry *e = got->entries->pdata[0];

	assert_int_equal(got->entries->len, 1);
	assert_true(e->rate_lower == 0 && e->failures == 0);
	assert_non_null(strstr(text, "never"));
	assert_non_null(strstr(text, "WRONG"));
}

static void json(void **state)
{
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, NAN, 0.1),
		result(false, "text-poke", VERDICT_CLEAN, 8000, 10),
	};
	g_autoptr(calibration) got = calibrate_rates(r, G_N_ELEMENTS(r), 77);
	g_autofree char *text = calibrate_json(r, G_N_ELEMENTS(r), got);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *first;

	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "answer")), "as-expected");
	assert_int_equal(json_array_size(json_object_get(root, "results")), 2);
	assert_int_equal(json_array_size(json_object_get(root, "rates")), 1);
	first = json_array_get(json_object_get(root, "results"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "kind")), "oops");
	assert_string_equal(json_string_value(json_object_get(first, "control")), "bad");
	assert_string_equal(json_string_value(json_object_get(first, "found_hazard")), B);
	/* What is not there is left out. */
	assert_null(json_object_get(json_array_get(json_object_get(root, "results"), 1), "hazard"));
	json_decref(root);
}

static void file(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("klab-calibration-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "deep", "calibration.json", NULL);
	struct calibrate_result r[] = {
		result(true, "text-poke", VERDICT_AFFECTED, 30, 0.1),
		result(false, "text-poke", VERDICT_CLEAN, 8000, 10),
	};
	g_autoptr(calibration) first = NULL, second = NULL, back = NULL, none = NULL;
	g_autoptr(GError) error = NULL;

	assert_true(calibration_file_load(path, false, &none, NULL));
	assert_int_equal(none->entries->len, 0);
	first = calibrate_rates(r, 2, 77);
	assert_true(calibration_file_update(path, first, &error));
	/* Other conditions are added, the same ones replaced. */
	r[0].smp = r[1].smp = 1;
	second = calibrate_rates(r, 2, 78);
	assert_true(calibration_file_update(path, second, &error));
	assert_true(calibration_file_update(path, second, &error));
	assert_true(calibration_file_load(path, true, &back, &error));
	assert_int_equal(back->entries->len, 2);
	assert_true(((struct calibration_entry *)back->entries->pdata[0])->shipped);
	/* What cannot be read is an error that names the file, and is not overwritten. */
	assert_true(fs_write(path, "{", 1, NULL));
	assert_false(calibration_file_update(path, second, &error));
	assert_non_null(strstr(error->message, "calibration.json': line 1"));
	assert_true(fs_remove(dir, NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(another_bug_is_wrong),
		cmocka_unit_test(rates_of_one_probe),
		cmocka_unit_test(pace_of_failures),
		cmocka_unit_test(rates),
		cmocka_unit_test(no_rate_without_a_pace),
		cmocka_unit_test(missed_bug),
		cmocka_unit_test(json),
		cmocka_unit_test(file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
