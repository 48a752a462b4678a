// SPDX-License-Identifier: GPL-2.0-or-later
/* See model.h. */
#include "bisect/model.h"

#include "stats/rate.h"

#include <math.h>
#include <string.h>

#define EPS_PER_RUN 0.005

struct bisect_model bisect_model_default(enum bisect_form form, double run_s, bool fix)
{
	bool runs = form == BISECT_RUNS;

	return (struct bisect_model){ .form = form,
				      .fix = fix,
				      .a = 0.5,
				      .b = runs ? 0.5 : 0.5 * run_s,
				      .eps = runs ? EPS_PER_RUN : EPS_PER_RUN / run_s,
				      .prior_older = 0.03,
				      .prior_none = 0.01 };
}

void bisect_belief_free(struct bisect_belief *b)
{
	if (!b)
		return;
	g_free(b->at);
	g_free(b->w);
	g_free(b->present);
	g_free(b->room);
	g_free(b);
}

struct bisect_belief *bisect_belief_new(const struct dag *dag, const struct bisect_model *model,
					const double *prior)
{
	struct bisect_belief *b = g_new0(struct bisect_belief, 1);

	b->dag = dag;
	b->model = model;
	b->prior = prior;
	b->at = g_new0(struct bisect_tally, dag->n + 1);
	b->w = g_new0(double, dag->n);
	b->present = g_new0(struct bisect_tally, dag->n);
	bisect_update(b);
	return b;
}

struct bisect_belief *bisect_belief_copy(const struct bisect_belief *b)
{
	unsigned n = b->dag->n;
	struct bisect_belief *copy = g_memdup2(b, sizeof(*b));

	copy->at = g_memdup2(b->at, (n + 1) * sizeof(*b->at));
	copy->w = g_memdup2(b->w, n * sizeof(*b->w));
	copy->present = g_memdup2(b->present, n * sizeof(*b->present));
	copy->room = NULL;
	return copy;
}

static void tally_add(const struct bisect_model *m, struct bisect_tally *t, bool failed, double had)
{
	t->fails += failed;
	t->had += m->form == BISECT_TIME || !failed ? had : 0;
}

void bisect_see(struct bisect_belief *b, unsigned node, bool failed, double had)
{
	tally_add(b->model, &b->at[node], failed, had);
	tally_add(b->model, &b->all, failed, had);
}

/* --- likelihood ---------------------------------------------------------------------------------
 */

static double ln_gamma(double x)
{
	int sign;

	return lgamma_r(x, &sign); /* lgamma() writes a global */
}

static double ln_beta(double a, double b)
{
	return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
}

double bisect_log_likelihood(const struct bisect_model *m, struct bisect_tally present,
			     struct bisect_tally all)
{
	double fails = all.fails - present.fails, had = all.had - present.had;

	if (m->form == BISECT_RUNS)
		return fails * log(m->eps) + had * log1p(-m->eps) +
		       ln_beta(m->a + present.fails, m->b + present.had) - ln_beta(m->a, m->b);
	return fails * log(m->eps) - m->eps * had + m->a * log(m->b) - ln_gamma(m->a) +
	       ln_gamma(m->a + present.fails) - (m->a + present.fails) * log(m->b + present.had);
}

double bisect_survives(const struct bisect_model *m, struct bisect_tally present, double length)
{
	double a = m->a + present.fails, b = m->b + present.had, p = 1;

	if (m->form == BISECT_TIME)
		return pow(b / (b + length), a);
	for (unsigned i = 0; i < length; i++)
		p *= (b + i) / (a + b + i);
	return p;
}

double bisect_survives_clean(const struct bisect_model *m, double length)
{
	return m->form == BISECT_TIME ? exp(-m->eps * length) : pow(1 - m->eps, length);
}

double bisect_rate_quantile(const struct bisect_model *m, struct bisect_tally tally, double p)
{
	if (m->form == BISECT_TIME)
		return stats_gamma_p_inv(m->a + tally.fails, p) / (m->b + tally.had);
	return stats_beta_i_inv(m->a + tally.fails, m->b + tally.had, p);
}

/* --- posterior ----------------------------------------------------------------------------------
 */

/* The evidence where the bug is under each hypothesis: what lies in a change's future; where a fix
 * is looked for, all else. */
static void spread(struct bisect_belief *b)
{
	unsigned n = b->dag->n;

	dag_future(b->dag, (const double *)b->at, 2, (double *)b->present);
	for (unsigned c = 0; b->model->fix && c < n; c++) {
		b->present[c].fails = b->all.fails - b->present[c].fails;
		b->present[c].had = b->all.had - b->present[c].had;
	}
}

static double prior_of(const struct bisect_belief *b, unsigned c)
{
	return b->prior ? b->prior[c] : 1;
}

