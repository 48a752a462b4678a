// SPDX-License-Identifier: GPL-2.0-or-later
/* See plan.h. */
#include "bisect/plan.h"

#include "bisect/simulate.h"

#include <math.h>
#include <string.h>

#define UNKNOWN_RATE 1.2	/* tests, against those of who knows the rate */
#define PRESENT_USUAL 0.4	/* how likely the bug is in a kernel that is worth a test */
#define RATE_A 0.7		/* failures that are thought to have been seen, in one run */
#define USUAL_LENGTH 1.5	/* of a test that is chosen, in mean times to failure */
#define AT_ONCE 0.1		/* of a usual run: a failure that every run shows */
#define EXCLUDED 1e-7	/* of the likeliest change: by its image, or by what git said */
#define COARSE_FROM 200	/* changes: from there on decisions take long, and figures differ by 1 % */
#define SHARE_OF_JOBS 0.9	/* guests at once help less than they are many */

/* --- the pace ----------------------------------------------------------------------------------- */

static bool tells_pace(const struct bisect_run *run)
{
	return run->ended && run->outcome != OUTCOME_LOST && run->outcome != OUTCOME_UNTESTABLE;
}

struct bisect_costs bisect_pace(const struct bisect_state *s)
{
	bool runs = s->model.form == BISECT_RUNS;
	struct bisect_costs costs = s->costs;
	double seconds = 0, had = 0;
	unsigned n = 0;

	for (guint i = 0; i < s->runs->len; i++) {
		const struct bisect_run *run = s->runs->pdata[i];

		if (!tells_pace(run))
			continue;
		n++;
		seconds += run->seconds;
		had += run->had;
	}
	if (!n)
		return costs;
	/* a round's time is shared among its tests */
	costs.boot_s = runs ? 0 : fmax(0, (seconds * MAX(costs.jobs, 1) - had) / n);
	costs.run_s = runs ? seconds / n : costs.run_s;
	return costs;
}

/* --- what is left, by formula ------------------------------------------------------------------- */

struct outlook {
	const struct bisect_belief *b;
	const struct bisect_goal *goal;
	const struct bisect_costs *costs;
	bool runs;
	unsigned best, bad;
	double rate, length, p;	/* TIME: failures a second, of a usual test; p: that it fails */
};

/* Not the model's: where little was seen its median is far off, and times go by 1 / rate. */
static double rate_of(const struct bisect_model *m, struct bisect_tally t,
		      const struct bisect_costs *costs)
{
	if (m->form == BISECT_RUNS)
		return (t.fails + RATE_A) / (t.fails + t.had + 1);
	return (t.fails + RATE_A) / (t.had + RATE_A * costs->run_s);
}

/* By the evidence where the bug is, if the best guess is right. */
static struct outlook look_out(const struct bisect_belief *b, const struct bisect_goal *goal,
			       const struct bisect_costs *costs)
{
	struct outlook x = { .b = b, .goal = goal, .costs = costs, .length = 1,
			     .runs = b->model->form == BISECT_RUNS, .best = bisect_best(b),
			     .bad = bisect_bad_end(b) };

	x.rate = rate_of(b->model, b->present[x.best], costs);
	if (x.runs) {
		x.p = x.rate;
		return x;
	}
	x.length = CLAMP(USUAL_LENGTH / x.rate, bisect_length(b->model, costs, 0),
			 bisect_length(b->model, costs, CHOOSE_LENGTHS - 1));
	x.p = -expm1(-x.rate * x.length);
	return x;
}

/* Seconds of a test of that length where the bug is with probability `present`. */
static double test_s(const struct outlook *x, double length, double present)
{
	if (x->runs)
		return x->costs->boot_s + x->costs->run_s;
	return x->costs->boot_s + (1 - present) * length +
	       present * -expm1(-x->rate * length) / x->rate;
}

/* Seconds until a bad kernel has failed `fails` times, in runs of the usual length. */
static double failing_s(const struct outlook *x, double fails)
{
	double length = x->runs ? 1 : x->costs->run_s;
	double p = x->runs ? x->p : -expm1(-x->rate * length);

	return fmax(fails, 0) / p * test_s(x, length, 1);
}

/* Seconds until a good kernel has survived so many runs, or so much time. */
static double surviving_s(const struct outlook *x, double length)
{
	double each = x->runs ? 1 : x->costs->run_s;

	return fmax(ceil(length / each), 0) * test_s(x, each, 0);
}

static double make_s(const struct outlook *x, unsigned node)
{
	return x->costs->unkept ? 0 : x->costs->make_s[node];
}

static double ends_s(const struct outlook *x)
{
	struct bisect_tally bad = x->b->at[x->bad], good = x->b->at[bisect_good_end(x->b)];
	double sum = 0;

	if (bad.fails < x->goal->calibrate)
		sum += make_s(x, x->bad) + failing_s(x, x->goal->calibrate - bad.fails);
	if (x->goal->verify && good.fails <= 0)
		sum += surviving_s(x, fmax(0, 2 / x->rate - good.had));
	return sum;
}

