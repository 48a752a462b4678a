// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which instructions are worth a delay, and how long. See tuner.h. Two choices are learned apart:
 * an arm by all its delays, a length by the arm's delays of that length.
 */
#include "amplify/tuner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARMS_AT_ONCE 6   /* enough for both sides of a pair, few enough for each to be met often */
#define ARM_US 8000      /* slept at one arm in a moment, by all vCPUs together */
#define DELAY_COST_US 60 /* of a delay, besides its length: into the sleep and out of it */
#define FORGET 0.96      /* of what was learned, kept for the next moment: half is gone in 4 s */
#define MOMENT_WEIGHT 16 /* delays of a moment count as at most so many trials */
#define TIRED_AT 200     /* meetings without a symptom after which an arm is less interesting */
#define RARE_RATE 1000   /* executions in a moment up to which an instruction is rare */
#define PATH_BYTES 256   /* a store so far behind a load is on the same path */
#define EVERY_MAX 1000000000

static const unsigned lengths_us[] = { 20, 100, 500, 2000 };
#define LENGTHS G_N_ELEMENTS(lengths_us)

/* --- from candidates to sites ----------------------------------------------------------------- */

enum kind {
	KIND_UPDATE, /* plain, and a store follows: what was loaded may be stale by then */
	KIND_PLAIN,
	KIND_ATOMIC, /* a lock just taken: the other side of an ABBA deadlock wants it */
	KIND__COUNT
};

static bool is_sane(const struct amp_candidate *c)
{
	return c->pc >> 63 && c->pc != UINT64_MAX && (c->loads || c->stores);
}

static uint64_t hits(const struct amp_candidate *c)
{
	return c->loads > UINT64_MAX - c->stores ? UINT64_MAX : c->loads + c->stores;
}

static int by_pc(const void *a, const void *b)
{
	const struct amp_candidate *x = a, *y = b;

	return (x->pc > y->pc) - (x->pc < y->pc);
}

/* Rare ones first: what everybody touches all the time meets somebody always and finds nothing. */
static int by_rarity(const void *a, const void *b)
{
	const struct amp_candidate *x = *(void *const *)a, *y = *(void *const *)b;
	uint64_t m = hits(x), n = hits(y);

	return m != n ? (m > n) - (m < n) : by_pc(x, y);
}

/* `c` is by ascending pc. */
static enum kind kind_of(const struct amp_candidate *c, unsigned n, unsigned i)
{
	if (c[i].atomic)
		return KIND_ATOMIC;
	if (!c[i].loads)
		return KIND_PLAIN;
	for (unsigned k = i; k < n && c[k].pc - c[i].pc < PATH_BYTES; k++)
		if (c[k].stores && !c[k].atomic)
			return KIND_UPDATE;
	return KIND_PLAIN;
}

static unsigned sort_out(const struct amp_candidate *c, unsigned n, struct amp_candidate *ret)
{
	unsigned kept = 0, distinct = 0;

	for (unsigned i = 0; i < n; i++)
		if (is_sane(&c[i]))
			ret[kept++] = c[i];
	if (kept)
		qsort(ret, kept, sizeof(*ret), by_pc);
	for (unsigned i = 0; i < kept; i++)
		if (!distinct || ret[i].pc != ret[distinct - 1].pc)
			ret[distinct++] = ret[i];
	return distinct;
}

/* One kind's candidates, and how many were taken from either end. */
struct queue {
	GPtrArray *all; /* of struct amp_candidate *, rare ones first */
	unsigned head, tail;
};

/* By turns a rare one and a frequent one: what the probe does all the time is among those. */
static const struct amp_candidate *queue_take(struct queue *q)
{
	if (q->head + q->tail >= q->all->len)
		return NULL;
	if (q->head > q->tail)
		return q->all->pdata[q->all->len - ++q->tail];
	return q->all->pdata[q->head++];
}

/* Delays of 500 us that fill an arm's share at the profile's rate, which is a second's. */
static unsigned first_every(uint64_t execs)
{
	double a_moment = execs * (TUNER_MOMENT_US / 1e6);

	return CLAMP(a_moment * (500 + DELAY_COST_US) / ARM_US, 1, EVERY_MAX);
}

