// SPDX-License-Identifier: GPL-2.0-or-later
/* See next.h. */
#include "bisect/next.h"

#include <math.h>

#define CALIBRATE_FAILS 5
#define CALIBRATE_RUNS 500
#define PRESENT_SURELY 0.95
#define BITS_LEAST 1e-5 /* a test that tells less tells nothing */

struct bisect_goal bisect_goal_default(const struct bisect_model *m, double confidence,
				       double run_s)
{
	return (struct bisect_goal){ .confidence = confidence,
				     .calibrate = CALIBRATE_FAILS,
				     .calibrate_max =
					     CALIBRATE_RUNS * (m->form == BISECT_TIME ? run_s : 1),
				     .boundary = true };
}

const char *bisect_phase_name(enum bisect_phase phase)
{
	static const char *const names[] = { "calibrate", "verify", "search", "boundary", "done" };

	return names[phase];
}

const char *bisect_answer_name(enum bisect_answer answer)
{
	static const char *const names[] = { "open",  "found", "several",
					     "older", "noise", "too-rare" };

	return names[answer];
}

unsigned bisect_bad_end(const struct bisect_belief *b)
{
	return b->model->fix ? b->dag->n : b->dag->n - 1;
}

unsigned bisect_good_end(const struct bisect_belief *b)
{
	return b->model->fix ? b->dag->n - 1 : b->dag->n;
}

/* --- does the rate drift? -----------------------------------------------------------------------
 */

static struct bisect_tally plus(struct bisect_tally x, struct bisect_tally y)
{
	return (struct bisect_tally){ x.fails + y.fails, x.had + y.had };
}

static bool seen(struct bisect_tally t)
{
	return t.fails > 0 || t.had > 0;
}

static double log_alone(const struct bisect_model *m, struct bisect_tally t)
{
	return bisect_log_likelihood(m, t, t);
}

/* The evidence of kernels that have the bug, in order of history; the bad end of a fix comes first.
 */
static GArray *surely_bad(const struct bisect_belief *b)
{
	GArray *bad = g_array_new(FALSE, FALSE, sizeof(struct bisect_tally));

	if (b->model->fix && seen(b->at[b->dag->n]))
		g_array_append_val(bad, b->at[b->dag->n]);
	for (unsigned t = 0; t < b->dag->n; t++)
		if (seen(b->at[t]) && bisect_p_present(b, t) >= PRESENT_SURELY)
			g_array_append_val(bad, b->at[t]);
	return bad;
}

double bisect_drift(const struct bisect_belief *b)
{
	g_autoptr(GArray) bad = surely_bad(b);
	struct bisect_tally half[2] = { 0 };
	double runs = 0, so_far = 0;

	for (guint i = 0; i < bad->len; i++) {
		struct bisect_tally *t = &g_array_index(bad, struct bisect_tally, i);

		runs += t->fails + t->had;
	}
	for (guint i = 0; i < bad->len; i++) {
		struct bisect_tally *t = &g_array_index(bad, struct bisect_tally, i);
		unsigned late = so_far + (t->fails + t->had) / 2 > runs / 2;

		half[late] = plus(half[late], *t);
		so_far += t->fails + t->had;
	}
	if (!seen(half[0]) || !seen(half[1]))
		return 0;
	return log_alone(b->model, half[0]) + log_alone(b->model, half[1]) -
	       log_alone(b->model, plus(half[0], half[1]));
}

/* --- the boundary -------------------------------------------------------------------------------
 */

static struct bisect_test test_of(const struct bisect_belief *b, const struct bisect_costs *costs,
				  unsigned node, double length)
{
	bool runs = b->model->form == BISECT_RUNS;
	double each = costs->boot_s + (runs ? costs->run_s : length);
	struct bisect_test test = { .node = node, .length = length, .score = 1 };

	test.bits = bisect_information(b, node, length);
	test.cost_s = costs->make_s[node] + (runs ? length : 1) * each;
	return test;
}

/* One run, or a usual one's time. */
static double one(const struct bisect_model *m, const struct bisect_costs *costs)
{
	return m->form == BISECT_RUNS ? 1 : costs->run_s;
}

/* Node number i of those right before `change`; DAG_NONE: no more. A root stands on the other end.
 */
static unsigned parent_at(const struct dag *d, unsigned change, unsigned i)
{
	unsigned n = dag_n_parents(d, change);

	if (i < n)
		return d->parents[d->first[change] + i];
	return !n && !i ? d->n : DAG_NONE;
}

/* Would the bug, at its lower rate by `bad` alone, have survived `good` by chance? */
static bool survived_enough(const struct bisect_belief *b, struct bisect_tally bad,
			    struct bisect_tally good, double alpha)
{
	double rate = bisect_rate_quantile(b->model, bad, 0.1);
	double log_p = b->model->form == BISECT_RUNS ? good.had * log1p(-rate) : -good.had * rate;

	return log_p <= log(alpha);
}

