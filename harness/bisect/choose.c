// SPDX-License-Identifier: GPL-2.0-or-later
/* See choose.h. */
#include "bisect/choose.h"

#include <math.h>
#include <string.h>

double bisect_length(const struct bisect_model *m, const struct bisect_costs *costs, unsigned i)
{
	return m->form == BISECT_RUNS ? (double)(1u << i) : ldexp(costs->run_s, (int)i - 2);
}

/* --- all kernels at once ------------------------------------------------------------------------
 */

/* Of each hypothesis, and summed over histories: its weight, and for each length what it adds to
 * the probability of a failure and to the entropy that is left, if the bug is present. */
struct row {
	double w;
	double q[CHOOSE_LENGTHS], h[CHOOSE_LENGTHS];
};
#define ROW_WIDTH (sizeof(struct row) / sizeof(double))

struct table {
	const struct bisect_belief *b;
	const struct bisect_costs *costs;
	double length[CHOOSE_LENGTHS];
	double clean[CHOOSE_LENGTHS], clean_coin[CHOOSE_LENGTHS]; /* without the bug */
	struct row total, older;
	struct row *own, *sum; /* n: of each hypothesis, and over histories */
};

static void fill_coins(const struct table *t, struct bisect_tally present, struct row *ret)
{
	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		ret->q[i] = 1 - bisect_survives(t->b->model, present, t->length[i]);
		ret->h[i] = bisect_coin(ret->q[i]);
	}
}

static void scale(const struct row *coins, double w, struct row *ret)
{
	ret->w = w;
	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		ret->q[i] = w * coins->q[i];
		ret->h[i] = w * coins->h[i];
	}
}

static void add(struct row *to, const struct row *what, double sign)
{
	to->w += sign * what->w;
	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		to->q[i] += sign * what->q[i];
		to->h[i] += sign * what->h[i];
	}
}

static void table_fill(struct table *t)
{
	const struct bisect_belief *b = t->b;
	struct row coins = { 0 };

	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		t->length[i] = bisect_length(b->model, t->costs, i);
		t->clean[i] = 1 - bisect_survives_clean(b->model, t->length[i]);
		t->clean_coin[i] = bisect_coin(t->clean[i]);
	}
	fill_coins(t, b->all, &coins);
	scale(&coins, b->w_older, &t->older);
	for (unsigned c = 0; c < b->dag->n; c++) {
		const struct bisect_tally *now = &b->present[c], *last = c ? now - 1 : NULL;

		if (!last || now->fails != last->fails || now->had != last->had)
			fill_coins(t, *now, &coins);
		scale(&coins, b->w[c], &t->own[c]);
		add(&t->total, &t->own[c], 1);
	}
	dag_history(b->dag, (const double *)t->own, ROW_WIDTH, (double *)t->sum);
}

/* The sums where the bug is present in `node`. */
static struct row present_row(const struct table *t, unsigned node)
{
	struct row r = t->older;

	if (t->b->model->fix)
		add(&r, &t->total, 1);
	if (node < t->b->dag->n)
		add(&r, &t->sum[node], t->b->model->fix ? -1 : 1);
	return r;
}

/*
 * Seconds that a test of length i takes on average, as it stops at its failure: the probability of
 * getting so far, summed over runs or time. That is known at the lengths; between them it is taken
 * as straight, which is a little too much.
 */
static double expected_s(const struct table *t, const double *fails, unsigned i)
{
	bool runs = t->b->model->form == BISECT_RUNS;
	double sum = 0, at = 0, alive = 1;

	for (unsigned k = 0; k <= i; k++) {
		sum += (t->length[k] - at) * (alive + 1 - fails[k]) / 2;
		at = t->length[k];
		alive = 1 - fails[k];
	}
	if (!runs)
		return t->costs->boot_s + sum;
	/* run number j takes place if the j - 1 before it survived: the sum's steps start early */
	return (sum + fails[i] / 2) * (t->costs->boot_s + t->costs->run_s);
}

/* Of one kernel: what tests of each length tell and cost, summed over daydreams. */
struct prospect {
	double bits[CHOOSE_LENGTHS], cost_s[CHOOSE_LENGTHS];
};