static double bits_of(double w)
{
	return w > 0 ? -w * log2(w) : 0;
}

static double search_s(const struct outlook *x)
{
	double bits = bits_of(x->b->w_older) + bits_of(x->b->w_none), make = 0, capacity;

	for (unsigned c = 0; c < x->b->dag->n; c++) {
		bits += bits_of(x->b->w[c]);
		make += x->b->w[c] * make_s(x, c);
	}
	capacity = log2(1 + x->p * pow(1 - x->p, (1 - x->p) / x->p));
	return bits * (make + UNKNOWN_RATE / capacity * test_s(x, x->length, PRESENT_USUAL));
}

/* What kernels without the bug must survive: as next.h asks, with failures as many as are there or
 * will be. */
static double asked_length(const struct outlook *x, double fails)
{
	double p = x->runs ? x->p : x->rate, alpha = 1 - x->goal->confidence;
	struct bisect_tally own = { fails, x->runs ? fails / p - fails : fails / p };
	double low = bisect_rate_quantile(x->b->model, own, 0.1);

	return log(alpha) / (x->runs ? log1p(-low) : -low);
}

/* The best guess and those before it; what they had counts as far as the guess is believed. */
static double boundary_s(const struct outlook *x)
{
	bool fix = x->b->model->fix;
	double believed = x->b->w[x->best], sum = 0;
	struct bisect_tally own = x->b->at[x->best];
	unsigned n = MAX(dag_n_parents(x->b->dag, x->best), 1);
	double fails = fix ? BISECT_FIX_FAILS * n : fmax(BISECT_OWN_FAILS, own.fails);
	double asked = asked_length(x, fails);

	sum += fix ? surviving_s(x, asked - believed * own.had) :
		     failing_s(x, BISECT_OWN_FAILS - believed * own.fails);
	for (unsigned i = 0; i < n; i++) {
		unsigned parent = dag_n_parents(x->b->dag, x->best) ?
					  x->b->dag->parents[x->b->dag->first[x->best] + i] :
					  x->b->dag->n;
		struct bisect_tally had = x->b->at[parent];

		sum += fix ? failing_s(x, BISECT_FIX_FAILS - believed * had.fails) :
			     surviving_s(x, asked - believed * had.had);
		sum += believed * make_s(x, parent);
	}
	return sum;
}

double bisect_remaining_s(const struct bisect_belief *b, const struct bisect_goal *goal,
			  const struct bisect_costs *costs)
{
	struct outlook x = look_out(b, goal, costs);
	double jobs = costs->jobs > 1 ? costs->jobs * SHARE_OF_JOBS : 1;

	return (ends_s(&x) + search_s(&x) + (goal->boundary ? boundary_s(&x) : 0)) / jobs;
}

double bisect_eta_s(const struct bisect_state *s)
{
	struct bisect_costs pace = bisect_pace(s);

	return bisect_remaining_s(s->belief, &s->goal, &pace);
}

/* --- the plan ----------------------------------------------------------------------------------- */

struct trial {
	double tests, kernels, wall_s;
	double weight;	/* how likely it is that this change did it */
};

struct planner {
	const struct bisect_state *s;
	struct sim_start start;
	unsigned trials;
	uint64_t seed;
	unsigned *order;	/* n: the changes as they have their turns */
	double *cumulated;	/* n */
	double total, negligible;
	GRand *rand;
	GArray *done;	/* of struct trial, of one row */
};

static void shuffle(struct planner *p)
{
	unsigned n = p->s->range->n;

	p->order = g_new(unsigned, n);
	p->cumulated = g_new(double, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = g_rand_int_range(p->rand, 0, i + 1);

		p->order[i] = p->order[at];
		p->order[at] = i;
		p->cumulated[i] = p->total += p->s->belief->w[i];
	}
}

