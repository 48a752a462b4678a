// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jobs of a cell to one verdict: what is believed at once, what is repeated and how, when enough is
 * enough; and classes of infra.
 */
#include "judge/infra.h"
#include "judge/judge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEC INT64_C(1000000)
#define JOBS_MAX 5

/* How a job was run. */
enum how { USUAL, SECOND, ALONE, ALONE_USUAL };
enum delays { NO_DELAYS, DELAYS, DELAYS_AGAIN /* with the first job's seed */ };

struct cell_case {
	const char *name;
	unsigned n;
	struct {
		enum verdict_value value;
		double exposure;
		bool retry, splat;
		enum how how;
		enum delays delays;
		bool weak;
	} job[JOBS_MAX];
	struct cell_rule rule;
	enum verdict_value want;
	enum cell_needs needs;
	double p_missed;	/* 0: NAN */
	const char *why;
};

#define AFF(how) { VERDICT_AFFECTED, 10, false, true, how }
#define HANG(how) { VERDICT_AFFECTED, 10, false, false, how }
#define CLEAN(x) { VERDICT_CLEAN, x }
#define CLEAN_IN(how) { VERDICT_CLEAN, 10, false, false, how }
#define INFRA(how) { VERDICT_INFRA, 0, false, false, how }
#define WEATHER(how) { VERDICT_INFRA, 0, true, false, how }
/* with delays */
#define SLOW(how) { VERDICT_AFFECTED, 10, false, false, how, DELAYS, true }
#define SLOW_AGAIN(how) { VERDICT_AFFECTED, 10, false, false, how, DELAYS_AGAIN, true }
#define AFF_SLOW(how) { VERDICT_AFFECTED, 10, false, true, how, DELAYS }
#define HANG_SLOW(how) { VERDICT_AFFECTED, 10, false, false, how, DELAYS }
#define CLEAN_SLOW(how) { VERDICT_CLEAN, 10, false, false, how, DELAYS }
#define CLEAN_AGAIN(how) { VERDICT_CLEAN, 10, false, false, how, DELAYS_AGAIN }
#define INCON_SLOW(how) { VERDICT_INCONCLUSIVE, 0, false, false, how, DELAYS }
#define STALL(how) { VERDICT_AFFECTED, 10, false, false, how, NO_DELAYS, true }
#define UNSUP { VERDICT_UNSUPPORTED, 0 }
#define INCON(how) { VERDICT_INCONCLUSIVE, 0, false, false, how }
#define ASKED { 0.99, 0 }
#define FORETOLD { 0.99, 0, true }
#define KVM { 0.99, 0, false, true }

