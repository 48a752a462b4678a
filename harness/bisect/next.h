/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do next, from the first run to the answer:
 *
 *	CALIBRATE	the bad end, until it has failed `calibrate` times: without that, "the
 *culprit is later" and "it fails rarely" explain passes equally well for long
 *	VERIFY		where that is asked for: the good end, for about twice as long as the bad
 *end takes to fail. Else it is a kernel like others, tested when that is worth its price: that the
 *bug is older than it is a hypothesis all the time
 *	SEARCH		what bisect_choose() says, until one change has the asked probability
 *	BOUNDARY	that change itself and its parents, until each speaks for itself (below)
 *	DONE		with an answer
 *
 * The rate of a race is not the same over a year of history, and counts that were pooled over all
 *of it make the posterior too sure of itself. So the answer must also hold by what was seen right
 *at it: the culprit failed BISECT_OWN_FAILS times itself, and each of its parents survived what a
 * kernel that fails at the culprit's own rate (its lower 90 % limit) survives with a probability of
 * at most 1 - confidence. A fix mirrors that. It is no cure: simulated at p = 0.2 over 1000 changes, 1000
 * trials, with a rate that drifts (sd 0.5 of its logarithm), 1.6 % of answers were wrong where 1 % was
 * claimed, and 2.0 % without this rule; it took 5 % more runs (kbisect simulate --drift 0.5, and with
 * --trusting). Pure.
 */
#ifndef KLAB_BISECT_NEXT_H
#define KLAB_BISECT_NEXT_H

#include "bisect/choose.h"

#define BISECT_OWN_FAILS 4
#define BISECT_FIX_FAILS 2 /* of each parent of a fix */

struct bisect_goal {
	double confidence;    /* asked, of the answer */
	unsigned calibrate;   /* failures of the bad end; 0: none asked */
	double calibrate_max; /* runs or seconds for them */
	bool verify;          /* the good end before all else */
	bool boundary;        /* whether the answer must hold by what was seen right at it */
};

/* 5 failures within 500 runs (of run_s), the boundary checked. */
struct bisect_goal bisect_goal_default(const struct bisect_model *m, double confidence,
				       double run_s);

enum bisect_phase {
	BISECT_CALIBRATE,
	BISECT_VERIFY,
	BISECT_SEARCH,
	BISECT_BOUNDARY,
	BISECT_DONE,
};
const char *bisect_phase_name(enum bisect_phase phase);

enum bisect_answer {
	BISECT_OPEN,     /* not done */
	BISECT_FOUND,    /* one change, with the asked confidence */
	BISECT_SEVERAL,  /* one of some: nothing testable tells them apart */
	BISECT_OLDER,    /* the bug is there everywhere, the good end included */
	BISECT_NOISE,    /* no kernel has it more than any other */
	BISECT_TOO_RARE, /* the bad end did not fail often enough to go on */
};
const char *bisect_answer_name(enum bisect_answer answer);

struct bisect_step {
	enum bisect_phase phase;
	enum bisect_answer answer;
	struct bisect_test test; /* unless done */
	unsigned change;         /* the most likely one */
	bool drift;              /* the rate differs between the ends of the bad part */
};

/* The nodes of the ends. */
unsigned bisect_bad_end(const struct bisect_belief *b);
unsigned bisect_good_end(const struct bisect_belief *b);

/* `b` is updated; the others as for bisect_choose(). */
struct bisect_step bisect_next(struct bisect_belief *b, const struct bisect_goal *goal,
			       const struct bisect_costs *costs, const struct bisect_test *pending,
			       unsigned n_pending, GRand *rand);

/*
 * Does the rate drift? Natural logarithm of the Bayes factor of two rates against one, for the
 * early and the late half of what was seen where the bug is with a probability of 0.95. Over ln 10
 * the answer needs 1 - (1 - confidence) / 10, else 1 - (1 - confidence) / 2.
 */
double bisect_drift(const struct bisect_belief *b);

#endif