static unsigned draw(struct planner *p)
{
	double at = g_rand_double(p->rand) * p->total;
	unsigned low = 0, high = p->s->range->n - 1;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (p->cumulated[mid] > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* `each`: changes take turns, and count by how likely they are. */
static bool one_trial(struct planner *p, unsigned number, bool each)
{
	unsigned n = p->s->range->n;
	struct sim_outcome o;
	struct trial t;

	p->start.culprit = each ? p->order[number % n] : draw(p);
	if (each && p->s->belief->w[p->start.culprit] < p->negligible)
		return true;
	o = simulate_from(&p->start, p->seed + number);
	if (o.answer == BISECT_OPEN)
		return false;
	t = (struct trial){ o.runs, o.builds, o.wall_s,
			    each ? p->s->belief->w[p->start.culprit] : 1 };
	g_array_append_val(p->done, t);
	return true;
}

static int by_value(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of the numbers that stand `offset` bytes into the trials. */
static struct bisect_figure figure_of(const GArray *trials, size_t offset)
{
	struct value {
		double x, weight;
	} *all = g_new(struct value, trials->len);
	struct bisect_figure f = { 0 };
	double sum = 0, passed = 0;

	for (guint i = 0; i < trials->len; i++) {
		const struct trial *t = &g_array_index(trials, struct trial, i);

		all[i] = (struct value){ *(const double *)((const char *)t + offset), t->weight };
		f.mean += all[i].x * all[i].weight;
		f.max = fmax(f.max, all[i].x);
		sum += all[i].weight;
	}
	qsort(all, trials->len, sizeof(*all), by_value);
	f.mean = sum > 0 ? f.mean / sum : f.max;
	f.p95 = f.max;
	for (guint i = 0; i < trials->len && passed < 0.95 * sum; i++) {
		passed += all[i].weight;
		f.p95 = all[i].x;
	}
	g_free(all);
	return f;
}

/* Not one trial was done in time. */
static void by_formula(const struct planner *p, struct bisect_plan_row *row)
{
	g_autoptr(bisect_belief) b = bisect_belief_copy(p->s->belief);
	struct bisect_costs pace = bisect_pace(p->s);
	unsigned bad = bisect_bad_end(b);

	/* as if the bad end had failed at that rate already, less what that takes */
	for (unsigned i = 0; i < p->s->goal.calibrate; i++)
		bisect_see(b, bad, true, 1 / p->start.p);
	if (p->start.p < 1 && b->model->form == BISECT_RUNS)
		bisect_see(b, bad, false, floor(p->s->goal.calibrate * (1 / p->start.p - 1)));
	bisect_update(b);
	row->wall_s.mean = bisect_remaining_s(b, &p->s->goal, &pace);
}

static void fill_row(struct planner *p, bool each, int64_t deadline_us, struct bisect_plan_row *row)
{
	unsigned n = each ? MAX(p->trials, p->s->range->n) : p->trials, i = 0;

	g_array_set_size(p->done, 0);
	p->start.deadline_us = deadline_us;
	while (i < n && one_trial(p, i, each))
		i++;
	row->trials = p->done->len;
	row->all = each && i >= p->s->range->n;
	if (!row->trials) {
		by_formula(p, row);
		return;
	}
	row->tests = figure_of(p->done, offsetof(struct trial, tests));
	row->kernels = figure_of(p->done, offsetof(struct trial, kernels));
	row->wall_s = figure_of(p->done, offsetof(struct trial, wall_s));
}

/* `p` of a usual run as the rate of a world. */
static void set_rate(struct planner *x, double p, struct bisect_plan_row *row)
{
	bool time = x->s->model.form == BISECT_TIME;
	double mean_s = p >= 1 ? AT_ONCE * x->s->costs.run_s : -x->s->costs.run_s / log1p(-p);

	row->p = p;
	row->mean_s = time ? mean_s : 0;
	x->start.p = time ? 1 / mean_s : p;
}

/* The rate that the bad end showed, as a probability. */
static double measured_p(const struct bisect_state *s)
{
	struct bisect_tally bad = s->belief->at[bisect_bad_end(s->belief)];
	double rate = bisect_rate_quantile(&s->model, bad, 0.5);

	return s->model.form == BISECT_RUNS ? rate : -expm1(-rate * s->costs.run_s);
}

static void choose_rows(const struct bisect_state *s, struct bisect_plan *ret, double *ret_p)
{
	static const double rates[BISECT_PLAN_ROWS] = { 1, 0.5, 0.2 };

	ret->measured = s->belief->at[bisect_bad_end(s->belief)].fails > 0;
	ret->n_rows = ret->measured ? 1 : BISECT_PLAN_ROWS;
	memcpy(ret_p, rates, sizeof(rates));
	if (ret->measured)
		ret_p[0] = fmin(measured_p(s), 1 - 1e-9);
}

void bisect_plan(const struct bisect_state *s, unsigned trials, double limit_s, uint64_t seed,
		 struct bisect_plan *ret)
{
	struct bisect_costs pace = bisect_pace(s);
	struct planner p = { .s = s, .trials = trials, .seed = seed,
			     .rand = g_rand_new_with_seed((guint32)seed),
			     .done = g_array_new(FALSE, FALSE, sizeof(struct trial)),
			     .start = { .belief = s->belief, .goal = &s->goal, .costs = &s->costs,
					.run_s = pace.run_s, .boot_s = pace.boot_s,
					.known = s->known } };
	int64_t began_us = clock_now_us(&clock_monotonic);
	double rates[BISECT_PLAN_ROWS];

	*ret = (struct bisect_plan){ 0 };
	choose_rows(s, ret, rates);
	shuffle(&p);
	p.negligible = EXCLUDED * s->belief->w[bisect_best(s->belief)];
	for (unsigned i = 0; i < ret->n_rows; i++) {
		double until_s = limit_s * (i + 1) / ret->n_rows;

		set_rate(&p, rates[i], &ret->rows[i]);
		p.start.coarse = rates[i] < 1 && s->range->n >= COARSE_FROM;
		fill_row(&p, rates[i] >= 1, limit_s > 0 ? began_us + (int64_t)(until_s * 1e6) : 0,
			 &ret->rows[i]);
	}
	g_array_free(p.done, TRUE);
	g_rand_free(p.rand);
	g_free(p.order);
	g_free(p.cumulated);
}
