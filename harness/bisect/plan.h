/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bisection will take, before it is begun and on its way.
 *
 * The plan is simulated: the same rules go on from where the bisection stands, in its own history
 * with its own prior, a change that is drawn from it is the culprit, kernels cost what they are known
 * or guessed to cost. How often it fails is not known before it is tried, so there are rows for rates.
 *
 * The time to go is a formula, as it is wanted after each test. With H bits to be told, p the
 * probability that a test of a bad kernel fails, C(p) = log2(1 + p (1 - p)^((1 - p) / p)) the capacity
 * of that channel (a Z-channel: Golomb 1980) and k = 1.2 for not knowing p:
 *	k H / C(p) tests, H kernels, what calibration and boundary (next.h) still lack
 * docs/kbisect.md has how good that is. Pure but for the clock of the limit.
 */
#ifndef KLAB_BISECT_PLAN_H
#define KLAB_BISECT_PLAN_H

#include "bisect/state.h"

#define BISECT_PLAN_ROWS 3

struct bisect_figure {
	double mean, p95, max;
};

/* How it goes if a run fails so often. */
struct bisect_plan_row {
	double p;	/* of a usual run of a kernel with the bug */
	double mean_s;	/* TIME: the same as mean seconds to the failure; else 0 */
	unsigned trials;	/* 0: none was done in time, and there is only `wall_s.mean`, by formula */
	bool all;	/* each change that is not excluded was the culprit at least once */
	/* kernels that are built or pulled; where none are kept, that are tested */
	struct bisect_figure tests, kernels, wall_s;
};

struct bisect_plan {
	bool measured;	/* the bad end has failed: one row, for the rate that was seen */
	unsigned n_rows;
	struct bisect_plan_row rows[BISECT_PLAN_ROWS];
};

/*
 * Rows for p = 1 (TIME: a tenth of a usual run), 0.5 and 0.2. `limit_s` of host time in all, 0: none.
 * At most `trials` of each row; in p = 1 as many as there are changes, if those are more: each of them
 * has its turn, and `max` holds whichever it is. Without limit the same seed gives the same.
 */
void bisect_plan(const struct bisect_state *s, unsigned trials, double limit_s, uint64_t seed,
		 struct bisect_plan *ret);

/* What tests cost, as far as that was measured: `run_s` (TIME: `boot_s`) from the tests so far. */
struct bisect_costs bisect_pace(const struct bisect_state *s);
/* Seconds from `b` to the answer, about; `costs` by the clock. 0: nothing is left to do. */
double bisect_remaining_s(const struct bisect_belief *b, const struct bisect_goal *goal,
			  const struct bisect_costs *costs);
/* The same of a state. */
double bisect_eta_s(const struct bisect_state *s);

#endif