static struct amp_site site_of(const struct amp_candidate *c)
{
	return (struct amp_site){ .lo = c->pc,
				  .hi = c->pc + 1,
				  .at = AMP_ACCESS,
				  .vcpu = -1,
				  .group = 1,
				  .every = first_every(MAX(c->execs, hits(c))) };
}

static unsigned take_by_turns(struct queue *queues, struct amp_site *ret, unsigned max)
{
	static const enum kind turns[] = { KIND_UPDATE, KIND_PLAIN, KIND_UPDATE, KIND_ATOMIC };
	unsigned n = 0, missed = 0;

	for (unsigned i = 0; n < max && missed < G_N_ELEMENTS(turns); i++) {
		enum kind kind = turns[i % G_N_ELEMENTS(turns)];
		const struct amp_candidate *c = queue_take(&queues[kind]);

		missed = c ? 0 : missed + 1;
		if (c)
			ret[n++] = site_of(c);
	}
	return n;
}

unsigned tuner_sites(const struct amp_candidate *c, unsigned n, struct amp_site *ret, unsigned max)
{
	g_autofree struct amp_candidate *sane = NULL;
	struct queue queues[KIND__COUNT] = { 0 };
	unsigned taken;

	n = MIN(n, AMP_CANDIDATES_MAX);
	sane = g_new0(struct amp_candidate, n + 1);
	n = sort_out(c, n, sane);
	for (unsigned i = 0; i < KIND__COUNT; i++)
		queues[i].all = g_ptr_array_new();
	for (unsigned i = 0; i < n; i++)
		g_ptr_array_add(queues[kind_of(sane, n, i)].all, &sane[i]);
	for (unsigned i = 0; i < KIND__COUNT; i++)
		g_ptr_array_sort(queues[i].all, by_rarity);
	taken = take_by_turns(queues, ret, MIN(max, TUNER_SITES_MAX));
	for (unsigned i = 0; i < KIND__COUNT; i++)
		g_ptr_array_free(queues[i].all, TRUE);
	return taken;
}

/* --- arms ------------------------------------------------------------------------------------- */

/* Trials that met somebody, and that met nobody; halves of them are fine. */
struct beta {
	double met, alone;
};

struct arm {
	bool active, tried;
	unsigned length; /* index of lengths_us, of this moment */
	unsigned every;  /* of this moment */
	double rate;     /* executions in a moment, as far as is known */
	struct beta all, of_length[LENGTHS];
	double meetings;                /* of late, all counted */
	bool met;                       /* ever */
	uint64_t delays, conflicts;     /* the counters when last seen */
	unsigned active_at, delayed_at; /* the last such moments; 0: never */
};

struct tuner {
	GRand *rand;
	unsigned n, moment;
	unsigned alive_at; /* the last moment in which anything was delayed */
	struct arm *arm;
};

struct tuner *tuner_new(unsigned n, uint64_t seed)
{
	const guint32 seeds[] = { seed, seed >> 32, 0x74756e65 /* not the plugin's stream */ };
	struct tuner *t = g_new0(struct tuner, 1);

	t->rand = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
	t->n = MIN(n, AMP_SITES_MAX);
	t->arm = g_new0(struct arm, t->n + 1);
	return t;
}

void tuner_free(struct tuner *t)
{
	if (!t)
		return;
	g_rand_free(t->rand);
	g_free(t->arm);
	g_free(t);
}

/* --- chance ----------------------------------------------------------------------------------- */

static double draw(struct tuner *t)
{
	return g_rand_double(t->rand);
}

static double draw_normal(struct tuner *t)
{
	double u = 1 - draw(t);

	return sqrt(-2 * log(u)) * cos(2 * G_PI * draw(t));
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000). */
static double draw_gamma(struct tuner *t, double shape)
{
	double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
	double boost = shape < 1 ? pow(1 - draw(t), 1 / shape) : 1;

	for (int i = 0; i < 100; i++) {
		double x = draw_normal(t), v = pow(1 + c * x, 3);

		if (v > 0 && log(1 - draw(t)) < x * x / 2 + d - d * v + d * log(v))
			return d * v * boost;
	}
	return d * boost;
}

/* Most instructions meet nobody: that is the prior. */
static double draw_beta(struct tuner *t, const struct beta *b)
{
	double x = draw_gamma(t, b->met + 0.5), y = draw_gamma(t, b->alone + 2);

	return x / (x + y);
}

static double mean(const struct beta *b)
{
	return (b->met + 0.5) / (b->met + b->alone + 2.5);
}