static bool untestable(const struct bisect_costs *costs, unsigned node)
{
	return costs->untestable && costs->untestable[node] >= 1;
}

/* The node that has to be tested more before `change` is the answer; DAG_NONE: none. */
static unsigned culprit_lacks(const struct bisect_belief *b, const struct bisect_costs *costs,
			      unsigned change, double alpha)
{
	unsigned parent;

	if (b->at[change].fails < BISECT_OWN_FAILS && !untestable(costs, change))
		return change;
	for (unsigned i = 0; (parent = parent_at(b->dag, change, i)) != DAG_NONE; i++)
		if (!untestable(costs, parent) &&
		    !survived_enough(b, b->at[change], b->at[parent], alpha))
			return parent;
	return DAG_NONE;
}

static unsigned fix_lacks(const struct bisect_belief *b, const struct bisect_costs *costs,
			  unsigned change, double alpha)
{
	struct bisect_tally before = { 0 };
	unsigned parent;

	for (unsigned i = 0; (parent = parent_at(b->dag, change, i)) != DAG_NONE; i++) {
		before = plus(before, b->at[parent]);
		if (b->at[parent].fails < BISECT_FIX_FAILS && !untestable(costs, parent))
			return parent;
	}
	if (untestable(costs, change) || survived_enough(b, before, b->at[change], alpha))
		return DAG_NONE;
	return change;
}

/* --- the phases ---------------------------------------------------------------------------------
 */

struct context {
	const struct bisect_belief *b;
	const struct bisect_goal *goal;
	const struct bisect_costs *costs;
	double alpha, least; /* what may be missing of 1; what one change must have */
};

static bool calibrating(const struct context *x, struct bisect_step *ret)
{
	unsigned bad = bisect_bad_end(x->b);
	struct bisect_tally t = x->b->at[bad];
	double had = t.had + (x->b->model->form == BISECT_RUNS ? t.fails : 0);

	if (t.fails >= x->goal->calibrate)
		return false;
	ret->phase = BISECT_CALIBRATE;
	ret->test = test_of(x->b, x->costs, bad, one(x->b->model, x->costs));
	if (had >= x->goal->calibrate_max || untestable(x->costs, bad)) {
		ret->phase = BISECT_DONE;
		ret->answer = BISECT_TOO_RARE;
	}
	return true;
}

/* Twice as long as the bad end takes for a failure: what is wrong with the ends shows early. */
static bool verifying(const struct context *x, struct bisect_step *ret)
{
	unsigned good = bisect_good_end(x->b), bad = bisect_bad_end(x->b);
	double rate = bisect_rate_quantile(x->b->model, x->b->at[bad], 0.5);

	if (!x->goal->verify || untestable(x->costs, good) || x->b->at[good].fails > 0 ||
	    x->b->at[good].had * rate >= 2)
		return false;
	ret->phase = BISECT_VERIFY;
	ret->test = test_of(x->b, x->costs, good, one(x->b->model, x->costs));
	return true;
}

static bool answered(const struct context *x, struct bisect_step *ret)
{
	const struct bisect_belief *b = x->b;
	unsigned lacks = DAG_NONE;

	if (b->w_older >= x->least || b->w_none >= x->least) {
		ret->phase = BISECT_DONE;
		ret->answer = b->w_older >= x->least ? BISECT_OLDER : BISECT_NOISE;
		return true;
	}
	if (b->w[ret->change] < x->least || b->w_older + b->w_none > x->alpha / 4)
		return false;
	if (x->goal->boundary)
		lacks = b->model->fix ? fix_lacks(b, x->costs, ret->change, x->alpha)
				      : culprit_lacks(b, x->costs, ret->change, x->alpha);
	if (lacks != DAG_NONE) {
		ret->phase = BISECT_BOUNDARY;
		ret->test = test_of(b, x->costs, lacks, one(b->model, x->costs));
	} else {
		ret->phase = BISECT_DONE;
		ret->answer = BISECT_FOUND;
	}
	return true;
}

struct bisect_step bisect_next(struct bisect_belief *b, const struct bisect_goal *goal,
			       const struct bisect_costs *costs, const struct bisect_test *pending,
			       unsigned n_pending, GRand *rand)
{
	struct context x = { .b = b, .goal = goal, .costs = costs, .alpha = 1 - goal->confidence };
	struct bisect_step step = { .phase = BISECT_SEARCH, .change = bisect_best(b) };

	if (calibrating(&x, &step) || verifying(&x, &step))
		return step;
	/* looked at only where it matters: a decision must not cost more than a boot */
	step.drift = b->w[step.change] >= 1 - x.alpha && bisect_drift(b) > log(10);
	x.least = 1 - x.alpha / (step.drift ? 10 : 2);
	if (answered(&x, &step))
		return step;
	step.test = bisect_choose(b, costs, pending, n_pending, rand);
	if (step.test.node == DAG_NONE || step.test.bits < BITS_LEAST) {
		step.phase = BISECT_DONE;
		step.answer = BISECT_SEVERAL;
	}
	return step;
}