static void prospect_add(const struct table *t, unsigned node, struct prospect *to)
{
	struct row r = present_row(t, node);
	double absent = fmax(0, 1 - r.w), fails[CHOOSE_LENGTHS];

	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		fails[i] = fmin(1, r.q[i] + absent * t->clean[i]);
		to->bits[i] += bisect_coin(fails[i]) - r.h[i] - absent * t->clean_coin[i];
		to->cost_s[i] += t->costs->make_s[node] + expected_s(t, fails, i);
	}
}

/* Kept from call to call: to have it mapped and cleared anew takes as long as to fill it. */
struct room {
	struct prospect *all;  /* n + 1 */
	struct row *own, *sum; /* n */
};

static struct room *room_of(struct bisect_belief *b)
{
	size_t n = b->dag->n, all = (n + 1) * sizeof(struct prospect),
	       rows = n * sizeof(struct row);
	struct room *room = b->room;

	if (!room) {
		b->room = room = g_malloc(sizeof(*room) + all + 2 * rows);
		room->all = (struct prospect *)(room + 1);
		room->own = (struct row *)(room->all + n + 1);
		room->sum = room->own + n;
	}
	return room;
}

static void look_at(const struct bisect_belief *b, const struct bisect_costs *costs,
		    const struct room *room)
{
	struct table t = { .b = b, .costs = costs, .own = room->own, .sum = room->sum };

	table_fill(&t);
	for (unsigned node = 0; node <= b->dag->n; node++)
		prospect_add(&t, node, &room->all[node]);
}

/* A failure comes half-way, as far as this matters. */
static void dream(struct bisect_belief *b, const struct bisect_test *test, GRand *rand)
{
	bool failed = g_rand_double(rand) < bisect_p_fails(b, test->node, test->length);

	if (!failed || b->model->form == BISECT_TIME)
		bisect_see(b, test->node, failed, failed ? test->length / 2 : test->length);
	else {
		bisect_see(b, test->node, false, floor(test->length / 2));
		bisect_see(b, test->node, true, 0);
	}
	bisect_update(b);
}

static unsigned look_ahead(const struct bisect_belief *b, const struct bisect_costs *costs,
			   const struct bisect_test *pending, unsigned n_pending, GRand *rand,
			   const struct room *room)
{
	memset(room->all, 0, (b->dag->n + 1) * sizeof(*room->all));
	if (!n_pending) {
		look_at(b, costs, room);
		return 1;
	}
	for (unsigned i = 0; i < CHOOSE_DAYDREAMS; i++) {
		g_autoptr(bisect_belief) then = bisect_belief_copy(b);

		for (unsigned k = 0; k < n_pending; k++)
			dream(then, &pending[k], rand);
		look_at(then, costs, room);
	}
	return CHOOSE_DAYDREAMS;
}

static struct bisect_test best_of(const struct prospect *p, unsigned node, unsigned dreams,
				  double testable)
{
	struct bisect_test best = { .node = DAG_NONE };

	for (unsigned i = 0; i < CHOOSE_LENGTHS; i++) {
		struct bisect_test test = { .node = node,
					    .length = i,
					    .bits = p->bits[i] / dreams,
					    .cost_s = p->cost_s[i] / dreams };

		test.score = test.bits * testable / test.cost_s;
		if (test.score > best.score)
			best = test;
	}
	return best;
}

struct bisect_test bisect_choose(struct bisect_belief *b, const struct bisect_costs *costs,
				 const struct bisect_test *pending, unsigned n_pending, GRand *rand)
{
	struct room *room = room_of(b);
	unsigned dreams = look_ahead(b, costs, pending, n_pending, rand, room);
	struct bisect_test best = { .node = DAG_NONE };

	for (unsigned node = 0; node <= b->dag->n; node++) {
		double testable = costs->untestable ? 1 - costs->untestable[node] : 1;
		struct bisect_test test = best_of(&room->all[node], node, dreams, testable);

		if (test.score > best.score)
			best = test;
	}
	best.length = bisect_length(b->model, costs, (unsigned)best.length);
	return best;
}