/* --- what a moment taught --------------------------------------------------------------------- */

static void beta_add(struct beta *b, double trials, double share)
{
	b->met += trials * share;
	b->alone += trials * (1 - share);
}

static void beta_fade(struct beta *b)
{
	b->met *= FORGET;
	b->alone *= FORGET;
}

static void arm_fade(struct arm *arm)
{
	beta_fade(&arm->all);
	for (unsigned i = 0; i < LENGTHS; i++)
		beta_fade(&arm->of_length[i]);
	arm->meetings *= FORGET;
}

/* Counters start again when the plugin takes over new orders. */
static uint64_t growth(uint64_t *last, uint64_t now)
{
	uint64_t more = now >= *last ? now - *last : now;

	*last = now;
	return MIN(more, TUNER_MOMENT_US);
}

static void arm_learn(struct arm *arm, uint64_t delays, uint64_t conflicts)
{
	double share = MIN(conflicts, delays) / (double)delays;
	double trials = MIN(delays, MOMENT_WEIGHT);

	beta_add(&arm->all, trials, share);
	beta_add(&arm->of_length[arm->length], trials, share);
	arm->meetings += share * delays;
	arm->met |= conflicts > 0;
	/* a step of 16 at most: what was delayed is also what the duty left */
	arm->rate = CLAMP((double)delays * arm->every, arm->rate / 16, arm->rate * 16);
}

/* Not once come by: it is rarer than was thought, and nobody was met. */
static void arm_missed(struct arm *arm)
{
	arm->rate = MAX(arm->rate / 4, 0.25);
	beta_add(&arm->all, 1, 0);
}

/* A guest that stands still tells nothing: what was delayed before it did is kept. */
static void learn(struct tuner *t, const struct amp_site *sites)
{
	g_autofree uint64_t *delays = g_new0(uint64_t, t->n + 1);
	uint64_t all = 0;

	for (unsigned i = 0; i < t->n; i++)
		all += delays[i] = growth(&t->arm[i].delays, sites[i].delays);
	for (unsigned i = 0; i < t->n; i++) {
		struct arm *arm = &t->arm[i];
		uint64_t conflicts = growth(&arm->conflicts, sites[i].conflicts);

		if (all)
			arm_fade(arm);
		if (delays[i])
			arm->delayed_at = t->moment;
		if (arm->active && delays[i])
			arm_learn(arm, delays[i], conflicts);
		else if (arm->active && all)
			arm_missed(arm);
	}
	if (all)
		t->alive_at = t->moment;
}

/* --- the next moment -------------------------------------------------------------------------- */

/* Rare ones are worth more, and so are those that have met few of late. */
static double worth(const struct arm *arm, double share)
{
	double frequent = log2(1 + arm->rate / RARE_RATE);

	return share / sqrt((1 + frequent) * (1 + arm->meetings / TIRED_AT));
}

static double cost_us(unsigned length)
{
	return 1.25 * lengths_us[length] + DELAY_COST_US; /* see set_orders() */
}

/* Delays that fit into a moment: as many as the instruction is executed, or as the share allows. */
static double fitting(const struct arm *arm, unsigned length)
{
	return MIN(MAX(arm->rate, 1), ARM_US / cost_us(length));
}

/* Many short delays against few long ones: meetings count, the more there are the less. */
static unsigned draw_length(struct tuner *t, const struct arm *arm)
{
	unsigned best = 0;
	double most = -1;

	for (unsigned i = 0; i < LENGTHS; i++) {
		double value = draw_beta(t, &arm->of_length[i]) * sqrt(fitting(arm, i));

		if (value > most) {
			most = value;
			best = i;
		}
	}
	return best;
}

static unsigned every_for(const struct arm *arm, unsigned length, double share_us)
{
	return CLAMP(ceil(arm->rate * cost_us(length) / share_us), 1, EVERY_MAX);
}

static void set_orders(struct amp_site *site, unsigned length, unsigned every)
{
	site->us_lo = lengths_us[length] / 2;
	site->us_hi = MIN(lengths_us[length] * 2, AMP_DELAY_MAX_US);
	site->every = every;
}

