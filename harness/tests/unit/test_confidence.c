// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is the confidence that klab states the one it has? Cells are simulated from end to end: controls
 * that fail at a true rate, the rate's limit from their counts, a kernel with the same bug, jobs
 * cut and added up as the judge wants them. 10 000 cells a case, seeded: the same numbers
 * everywhere.
 *
 * Three statements, from the strongest condition to the weakest:
 * 1. the rate is known exactly: P(clean | bug) is 1 - confidence, for a run that stops when it has had
 *    enough, and at most that for one that goes on;
 * 2. the limit of the rate holds (19 of 20 calibrations do): P(clean | bug) <= 1 - confidence;
 * 3. over all calibrations: (1 + target / E)^-n on average, which two failures of the control or more
 *    keep below 1 - confidence up to a confidence of 99 %.
 */
#include "judge/judge.h"
#include "stats/calibration.h"
#include "stats/rate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CELLS 10000
#define POINTS 0.02	/* what is stated and what is had may differ by so much */
#define CONTROL_RUNS 5
#define NEVER INFINITY

/* splitmix64 */
static double uniform(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return ((z >> 11) + 0.5) / 9007199254740992.0;
}

static double failure_at(double rate, uint64_t *seed)
{
	return -log(uniform(seed)) / rate;
}

struct world {
	double rate;		/* of the bug, per unit of exposure */
	double control_limit;	/* exposure at which a control's run ends without a failure */
	unsigned control_runs;	/* 0: the rate is known */
	double confidence;
	double job_exposure;	/* what a job of whole duration gets */
	bool sequential;	/* jobs stop at their target */
};

static double simulate_control(const struct world *w, uint64_t *seed)
{
	struct rate_sum sum = { 0 };

	if (!w->control_runs)
		return w->rate;
	for (unsigned i = 0; i < w->control_runs; i++) {
		double at = failure_at(w->rate, seed);

		rate_sum_add(&sum, at < w->control_limit, fmin(at, w->control_limit), 0);
	}
	return rate_lower(sum.failures, sum.exposure, CALIBRATION_CONFIDENCE);
}

/* One job: clean with what it gained, or affected. */
static struct verdict simulate_job(const struct world *w, double target, uint64_t *seed)
{
	double ends = w->sequential && target > 0 ? fmin(target, w->job_exposure) : w->job_exposure;
	bool fails = failure_at(w->rate, seed) < ends;

	return (struct verdict){ .value = fails ? VERDICT_AFFECTED : VERDICT_CLEAN,
				 .reason = (char *)"", .exposure = ends, .splat = true };
}

/* A cell, job by job, as the scheduler asks the judge. */
static void simulate_cell(const struct world *w, double rate_lower, uint64_t *seed,
			  struct cell_verdict *ret)
{
	const struct cell_rule rule = { w->confidence, rate_lower, .foretold = true };
	const struct cell_job how[4] = { 0 };
	struct verdict jobs[4];
	enum cell_needs needs = CELL_RERUN;
	unsigned n = 0;

	*ret = (struct cell_verdict){ 0 };
	while (needs == CELL_RERUN && n < G_N_ELEMENTS(jobs)) {
		jobs[n] = simulate_job(w, cell_exposure_missing(jobs, n, &rule), seed);
		n++;
		cell_verdict_clear(ret);
		judge_cell(jobs, how, n, &rule, ret, &needs);
	}
	assert_int_equal(needs, CELL_DONE);
}

struct tally {
	unsigned clean, affected, inconclusive;
	double stated;		/* mean confidence of clean cells */
	double exposure;	/* mean of clean cells */
	unsigned holds, clean_holds;	/* cells whose limit of the rate holds; clean ones of these */
};

static void tally_add(struct tally *t, const struct cell_verdict *cv, bool holds)
{
	bool clean = cv->v.value == VERDICT_CLEAN;

	t->clean += clean;
	t->affected += cv->v.value == VERDICT_AFFECTED;
	t->inconclusive += cv->v.value == VERDICT_INCONCLUSIVE;
	t->stated += clean ? cv->confidence : 0;
	t->exposure += clean ? cv->v.exposure : 0;
	t->holds += holds;
	t->clean_holds += holds && clean;
}

