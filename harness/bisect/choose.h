/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which kernel to test next, and for how long: what tells most about where the change is, per
 * second that it costs. Pure.
 *
 * A test of a kernel t that lasts `length` fails with probability Y; under each hypothesis with q.
 * It tells I = h(Y) - sum of w h(q) bits (h: entropy of a coin), which is by how much the
 * posterior's entropy falls on average; sums over a kernel's history give it for all kernels at
 * once. With noise on one side the median is not the best place: the bug should be there with
 * probability 0.5 down to 0.37.
 */
#ifndef KLAB_BISECT_CHOOSE_H
#define KLAB_BISECT_CHOOSE_H

#include "bisect/model.h"

#define CHOOSE_DAYDREAMS 12
#define CHOOSE_LENGTHS 7 /* RUNS: 1, 2, 4 .. 64 runs; TIME: run_s / 4 .. 16 run_s */

/* What tests cost; n + 1 of each array, the last for the other end. */
struct bisect_costs {
	double run_s;             /* RUNS: a run without its boot; TIME: the usual length */
	double boot_s;            /* of each run */
	const double *make_s;     /* until the kernel can boot: 0 if it is built or cached */
	const double *untestable; /* probability that it cannot be tested; 1: known. NULL: 0 */
	unsigned jobs;            /* guests at once; 0: one */
	bool unkept;              /* nobody keeps kernels: a test's own command makes them */
};

struct bisect_test {
	unsigned node; /* DAG_NONE: nothing can be tested that would tell anything */
	double length; /* RUNS: runs, to stop at the first failure; TIME: seconds */
	double bits;   /* expected, if it can be tested */
	double cost_s; /* expected */
	double score;  /* bits a second, counting that it may not be testable */
};

/* Length number i in [0, CHOOSE_LENGTHS). */
double bisect_length(const struct bisect_model *m, const struct bisect_costs *costs, unsigned i);
/*
 * The best test to do beside the `n_pending` ones that are under way (0: alone), for what it adds
 * to them: averaged over CHOOSE_DAYDREAMS outcomes of these, drawn by `rand`. Called for one slot
 * after the other this is greedy, which is within 1 - 1/e of the best set as far as runs are
 * independent given change and rate (Nemhauser, Wolsey and Fisher 1978). The same kernel may come
 * again. `b` is updated.
 */
struct bisect_test bisect_choose(struct bisect_belief *b, const struct bisect_costs *costs,
				 const struct bisect_test *pending, unsigned n_pending,
				 GRand *rand);

#endif