/* What is tried to see whether things have changed has less of the time. */
static void activate(struct tuner *t, unsigned i, struct amp_site *site)
{
	struct arm *arm = &t->arm[i];
	double share_us = ARM_US * CLAMP(4 * mean(&arm->all), 0.25, 1);

	arm->active = true;
	arm->length = draw_length(t, arm);
	arm->every = every_for(arm, arm->length, share_us);
	arm->tried = true;
	arm->active_at = t->moment;
	set_orders(site, arm->length, arm->every);
}

/* The first that was never tried, else the one that was left alone for longest; t->n: none. */
static unsigned longest_alone(const struct tuner *t)
{
	unsigned found = t->n;

	for (unsigned i = 0; i < t->n; i++)
		if (!t->arm[i].active &&
		    (found == t->n || t->arm[i].active_at < t->arm[found].active_at))
			found = i;
	return found;
}

static unsigned best_drawn(const struct tuner *t, const double *value)
{
	unsigned found = t->n;

	for (unsigned i = 0; i < t->n; i++)
		if (!t->arm[i].active && (found == t->n || value[i] > value[found]))
			found = i;
	return found;
}

static void choose(struct tuner *t, struct amp_site *sites)
{
	g_autofree double *value = g_new0(double, t->n + 1);

	for (unsigned i = 0; i < t->n; i++) {
		value[i] = worth(&t->arm[i], draw_beta(t, &t->arm[i].all));
		t->arm[i].active = false;
		sites[i].every = 0;
	}
	for (unsigned k = 0; k < MIN(ARMS_AT_ONCE, t->n); k++) {
		unsigned i = longest_alone(t);

		/* all that were never tried; later one of each moment, lest things change unseen */
		if (k && t->arm[i].tried)
			i = best_drawn(t, value);
		activate(t, i, &sites[i]);
	}
}

/* Where the caller knows better, which is at the start. */
static void begin(struct tuner *t, const struct amp_site *sites)
{
	for (unsigned i = 0; i < t->n; i++) {
		double every = CLAMP(sites[i].every, 1, EVERY_MAX);

		t->arm[i].rate = every * ARM_US / (500 + DELAY_COST_US);
	}
}

void tuner_step(struct tuner *t, struct amp_site *sites)
{
	if (!t->moment)
		begin(t, sites);
	learn(t, sites);
	t->moment++;
	choose(t, sites);
}

/* --- the plan --------------------------------------------------------------------------------- */

static unsigned best_length(const struct arm *arm)
{
	unsigned best = 0;

	for (unsigned i = 1; i < LENGTHS; i++)
		if (mean(&arm->of_length[i]) * sqrt(fitting(arm, i)) >
		    mean(&arm->of_length[best]) * sqrt(fitting(arm, best)))
			best = i;
	return best;
}

/* Delayed in the last two moments in which the guest moved: a failure came of one of these. */
static bool is_recent(const struct tuner *t, const struct arm *arm)
{
	return arm->delayed_at && arm->delayed_at + 1 >= t->alive_at;
}

static double rank(const struct tuner *t, const struct arm *arm)
{
	return worth(arm, mean(&arm->all)) + 10 * arm->met + 100 * is_recent(t, arm);
}

static int by_rank(const void *a, const void *b, void *user)
{
	const struct tuner *t = user;
	unsigned i = *(const unsigned *)a, k = *(const unsigned *)b;
	double x = rank(t, &t->arm[i]), y = rank(t, &t->arm[k]);

	return x != y ? (x < y ? 1 : -1) : (i > k) - (i < k);
}

static void freeze_arm(const struct tuner *t, const struct arm *arm, double share_us,
		       struct amp_site *site)
{
	if (is_recent(t, arm))
		set_orders(site, arm->length, every_for(arm, arm->length, ARM_US));
	else if (arm->met)
		set_orders(site, best_length(arm), every_for(arm, best_length(arm), share_us));
	else
		site->every = 0;
}

void tuner_freeze(const struct tuner *t, struct amp_site *sites, unsigned *ret_order)
{
	unsigned others = 0;

	for (unsigned i = 0; i < t->n; i++) {
		ret_order[i] = i;
		others += t->arm[i].met && !is_recent(t, &t->arm[i]);
	}
	for (unsigned i = 0; i < t->n; i++)
		freeze_arm(t, &t->arm[i], (double)ARMS_AT_ONCE * ARM_US / MAX(others, 1),
			   &sites[i]);
	if (t->n)
		g_qsort_with_data(ret_order, t->n, sizeof(*ret_order), by_rank, (void *)t);
}