static double prior_sum(const struct bisect_belief *b)
{
	double sum = 0;

	for (unsigned c = 0; c < b->dag->n; c++)
		sum += prior_of(b, c);
	return sum;
}

static bool same(struct bisect_tally x, struct bisect_tally y)
{
	return x.fails == y.fails && x.had == y.had;
}

/* Neighbours mostly see the same evidence: their likelihood is not worked out twice. */
static double log_weights(struct bisect_belief *b, double *log_older, double *log_none)
{
	double share = (1 - b->model->prior_older - b->model->prior_none) / prior_sum(b);
	double max, likelihood = 0;

	*log_older = log(b->model->prior_older) + bisect_log_likelihood(b->model, b->all, b->all);
	*log_none = log(b->model->prior_none) +
		    bisect_log_likelihood(b->model, (struct bisect_tally){ 0 }, b->all);
	max = fmax(*log_older, *log_none);
	for (unsigned c = 0; c < b->dag->n; c++) {
		if (!c || !same(b->present[c], b->present[c - 1]))
			likelihood = bisect_log_likelihood(b->model, b->present[c], b->all);
		b->w[c] = log(share * prior_of(b, c)) + likelihood;
		max = fmax(max, b->w[c]);
	}
	return max;
}

void bisect_update(struct bisect_belief *b)
{
	double log_older, log_none, max, sum;

	spread(b);
	max = log_weights(b, &log_older, &log_none);
	b->w_older = exp(log_older - max);
	b->w_none = exp(log_none - max);
	sum = b->w_older + b->w_none;
	for (unsigned c = 0; c < b->dag->n; c++)
		sum += b->w[c] = exp(b->w[c] - max);
	for (unsigned c = 0; c < b->dag->n; c++)
		b->w[c] /= sum;
	b->w_older /= sum;
	b->w_none /= sum;
}

/* --- what is asked of it ------------------------------------------------------------------------
 */

void bisect_present_under(const struct bisect_belief *b, unsigned node, uint8_t *ret)
{
	memset(ret, 0, b->dag->n);
	if (node < b->dag->n)
		dag_mark(b->dag, node, ret);
	for (unsigned c = 0; b->model->fix && c < b->dag->n; c++)
		ret[c] = !ret[c];
}

double bisect_p_present(const struct bisect_belief *b, unsigned node)
{
	g_autofree uint8_t *in = g_new(uint8_t, b->dag->n);
	double sum = b->w_older;

	bisect_present_under(b, node, in);
	for (unsigned c = 0; c < b->dag->n; c++)
		sum += in[c] ? b->w[c] : 0;
	return sum;
}

double bisect_coin(double p)
{
	return p <= 0 || p >= 1 ? 0 : -(p * log2(p) + (1 - p) * log2(1 - p));
}

/* The mean over all hypotheses of what `of` makes of the probability that the test fails. */
static double mean_of(const struct bisect_belief *b, unsigned node, double length,
		      double (*of)(double))
{
	g_autofree uint8_t *in = g_new(uint8_t, b->dag->n);
	double clean = of(1 - bisect_survives_clean(b->model, length));
	double sum =
		b->w_older * of(1 - bisect_survives(b->model, b->all, length)) + b->w_none * clean;

	bisect_present_under(b, node, in);
	for (unsigned c = 0; c < b->dag->n; c++)
		sum += b->w[c] *
		       (in[c] ? of(1 - bisect_survives(b->model, b->present[c], length)) : clean);
	return sum;
}

static double itself(double p)
{
	return p;
}

double bisect_p_fails(const struct bisect_belief *b, unsigned node, double length)
{
	return mean_of(b, node, length, itself);
}

double bisect_information(const struct bisect_belief *b, unsigned node, double length)
{
	return bisect_coin(mean_of(b, node, length, itself)) -
	       mean_of(b, node, length, bisect_coin);
}

unsigned bisect_best(const struct bisect_belief *b)
{
	unsigned best = 0;

	for (unsigned c = 1; c < b->dag->n; c++)
		if (b->w[c] > b->w[best])
			best = c;
	return best;
}

static int by_weight(gconstpointer a, gconstpointer b, gpointer data)
{
	const double *w = data;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return w[x] > w[y] ? -1 : w[x] < w[y] ? 1 : x < y ? -1 : x > y;
}

unsigned *bisect_credible(const struct bisect_belief *b, double mass, unsigned *ret_n)
{
	unsigned *order = g_new(unsigned, b->dag->n), n = 0;
	double sum = 0;

	for (unsigned c = 0; c < b->dag->n; c++)
		order[c] = c;
	g_qsort_with_data(order, b->dag->n, sizeof(*order), by_weight, b->w);
	while (n < b->dag->n && sum < mass)
		sum += b->w[order[n++]];
	*ret_n = n;
	return order;
}
