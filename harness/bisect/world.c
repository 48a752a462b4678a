// SPDX-License-Identifier: GPL-2.0-or-later
/* See world.h. */
#include "bisect/world.h"

#include <math.h>

#define DRIFT_SPAN 150
#define BROKEN_SPAN 8
#define MERGE_ONE_IN 13
#define FORK_ONE_IN 13
#define OPEN_MAX 40   /* branches at once */
#define FORK_BACK 300 /* changes */

void world_free(struct world *w)
{
	if (!w)
		return;
	dag_free(w->made);
	g_free(w->rate);
	g_free(w->broken);
	g_free(w->present);
	g_rand_free(w->rand);
	g_free(w);
}

/* --- a history ----------------------------------------------------------------------------------
 */

struct growth {
	GRand *rand;
	GArray *first, *parents; /* of unsigned */
	unsigned n, limit;
	unsigned tip[OPEN_MAX], n_tips; /* tip[0]: the trunk's */
};

static unsigned grow(struct growth *g, const unsigned *parents, unsigned n)
{
	g_array_append_vals(g->parents, parents, n);
	g_array_append_val(g->first, g->parents->len);
	return g->n++;
}

static void merge(struct growth *g)
{
	unsigned which = g_rand_int_range(g->rand, 1, g->n_tips);

	g->tip[0] = grow(g, (unsigned[]){ g->tip[0], g->tip[which] }, 2);
	g->tip[which] = g->tip[--g->n_tips];
}

static void fork_off(struct growth *g)
{
	unsigned back = g_rand_int_range(g->rand, 0, MIN(g->n, FORK_BACK));
	unsigned from = g_rand_int_range(g->rand, 0, 4)
				? g->n - 1 - back
				: g->tip[g_rand_int_range(g->rand, 0, g->n_tips)];

	g->tip[g->n_tips++] = grow(g, &from, 1);
}

static void step(struct growth *g)
{
	if (g->n_tips > 1 && !g_rand_int_range(g->rand, 0, MERGE_ONE_IN))
		merge(g);
	else if (g->n_tips < OPEN_MAX && g->n + g->n_tips < g->limit &&
		 !g_rand_int_range(g->rand, 0, FORK_ONE_IN))
		fork_off(g);
	else {
		unsigned which = g_rand_int_range(g->rand, 0, g->n_tips);

		g->tip[which] = grow(g, &g->tip[which], 1);
	}
}

struct dag *world_history(unsigned n, GRand *rand)
{
	g_autoptr(GArray) first = g_array_new(FALSE, TRUE, sizeof(unsigned));
	g_autoptr(GArray) parents = g_array_new(FALSE, TRUE, sizeof(unsigned));
	struct growth g = {
		.rand = rand, .first = first, .parents = parents, .limit = n, .n_tips = 1
	};
	unsigned none = 0;
	struct dag *d = NULL;

	g_array_append_val(first, none);
	g.tip[0] = grow(&g, NULL, 0);
	while (g.n + g.n_tips - 1 < n)
		step(&g);
	while (g.n < n)
		if (g.n_tips > 1)
			merge(&g);
		else
			g.tip[0] = grow(&g, g.tip, 1);
	if (!dag_new(n, (unsigned *)first->data, (unsigned *)parents->data, &d, NULL))
		g_assert_not_reached();
	return d;
}

/* --- what is wrong with it ----------------------------------------------------------------------
 */

/* Box and Muller 1958 */
static double normal(GRand *rand)
{
	double u = 1 - g_rand_double(rand), v = g_rand_double(rand);

	return sqrt(-2 * log(u)) * cos(2 * G_PI * v);
}

/* Factors with mean 1. The drift is an Ornstein-Uhlenbeck process over the numbers of the changes.
 */
static void set_rates(struct world *w)
{
	const struct world_params *p = w->params;
	double keep = exp(-1 / (p->drift_span > 0 ? p->drift_span : DRIFT_SPAN));
	double drift = normal(w->rand);

	for (unsigned i = 0; i <= p->n; i++) {
		double own = p->own_sd * normal(w->rand), slow = p->drift_sd * drift;

		w->rate[i] = p->p * exp(own + slow -
					(p->own_sd * p->own_sd + p->drift_sd * p->drift_sd) / 2);
		if (p->form == BISECT_RUNS)
			w->rate[i] = fmin(w->rate[i], 1);
		drift = keep * drift + sqrt(1 - keep * keep) * normal(w->rand);
	}
}

static void set_broken(struct world *w)
{
	const struct world_params *p = w->params;
	double begin = p->untestable / BROKEN_SPAN / fmax(1e-9, 1 - p->untestable);
	bool broken = false;

	for (unsigned i = 0; i + 1 < p->n; i++) {
		broken = broken ? g_rand_int_range(w->rand, 0, BROKEN_SPAN) != 0
				: g_rand_double(w->rand) < begin;
		w->broken[i] = broken;
	}
	w->broken[w->culprit] = false;
	for (unsigned i = w->dag->first[w->culprit]; i < w->dag->first[w->culprit + 1]; i++)
		w->broken[w->dag->parents[i]] = false;
}

static void set_present(struct world *w)
{
	const struct dag *d = w->dag;

	/* who has it, then who fails by it; parents come first */
	for (unsigned t = 0; t < d->n; t++) {
		w->present[t] = t == w->culprit;
		for (unsigned i = d->first[t]; i < d->first[t + 1]; i++)
			w->present[t] |= w->present[d->parents[i]];
	}
	for (unsigned t = 0; w->params->fix && t < d->n; t++)
		w->present[t] = !w->present[t];
	w->present[d->n] = w->params->fix;
}

static struct world *empty(const struct world_params *params, uint64_t seed)
{
	guint32 seeds[] = { (guint32)seed, (guint32)(seed >> 32) };
	struct world *w = g_new0(struct world, 1);

	w->params = params;
	w->rand = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
	w->rate = g_new(double, params->n + 1);
	w->broken = g_new0(bool, params->n + 1);
	w->present = g_new0(uint8_t, params->n + 1);
	return w;
}

struct world *world_new(const struct world_params *params, uint64_t seed)
{
	struct world *w = empty(params, seed);
	unsigned n = params->n;

	w->dag = w->made = params->merges ? world_history(n, w->rand) : dag_chain(n);
	w->culprit = g_rand_int_range(w->rand, 0, n);
	set_rates(w);
	set_broken(w);
	set_present(w);
	return w;
}

struct world *world_given(const struct world_params *params, const struct dag *dag,
			  unsigned culprit, const uint8_t *known, uint64_t seed)
{
	struct world *w = empty(params, seed);

	w->dag = dag;
	w->culprit = culprit;
	for (unsigned i = 0; i <= dag->n; i++) {
		w->rate[i] = params->p;
		w->broken[i] = known[i] == TESTABLE_NO;
	}
	set_present(w);
	return w;
}

bool world_test(struct world *w, unsigned node, double length, double *ret_had)
{
	double rate = w->present[node] ? w->rate[node] : w->params->eps;
	double at;

	if (w->params->form == BISECT_RUNS) {
		*ret_had = 1;
		return g_rand_double(w->rand) < rate;
	}
	at = rate > 0 ? -log1p(-g_rand_double(w->rand)) / rate : INFINITY;
	*ret_had = fmin(at, length);
	return at < length;
}