static struct tally simulate(const struct world *w, uint64_t seed)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < CELLS; i++) {
		double lower = simulate_control(w, &seed);
		struct cell_verdict cv;

		simulate_cell(w, lower, &seed, &cv);
		tally_add(&t, &cv, lower <= w->rate);
		cell_verdict_clear(&cv);
	}
	assert_int_equal(t.clean + t.affected + t.inconclusive, CELLS);
	t.stated /= fmax(t.clean, 1);
	t.exposure /= fmax(t.clean, 1);
	return t;
}

/* 1: what is stated is had, exactly. */
static void known_rate(void **state)
{
	static const double confidences[] = { 0.5, 0.8, 0.9, 0.95, 0.99 };

	for (size_t i = 0; i < G_N_ELEMENTS(confidences); i++) {
		double c = confidences[i];
		struct world w = { .rate = 0.01, .confidence = c, .job_exposure = 1000,
				   .sequential = true };
		struct tally stop = simulate(&w, 100 + i), split, whole;
		double missed = (double)stop.clean / CELLS;

		if (fabs(missed - (1 - c)) > POINTS || fabs(stop.stated - (1 - missed)) > POINTS)
			fail_msg("at %g: %g missed, %g stated", c, missed, stop.stated);
		assert_int_equal(stop.inconclusive, 0);
		/* the same when two or three jobs must add up */
		w.job_exposure = ceil(rate_exposure_for(w.rate, 1 - c) * 0.4);
		split = simulate(&w, 200 + i);
		missed = (double)split.clean / CELLS;
		if (fabs(missed - (1 - c)) > POINTS || fabs(split.stated - (1 - missed)) > POINTS)
			fail_msg("split at %g: %g missed, %g stated", c, missed, split.stated);
		assert_true(fabs(split.exposure - stop.exposure) < 1e-9 * stop.exposure);
		/* a run that goes on to its end states what it then has */
		w.job_exposure = 500;
		w.sequential = false;
		whole = simulate(&w, 300 + i);
		missed = (double)whole.clean / CELLS;
		assert_true(missed <= 1 - c + POINTS);
		if (whole.clean)
			assert_true(fabs(whole.stated - (1 - missed)) < POINTS);
	}
}

/* Three standard errors of a share of `n` that is near `p`, at least a bit. */
static double noise(double p, double n)
{
	return 3 * sqrt(p * (1 - p) / n) + 1 / n;
}

/* 2 and 3, for controls of which all runs fail. */
static void calibrated(void **state)
{
	static const double confidences[] = { 0.9, 0.95, 0.99 };
	static const unsigned runs[] = { 2, 5, 20 };

	for (size_t i = 0; i < G_N_ELEMENTS(confidences) * G_N_ELEMENTS(runs); i++) {
		double c = confidences[i % 3], n = runs[i / 3];
		struct world w = { .rate = 0.01, .control_limit = NEVER,
				   .control_runs = runs[i / 3], .confidence = c,
				   .job_exposure = 1e7, .sequential = true };
		struct tally t = simulate(&w, 400 + i);
		double missed = (double)t.clean / CELLS;
		double missed_holds = (double)t.clean_holds / t.holds;
		/* target / E = -ln(1 - c) * 2 / chi2: free of the true rate */
		double average = rate_p_missed_average(
			n, 1, -log(1 - c) * 2 / stats_chi2_inv(0.05, 2 * n));

		assert_true(fabs((double)t.holds / CELLS - 0.95) < noise(0.95, CELLS));
		if (missed_holds > 1 - c)
			fail_msg("at %g after %g runs: %g missed where the limit holds", c, n,
				 missed_holds);
		if (fabs(missed - average) > noise(average, CELLS) + 1e-3)
			fail_msg("at %g after %g runs: %g missed, %g foreseen", c, n, missed,
				 average);
		/* never less sure than stated, up to 99 % */
		assert_true(missed <= 1 - c + noise(1 - c, CELLS));
		assert_true(t.stated <= 1 - missed + POINTS);
		/* and at the default not much surer either: no time is wasted */
		if (c >= 0.99)
			assert_true(t.stated >= 1 - missed - POINTS);
	}
}