static const struct cell_case cell_cases[] = {
	{ "foretold", 1, { AFF(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE },
	{ "foretold hang", 1, { HANG(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE },
	{ "not foretold", 1, { AFF(0) }, ASKED, VERDICT_AFFECTED, CELL_SECOND_MODEL, 0,
	  "to be repeated under a second" },
	{ "confirmed", 2, { AFF(0), AFF(SECOND) }, ASKED, VERDICT_AFFECTED, CELL_DONE },
	{ "twice under one model", 2, { AFF(0), AFF(0) }, ASKED, VERDICT_AFFECTED,
	  CELL_SECOND_MODEL },
	{ "not confirmed", 2, { AFF(0), CLEAN_IN(SECOND) }, ASKED, VERDICT_INCONCLUSIVE, CELL_DONE,
	  0, "did not confirm" },
	{ "second model got lost", 2, { AFF(0), WEATHER(SECOND) }, ASKED, VERDICT_AFFECTED,
	  CELL_SECOND_MODEL },
	{ "got lost, then confirmed", 3, { AFF(0), WEATHER(SECOND), AFF(SECOND) }, ASKED,
	  VERDICT_AFFECTED, CELL_DONE },
	{ "got lost twice", 3, { AFF(0), WEATHER(SECOND), WEATHER(SECOND) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "second model failed for good", 2, { AFF(0), INFRA(SECOND) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "second model inconclusive", 2, { AFF(0), INCON(SECOND) }, ASKED, VERDICT_INCONCLUSIVE,
	  CELL_DONE, 0, "could not tell" },
	{ "first under the second model, confirmed under another", 3,
	  { WEATHER(0), AFF(SECOND), AFF(USUAL) }, ASKED, VERDICT_AFFECTED, CELL_DONE },
	{ "first under the second model, again there", 3, { WEATHER(0), AFF(SECOND), AFF(SECOND) },
	  ASKED, VERDICT_AFFECTED, CELL_SECOND_MODEL },
	{ "one model only", 1, { AFF(0) }, KVM, VERDICT_AFFECTED, CELL_SECOND_MODEL },
	{ "one model only, again", 2, { AFF(0), AFF(0) }, KVM, VERDICT_AFFECTED, CELL_DONE },

	{ "hang", 1, { HANG(0) }, ASKED, VERDICT_AFFECTED, CELL_ALONE, 0,
	  "to be repeated alone on the host" },
	{ "hang, 2 of 2", 2, { HANG(0), HANG(ALONE) }, ASKED, VERDICT_AFFECTED, CELL_DONE, 0,
	  "seen in 2 of 2 runs" },
	{ "hang, a splat when alone", 2, { HANG(0), AFF(ALONE) }, ASKED, VERDICT_AFFECTED,
	  CELL_DONE, 0, "seen in 2 of 2 runs" },
	{ "hang, 1 of 2", 2, { HANG(0), CLEAN_IN(ALONE) }, ASKED, VERDICT_AFFECTED, CELL_ALONE },
	{ "hang, 2 of 3", 3, { HANG(0), CLEAN_IN(ALONE), HANG(ALONE) }, ASKED, VERDICT_AFFECTED,
	  CELL_DONE, 0, "seen in 2 of 3 runs" },
	{ "hang, 1 of 3", 3, { HANG(0), CLEAN_IN(ALONE), CLEAN_IN(ALONE) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "1 of 3 runs" },
	{ "hang, the rest inconclusive", 3, { HANG(0), INCON(ALONE), CLEAN_IN(ALONE) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "1 of 3 runs" },
	{ "hang, again in company", 2, { HANG(0), HANG(SECOND) }, ASKED, VERDICT_AFFECTED,
	  CELL_ALONE },
	{ "hang, again alone under the same model", 2, { HANG(0), HANG(ALONE_USUAL) }, ASKED,
	  VERDICT_AFFECTED, CELL_ALONE },
	{ "hang, alone got lost", 2, { HANG(0), WEATHER(ALONE) }, ASKED, VERDICT_AFFECTED,
	  CELL_ALONE },
	{ "hang, lost, missed, seen", 4,
	  { HANG(0), WEATHER(ALONE), CLEAN_IN(ALONE), HANG(ALONE) }, ASKED, VERDICT_AFFECTED,
	  CELL_DONE, 0, "seen in 2 of 3 runs" },
	{ "hang, alone got lost twice", 3, { HANG(0), WEATHER(ALONE), WEATHER(ALONE) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "hang, could not be alone", 2, { HANG(0), INFRA(ALONE) }, ASKED, VERDICT_INCONCLUSIVE,
	  CELL_DONE, 0, "could not tell" },
	{ "hang under KVM", 1, { HANG(0) }, KVM, VERDICT_AFFECTED, CELL_ALONE },
	{ "hang under KVM, 2 of 2", 2, { HANG(0), HANG(ALONE_USUAL) }, KVM, VERDICT_AFFECTED,
	  CELL_DONE },
	{ "clean, then a hang", 2, { CLEAN(10), HANG(0) }, ASKED, VERDICT_AFFECTED, CELL_ALONE },

	/* a lockup's or stall's words where vCPUs were delayed: the same plan, another seed */
	{ "slowed", 1, { SLOW(0) }, FORETOLD, VERDICT_AFFECTED, CELL_SECOND_SEED, 0,
	  "under injected delay, to be repeated with another seed" },
	{ "slowed, confirmed", 2, { SLOW(0), SLOW(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE, 0,
	  "under injected delay, and again with another seed" },
	{ "slowed, the same seed again", 2, { SLOW(0), SLOW_AGAIN(0) }, FORETOLD,
	  VERDICT_AFFECTED, CELL_SECOND_SEED },
	{ "slowed, clean with the same seed", 2, { SLOW(0), CLEAN_AGAIN(0) }, FORETOLD,
	  VERDICT_AFFECTED, CELL_SECOND_SEED },
	{ "slowed, not confirmed", 2, { SLOW(0), CLEAN_SLOW(0) }, FORETOLD, VERDICT_INCONCLUSIVE,
	  CELL_DONE, 0, "seen once: 'oops: x' under injected delay; a second run with the same plan "
			"did not show it" },
	{ "slowed, then inconclusive", 2, { SLOW(0), INCON_SLOW(0) }, FORETOLD,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "under injected delay; the second run with the same "
					      "plan could not tell" },
	{ "slowed, then clean without delays", 2, { SLOW(0), CLEAN_IN(0) }, FORETOLD,
	  VERDICT_AFFECTED, CELL_SECOND_SEED },
	{ "slowed, twice clean without delays", 3, { SLOW(0), CLEAN_IN(0), CLEAN_IN(0) },
	  FORETOLD, VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "slowed, then without delays as well", 2, { SLOW(0), STALL(0) }, FORETOLD,
	  VERDICT_AFFECTED, CELL_DONE },
	{ "slowed, then an oops", 2, { SLOW(0), AFF_SLOW(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_DONE },
	{ "slowed, then a hang", 2, { SLOW(0), HANG_SLOW(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_DONE },
	{ "slowed, got lost", 2, { SLOW(0), WEATHER(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_SECOND_SEED },
	{ "slowed, got lost, confirmed", 3, { SLOW(0), WEATHER(0), SLOW(0) }, FORETOLD,
	  VERDICT_AFFECTED, CELL_DONE },
	{ "slowed, got lost, not confirmed", 3, { SLOW(0), WEATHER(0), CLEAN_SLOW(0) }, FORETOLD,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "did not show it" },
	{ "slowed, got lost twice", 3, { SLOW(0), WEATHER(0), WEATHER(0) }, FORETOLD,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "slowed, the lab failed", 2, { SLOW(0), INFRA(0) }, FORETOLD, VERDICT_INCONCLUSIVE,
	  CELL_DONE, 0, "could not tell" },
	{ "clean, then slowed", 2, { CLEAN_SLOW(0), SLOW(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_SECOND_SEED },
	{ "weather, then slowed", 2, { WEATHER(0), SLOW(SECOND) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_SECOND_SEED },
	{ "a stall without delays", 1, { STALL(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE },
	{ "an oops with delays", 1, { AFF_SLOW(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE },
	{ "a hang with delays", 1, { HANG_SLOW(0) }, FORETOLD, VERDICT_AFFECTED, CELL_DONE },
	/* not foretold: the repetition that is due anyway does for both */
	{ "slowed surprise", 1, { SLOW(0) }, ASKED, VERDICT_AFFECTED, CELL_ALONE },
	{ "slowed surprise, 2 of 2", 2, { SLOW(0), SLOW(ALONE) }, ASKED, VERDICT_AFFECTED,
	  CELL_DONE, 0, "seen in 2 of 2 runs" },
	{ "slowed surprise, the same seed", 2, { SLOW(0), SLOW_AGAIN(ALONE) }, ASKED,
	  VERDICT_AFFECTED, CELL_ALONE },
	{ "slowed surprise, in company", 2, { SLOW(0), SLOW(SECOND) }, ASKED, VERDICT_AFFECTED,
	  CELL_ALONE },
	{ "slowed surprise, 2 of 3", 3, { SLOW(0), CLEAN_SLOW(ALONE), SLOW(ALONE) }, ASKED,
	  VERDICT_AFFECTED, CELL_DONE, 0, "seen in 2 of 3 runs" },
	{ "slowed surprise, 1 of 3", 3, { SLOW(0), CLEAN_SLOW(ALONE), CLEAN_SLOW(ALONE) }, ASKED,
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0, "under injected delay; 1 of 3 runs" },
	{ "slowed surprise, clean without delays", 3, { SLOW(0), CLEAN_IN(ALONE), CLEAN_IN(ALONE) },
	  ASKED, VERDICT_INCONCLUSIVE, CELL_DONE, 0, "could not tell" },
	{ "a stall without delays, not foretold", 3,
	  { STALL(0), CLEAN_IN(ALONE), CLEAN_IN(ALONE) }, ASKED, VERDICT_INCONCLUSIVE, CELL_DONE, 0,
	  "'oops: x'; 1 of 3 runs" },
	{ "an oops with delays, not foretold", 1, { AFF_SLOW(0) }, ASKED, VERDICT_AFFECTED,
	  CELL_SECOND_MODEL },
	{ "an oops with delays, confirmed without", 2, { AFF_SLOW(0), AFF(SECOND) }, ASKED,
	  VERDICT_AFFECTED, CELL_DONE },
	{ "slowed under KVM", 2, { SLOW(0), SLOW(ALONE_USUAL) }, KVM, VERDICT_AFFECTED,
	  CELL_DONE },

	{ "clean, then foretold failure", 2, { CLEAN(10), AFF(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_DONE },
	{ "weather, then affected", 2, { WEATHER(0), AFF(0) }, FORETOLD, VERDICT_AFFECTED,
	  CELL_DONE },
	{ "uncalibrated", 1, { CLEAN(10) }, ASKED, VERDICT_CLEAN, CELL_DONE, 0, "uncalibrated" },
	{ "enough", 1, { CLEAN(100) }, { 0.99, 0.1 }, VERDICT_CLEAN, CELL_DONE, 4.5399930e-5,
	  "P(missed) <= 4.5e-05" },
	{ "not enough yet", 1, { CLEAN(10) }, { 0.99, 0.1 }, VERDICT_INCONCLUSIVE, CELL_RERUN,
	  0.36787944, "above the asked 0.01" },
	{ "not enough after three", 3, { CLEAN(4), CLEAN(3), CLEAN(3) }, { 0.99, 0.1 },
	  VERDICT_INCONCLUSIVE, CELL_DONE, 0.36787944, "above the asked 0.01" },
	{ "just enough", 1, { CLEAN(46.0517018598809) }, { 0.99, 0.1 }, VERDICT_CLEAN, CELL_DONE,
	  0.01 },
	{ "added up", 3, { CLEAN(20), WEATHER(0), CLEAN(30) }, { 0.99, 0.1 }, VERDICT_CLEAN,
	  CELL_DONE, 0.0067379470 },
	{ "inconclusive adds nothing", 2, { CLEAN(20), INCON(0) }, { 0.99, 0.1 },
	  VERDICT_INCONCLUSIVE, CELL_RERUN, 0.13533528 },
	{ "weather once", 1, { WEATHER(0) }, ASKED, VERDICT_INFRA, CELL_RERUN },
	{ "weather twice", 2, { WEATHER(0), WEATHER(0) }, ASKED, VERDICT_INFRA, CELL_DONE },
	{ "lab failed", 1, { INFRA(0) }, ASKED, VERDICT_INFRA, CELL_DONE },
	{ "weather, then clean", 2, { WEATHER(0), CLEAN(5) }, ASKED, VERDICT_CLEAN, CELL_DONE, 0,
	  "uncalibrated" },
	{ "unsupported", 1, { UNSUP }, { 0.99, 0.1 }, VERDICT_UNSUPPORTED, CELL_DONE },
	{ "weather, then unsupported", 2, { WEATHER(0), UNSUP }, ASKED, VERDICT_UNSUPPORTED,
	  CELL_DONE },
	{ "inconclusive", 1, { INCON(0) }, ASKED, VERDICT_INCONCLUSIVE, CELL_DONE },
};

static void jobs_make(const struct cell_case *cc, struct verdict *jobs, struct cell_job *how)
{
	for (unsigned i = 0; i < cc->n; i++) {
		enum how h = cc->job[i].how;
		bool failed = cc->job[i].value == VERDICT_AFFECTED;

		jobs[i] = (struct verdict){
			.value = cc->job[i].value,
			.kind = failed ? KIND_OOPS : KIND_NONE,
			.title = failed ? g_strdup("oops: x") : NULL,
			.reason = g_strdup("some reason"),
			.exposure = cc->job[i].exposure,
			.failed_us = failed ? 5 * SEC : 0,
			.retry = cc->job[i].retry,
			.splat = cc->job[i].splat,
			.weak = cc->job[i].weak,
			.findings = g_strsplit("f1 f2", " ", 0),
		};
		how[i] = (struct cell_job){
			.began_us = 3 * SEC,
			.cpu_model = h == SECOND || h == ALONE ? "Haswell-noTSX" : "max",
			.alone = h == ALONE || h == ALONE_USUAL,
			.delayed = cc->job[i].delays != NO_DELAYS,
			.seed = cc->job[i].delays == DELAYS_AGAIN ? 7 : 7 + i,
		};
	}
}

static void check_case(const struct cell_case *cc, const struct cell_verdict *cv,
		       enum cell_needs needs)
{
	if (cv->v.value != cc->want || needs != cc->needs)
		fail_msg("%s: %s, needs %d (%s)", cc->name, verdict_value_name(cv->v.value), needs,
			 cv->v.reason);
	if (cc->why && !strstr(cv->v.reason, cc->why))
		fail_msg("%s: reason '%s'", cc->name, cv->v.reason);
	if (cc->p_missed ? fabs(cv->p_missed - cc->p_missed) > 1e-7 : !isnan(cv->p_missed))
		fail_msg("%s: p_missed %.9g", cc->name, cv->p_missed);
	assert_true((cv->v.value == VERDICT_CLEAN && cc->p_missed) == !isnan(cv->confidence));
	if (cv->v.value == VERDICT_AFFECTED)
		assert_true(fabs(cv->time_to_failure_s - 2) < 1e-9);
	assert_int_equal(g_strv_length(cv->v.findings), 2);
	assert_true((cv->v.kind != KIND_NONE) == (cv->v.value == VERDICT_AFFECTED));
}

static void test_cells(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(cell_cases); i++) {
		const struct cell_case *cc = &cell_cases[i];
		struct verdict jobs[JOBS_MAX];
		struct cell_job how[JOBS_MAX];
		struct cell_verdict cv, again;
		enum cell_needs needs, needs_again;

		jobs_make(cc, jobs, how);
		judge_cell(jobs, how, cc->n, &cc->rule, &cv, &needs);
		check_case(cc, &cv, needs);
		judge_cell(jobs, how, cc->n, &cc->rule, &again, &needs_again);
		assert_int_equal(needs, needs_again);
		assert_string_equal(cv.v.reason, again.v.reason);
		assert_int_equal(g_strcmp0(cv.v.title, again.v.title), 0);
		cell_verdict_clear(&cv);
		cell_verdict_clear(&again);
		for (unsigned j = 0; j < cc->n; j++)
			verdict_clear(&jobs[j]);
	}
}

/*
 * Whatever jobs say, repetitions come to an end, and an unforetold failure is believed only if two
 * jobs saw it under conditions that count; so is a foretold one that delays may have brought about.
 */
static void test_every_course_ends(void **unused)
{
	static const enum verdict_value values[] = { VERDICT_AFFECTED, VERDICT_CLEAN,
						     VERDICT_INCONCLUSIVE, VERDICT_UNSUPPORTED,
						     VERDICT_INFRA, VERDICT_INFRA };
	enum { SILENT, SPLAT, SLOWED, SLOWED_FORETOLD, SORTS };

	for (unsigned course = 0; course < 6 * 6 * 6 * 6 * 6 * 6 * SORTS; course++) {
		unsigned sort = course % SORTS;
		const struct cell_rule rule = { 0.99, 0.1, sort == SLOWED_FORETOLD };
		struct verdict jobs[6] = { 0 };
		struct cell_job how[6] = { 0 };
		enum cell_needs needs = CELL_RERUN;
		struct cell_verdict cv = { 0 };
		unsigned n = 0, seen = 0;

		for (unsigned pick = course / SORTS; needs != CELL_DONE && n < 6; pick /= 6) {
			unsigned which = pick % 6;
			bool repeats = needs == CELL_SECOND_MODEL || needs == CELL_ALONE;

			jobs[n] = (struct verdict){ .value = values[which], .retry = which == 4,
						    .reason = (char *)"r", .exposure = 20,
						    .splat = sort == SPLAT,
						    .weak = sort >= SLOWED };
			how[n] = (struct cell_job){ 1, repeats ? "second" : "max",
						    needs == CELL_ALONE, sort >= SLOWED, n };
			seen += values[which] == VERDICT_AFFECTED;
			n++;
			cell_verdict_clear(&cv);
			judge_cell(jobs, how, n, &rule, &cv, &needs);
		}
		if (needs != CELL_DONE)
			fail_msg("course %u wants a job %u", course, n + 1);
		assert_true((cv.v.value == VERDICT_AFFECTED) == (seen >= 2));
		cell_verdict_clear(&cv);
	}
}

/* Stopping at what is missing must state the asked confidence, and not a unit earlier. */
static void test_exposure_missing(void **unused)
{
	static const double confidences[] = { 0.5, 0.9, 0.95, 0.99, 0.999, 0.999999 };
	static const double rates[] = { 0.5, 0.0143, 0.0039, 1e-6, 3.3e-9 };

	for (unsigned i = 0; i < G_N_ELEMENTS(confidences) * G_N_ELEMENTS(rates); i++) {
		const struct cell_rule rule = { confidences[i % 6], rates[i / 6] };
		struct verdict jobs[2] = { { .value = VERDICT_CLEAN, .reason = (char *)"r" },
					   { .value = VERDICT_CLEAN, .reason = (char *)"r" } };
		const struct cell_job how[2] = { 0 };
		struct cell_verdict cv;
		enum cell_needs needs;
		double all = cell_exposure_missing(jobs, 0, &rule);

		jobs[0].exposure = floor(all / 3);
		jobs[1].exposure = cell_exposure_missing(jobs, 1, &rule);
		assert_true(jobs[0].exposure + jobs[1].exposure == all);
		judge_cell(jobs, how, 2, &rule, &cv, &needs);
		assert_int_equal(cv.v.value, VERDICT_CLEAN);
		assert_true(cv.confidence > rule.confidence - 1e-6 * (1 - rule.confidence));
		cell_verdict_clear(&cv);
		jobs[1].exposure -= 1 + 1e-6 * all;
		judge_cell(jobs, how, 2, &rule, &cv, &needs);
		assert_int_equal(cv.v.value, VERDICT_INCONCLUSIVE);
		cell_verdict_clear(&cv);
	}
	assert_true(cell_exposure_missing(NULL, 0, &(struct cell_rule){ 0.99, 0 }) == 0);
	/* what is there already leaves the least that can be asked for */
	assert_true(cell_exposure_missing(&(struct verdict){ VERDICT_CLEAN, .exposure = 1e9 }, 1,
					  &(struct cell_rule){ 0.99, 0.1 }) == 1);
}

/* --- infra --------------------------------------------------------------------------------- */

static void test_infra_classes(void **unused)
{
	static const struct {
		const char *name;
		struct evidence ev;
		enum infra_class want;
		bool retry;
	} cases[] = {
		{ "killed", { .end = JOB_END_UNFINISHED }, INFRA_INTERRUPTED, false },
		{ "interrupted", { .end = JOB_END_INTERRUPTED }, INFRA_INTERRUPTED, false },
		{ "engine", { .end = JOB_END_ENGINE, .end_detail = "QEMU was killed by signal 11" },
		  INFRA_ENGINE_DIED, false },
		{ "lab", { .end = JOB_END_LAB, .end_detail = "no such file" }, INFRA_LAB, false },
		{ "disk", { .end = JOB_END_LAB, .end_detail = "cannot write 'x': No space left on "
							      "device" }, INFRA_DISK_FULL, false },
		{ "quota", { .end = JOB_END_LAB, .end_detail = "'x': Disk quota exceeded" },
		  INFRA_DISK_FULL, false },
		{ "paused", { .end = JOB_END_PAUSED, .began_us = 1 }, INFRA_PAUSED, true },
		{ "no hello", { .end = JOB_END_NO_HELLO }, INFRA_BOOT_LOST, true },
		{ "no hello, others busy", { .end = JOB_END_NO_HELLO, .host_taken = 0.8 },
		  INFRA_HOST_STARVED, true },
		{ "hang at boot", { .end = JOB_END_HANG }, INFRA_BOOT_LOST, true },
		{ "probe", { .end = JOB_END_DONE, .began_us = 1, .result = PROBE_ERROR },
		  INFRA_PROBE, false },
		{ "no result", { .end = JOB_END_DONE, .began_us = 1 }, INFRA_PROBE, false },
		{ "unproven", { .end = JOB_END_DONE, .began_us = 1, .result = PROBE_PASS,
				.exposure = 5, .engine_trouble = "old" },
		  INFRA_ENGINE_UNPROVEN, false },
		{ "clean", { .end = JOB_END_DONE, .began_us = 1, .result = PROBE_PASS,
			     .exposure = 5, .host_taken = 0.9 }, INFRA_NONE, false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct evidence ev = cases[i].ev;
		struct verdict v;

		ev.taint_before = ev.taint_after = UINT64_MAX;
		judge_job(&ev, &(struct judge_params){ 0 }, &v);
		if (v.infra != cases[i].want || v.retry != cases[i].retry)
			fail_msg("%s: '%s', retry %d", cases[i].name, infra_class_name(v.infra),
				 v.retry);
		assert_true((v.value == VERDICT_INFRA) == (v.infra != INFRA_NONE));
		assert_true(!strstr(v.reason, "of the host's CPUs") ==
			    (v.infra != INFRA_HOST_STARVED));
		verdict_clear(&v);
	}
}

static void test_infra_names(void **unused)
{
	for (unsigned i = 0; i < INFRA__COUNT; i++) {
		assert_non_null(infra_class_name(i));
		assert_true(!*infra_class_name(i) == (i == INFRA_NONE));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(infra_class_name(i), infra_class_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_every_course_ends),
		cmocka_unit_test(test_exposure_missing),
		cmocka_unit_test(test_infra_classes),
		cmocka_unit_test(test_infra_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
