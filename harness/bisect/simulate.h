/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kbisect's own rules in made-up worlds, beside what it is measured against: how often is the
 * answer wrong, and what does it cost? Pure; trials are independent and each follows from its seed.
 */
#ifndef KLAB_BISECT_SIMULATE_H
#define KLAB_BISECT_SIMULATE_H

#include "bisect/next.h"
#include "bisect/world.h"

enum sim_method {
	SIM_KBISECT,
	SIM_PLUGIN, /* git bisect that repeats: as often as the rate's lower limit from 5 failures
		       asks */
	SIM_ORACLE, /* git bisect that repeats, and is told the rate */
	SIM_REPEAT, /* git bisect that repeats so often, whatever the rate */
};

struct sim_outcome {
	enum bisect_answer answer;
	bool wrong; /* an answer that is not so */
	double runs, builds, wall_s;
	double slowest_s; /* decision, of this host's time */
};

/* A bisection to go on from, by the same rules (plan.h); all borrowed. */
struct sim_start {
	const struct bisect_belief *belief;
	const struct bisect_goal *goal;
	const struct bisect_costs *costs; /* what is chosen by */
	double run_s, boot_s;             /* what it takes by the clock */
	const uint8_t *known;             /* n + 1, of enum testable */
	double p;                         /* as in struct world_params */
	unsigned culprit;
	bool coarse;         /* a test is done in full before the next one is chosen */
	int64_t deadline_us; /* of clock_monotonic: then it is given up (BISECT_OPEN); 0: none */
};
struct sim_outcome simulate_from(const struct sim_start *start, uint64_t seed);

/* `repeats` is of SIM_REPEAT. `confidence` is asked; the boundary rule of kbisect is on unless
 * `trusting`. RUNS only, and one worker, but for SIM_KBISECT. */
struct sim_outcome simulate(const struct world_params *params, enum sim_method method,
			    double confidence, bool trusting, unsigned repeats, uint64_t seed);

#endif