/* Controls of which some runs reach their end first, and cells of fixed duration. */
static void censored_and_fixed(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct world w = { .rate = 0.01, .control_limit = i % 2 ? 120 : 300,
				   .control_runs = CONTROL_RUNS, .confidence = 0.99,
				   .job_exposure = 900, .sequential = i / 2 };
		struct tally t = simulate(&w, 500 + i);
		double missed = (double)t.clean / CELLS;

		assert_true((double)t.holds / CELLS > 0.95 - noise(0.95, CELLS));
		assert_true(missed <= 0.01 + noise(0.01, CELLS));
		if (t.clean)
			assert_true(fabs(t.stated - (1 - missed)) < POINTS);
	}
}

/* A bug that strikes more often than the control's is missed less often. */
static void higher_rates(void **state)
{
	struct world w = { .rate = 0.02, .confidence = 0.9, .job_exposure = 1e5,
			   .sequential = true };
	uint64_t seed = 600;
	unsigned clean = 0;

	for (unsigned i = 0; i < CELLS; i++) {
		struct cell_verdict cv;

		simulate_cell(&w, 0.01, &seed, &cv);
		clean += cv.v.value == VERDICT_CLEAN;
		cell_verdict_clear(&cv);
	}
	assert_true(fabs((double)clean / CELLS - 0.01) < noise(0.01, CELLS));	/* 0.1 squared */
}

/* Both sides of a rate's interval, and the intervals of a proportion, against the truth. */
static void intervals_cover(void **state)
{
	static const double ps[] = { 0.05, 0.3, 0.5, 0.9 };
	uint64_t seed = 700;
	unsigned covered = 0;

	for (unsigned i = 0; i < CELLS; i++) {
		double e = 0;
		struct interval limits;

		for (unsigned j = 0; j < CONTROL_RUNS; j++)
			e += failure_at(0.003, &seed);
		limits = rate_limits(CONTROL_RUNS, e, 0.9);
		covered += limits.lower <= 0.003 && 0.003 <= limits.upper;
	}
	/* runs to failure: the lower side is exact, the upper counts one failure more */
	assert_true((double)covered / CELLS > 0.9 - noise(0.9, CELLS));
	for (size_t i = 0; i < G_N_ELEMENTS(ps); i++) {
		unsigned exact = 0, jeffreys = 0;

		for (unsigned j = 0; j < CELLS; j++) {
			unsigned hits = 0;
			struct interval cp, jf;

			for (unsigned k = 0; k < 20; k++)
				hits += uniform(&seed) < ps[i];
			cp = proportion_limits(hits, 20, 0.95);
			jf = proportion_jeffreys(hits, 20, 0.95);
			exact += cp.lower <= ps[i] && ps[i] <= cp.upper;
			jeffreys += jf.lower <= ps[i] && ps[i] <= jf.upper;
		}
		assert_true((double)exact / CELLS > 0.95 - noise(0.95, CELLS));
		if (fabs((double)jeffreys / CELLS - 0.95) > 0.045)
			fail_msg("p %g: Jeffreys covers %g", ps[i], (double)jeffreys / CELLS);
	}
}

/* An engine with faults: how often is the bound on its jobs below the truth? */
static void engine_bound_covers(void **state)
{
	static const struct {
		double boot, rate;
	} truths[] = { { 0.05, 0 }, { 0, 0.004 }, { 0.02, 0.002 } };
	uint64_t seed = 800;

	for (size_t i = 0; i < G_N_ELEMENTS(truths); i++) {
		double truth = 1 - (1 - truths[i].boot) * exp(-20 * truths[i].rate);
		unsigned wrong = 0;

		for (unsigned j = 0; j < CELLS; j++) {
			unsigned boots = 5 + 70 * uniform(&seed);
			bool fault = false;

			for (unsigned k = 0; k < boots && !fault; k++)
				fault = uniform(&seed) < truths[i].boot ||
					(truths[i].rate > 0 &&
					 failure_at(truths[i].rate, &seed) < 15);
			wrong += !fault && fault_per_job_upper(boots, 15.0 * boots, 20, 0.95) < truth;
		}
		assert_true((double)wrong / CELLS <= 0.05);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_rate),	      cmocka_unit_test(calibrated),
		cmocka_unit_test(censored_and_fixed), cmocka_unit_test(higher_rates),
		cmocka_unit_test(intervals_cover),    cmocka_unit_test(engine_bound_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
