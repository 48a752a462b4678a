// SPDX-License-Identifier: GPL-2.0-or-later
/* See simulate.h. */
#include "bisect/simulate.h"

#include "bisect/untestable.h"

#include <math.h>
#include <string.h>

#define BUILD_FAILS_S 0.5 /* of a build's cost, until it is known that a kernel is untestable */
#define WORKERS_MAX 64

/* --- kbisect ------------------------------------------------------------------------------------
 */

/* A guest that is busy until `end_s`. */
struct slot {
	bool busy, failed, broken;
	struct bisect_test test;
	double had, end_s;
};

struct sim {
	struct world *world;
	struct bisect_model model;
	struct bisect_goal goal;
	struct bisect_costs costs;
	bisect_belief *belief;
	double *make_s, *untestable, *built_at_s; /* n + 1 */
	uint8_t *known;                           /* n + 1, of enum testable */
	bool guesses;                             /* there may be kernels that cannot be tested */
	bool rounds; /* guests start and are waited for together, kernels are made before */
	bool coarse;
	int64_t deadline_us;
	struct slot slots[WORKERS_MAX];
	unsigned n_slots;
	double now_s;
	struct sim_outcome outcome;
};

static void sim_made_up(struct sim *s, struct world *w, double confidence, bool trusting)
{
	const struct world_params *p = w->params;
	double run_s = p->form == BISECT_RUNS ? 1 : p->run_s;

	s->world = w;
	s->model = bisect_model_default(p->form, run_s, p->fix);
	s->goal = bisect_goal_default(&s->model, confidence, run_s);
	s->goal.calibrate_max = INFINITY; /* refusing is no answer here */
	s->goal.boundary = !trusting;
	s->belief = bisect_belief_new(w->dag, &s->model, NULL);
	s->make_s = g_new(double, p->n + 1);
	s->untestable = g_new0(double, p->n + 1);
	s->built_at_s = g_new0(double, p->n + 1);
	s->known = g_new0(uint8_t, p->n + 1);
	for (unsigned i = 0; i <= p->n; i++)
		s->make_s[i] = p->make_s;
	s->costs = (struct bisect_costs){ .run_s = p->run_s,
					  .boot_s = p->boot_s,
					  .make_s = s->make_s,
					  .untestable = s->untestable };
	s->guesses = p->untestable > 0;
	s->n_slots = CLAMP(p->workers, 1, WORKERS_MAX);
}

static void sim_go_on(struct sim *s, struct world *w, const struct sim_start *start)
{
	size_t n = w->dag->n + 1;

	s->world = w;
	s->goal = *start->goal;
	s->goal.calibrate_max = INFINITY;
	s->belief = bisect_belief_copy(start->belief);
	s->make_s = g_memdup2(start->costs->make_s, n * sizeof(double));
	s->untestable = g_memdup2(start->costs->untestable, n * sizeof(double));
	s->built_at_s = g_new0(double, n);
	s->known = g_memdup2(start->known, n);
	s->costs = *start->costs;
	s->costs.make_s = s->make_s;
	s->costs.untestable = s->untestable;
	s->guesses = s->rounds = true;
	s->coarse = start->coarse;
	s->deadline_us = start->deadline_us;
	s->n_slots = CLAMP(start->costs->jobs, 1, WORKERS_MAX);
}

static void sim_close(struct sim *s)
{
	bisect_belief_free(s->belief);
	g_free(s->make_s);
	g_free(s->untestable);
	g_free(s->built_at_s);
	g_free(s->known);
}

/* In a round the guests that have a kernel wait for the next one's. */
static void make(struct sim *s, struct slot *slot)
{
	unsigned node = slot->test.node;
	double make_s = s->make_s[node] * (slot->broken ? BUILD_FAILS_S : 1);

	s->outcome.builds++;
	s->make_s[node] = 0;
	s->built_at_s[node] = s->now_s + make_s;
	if (!s->rounds)
		return;
	for (unsigned i = 0; i < s->n_slots; i++)
		s->slots[i].end_s += s->slots[i].busy ? make_s : 0;
	s->now_s += make_s;
}

/* The test's run, or runs: to the first failure. Returns what they take. */
static double do_runs(struct sim *s, struct slot *slot)
{
	const struct world_params *p = s->world->params;
	unsigned node = slot->test.node, n = slot->test.length;
	double one, runs = 0;

	if (p->form == BISECT_TIME) {
		s->outcome.runs++;
		slot->failed = world_test(s->world, node, slot->test.length, &slot->had);
		return p->boot_s + slot->had;
	}
	while (!slot->failed && runs < n) {
		slot->failed = world_test(s->world, node, 1, &one);
		runs++;
	}
	slot->had = runs - slot->failed;
	s->outcome.runs += runs;
	return runs * (p->boot_s + p->run_s);
}

/* One run of the test's plan: what comes next is decided by what it gives. */
static void start(struct sim *s, struct slot *slot, struct bisect_test test)
{
	bool runs = s->world->params->form == BISECT_RUNS;

	*slot = (struct slot){ .test = test, .broken = s->world->broken[test.node] };
	if (runs && !s->coarse)
		slot->test.length = 1;
	if (s->costs.unkept)
		s->outcome.builds += s->known[test.node] == TESTABLE_UNKNOWN;
	else if (s->make_s[test.node] > 0)
		make(s, slot);
	slot->busy = true;
	slot->end_s = fmax(s->now_s, s->built_at_s[test.node]);
	if (!slot->broken)
		slot->end_s += do_runs(s, slot);
}

/* Most made-up worlds have no such kernels: nothing to guess there. */
static void note_testable(struct sim *s, unsigned node, bool yes)
{
	unsigned n = s->world->dag->n;
	uint8_t now = yes ? TESTABLE_YES : TESTABLE_NO;

	if (!s->guesses || s->known[node] == now || s->known[node] == TESTABLE_YES)
		return;
	s->known[node] = now;
	untestable_guess(s->known, n, s->untestable);
	s->untestable[n] = s->known[n] == TESTABLE_NO;
}

/* What a run had that failed is told for time alone; runs that survived stand beside it. */
static void see(struct sim *s, const struct slot *slot)
{
	bool passed = slot->failed && s->coarse && s->world->params->form == BISECT_RUNS;

	if (passed && slot->had > 0)
		bisect_see(s->belief, slot->test.node, false, slot->had);
	bisect_see(s->belief, slot->test.node, slot->failed, slot->had);
}

static void finish(struct sim *s, struct slot *slot)
{
	unsigned node = slot->test.node;

	s->now_s = slot->end_s;
	slot->busy = false;
	if (!slot->broken) {
		see(s, slot);
		bisect_update(s->belief);
	}
	note_testable(s, node, !slot->broken);
}

static struct slot *first_to_end(struct sim *s)
{
	struct slot *first = NULL;

	for (unsigned i = 0; i < s->n_slots; i++)
		if (s->slots[i].busy && (!first || s->slots[i].end_s < first->end_s))
			first = &s->slots[i];
	return first;
}

static struct bisect_step decide(struct sim *s)
{
	struct bisect_test pending[WORKERS_MAX];
	int64_t begin_us = g_get_monotonic_time();
	struct bisect_step step;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_slots; i++)
		if (s->slots[i].busy)
			pending[n++] = s->slots[i].test;
	step = bisect_next(s->belief, &s->goal, &s->costs, pending, n, s->world->rand);
	s->outcome.slowest_s =
		fmax(s->outcome.slowest_s, (g_get_monotonic_time() - begin_us) / 1e6);
	return step;
}

static struct slot *free_slot(struct sim *s)
{
	for (unsigned i = 0; i < s->n_slots; i++)
		if (!s->slots[i].busy)
			return &s->slots[i];
	return NULL;
}

/* All guests get to work, unless there is an answer: then what runs is waited for. */
static struct bisect_step fill(struct sim *s)
{
	struct bisect_step step = { 0 };
	struct slot *slot;

	while ((slot = free_slot(s))) {
		step = decide(s);
		if (step.phase == BISECT_DONE)
			break;
		start(s, slot, step.test);
	}
	return step;
}

static bool is_wrong(struct sim *s, const struct bisect_step *step)
{
	g_autofree unsigned *set = NULL;
	unsigned n;

	if (step->answer == BISECT_FOUND)
		return step->change != s->world->culprit;
	if (step->answer != BISECT_SEVERAL)
		return true;
	set = bisect_credible(s->belief, s->goal.confidence, &n);
	for (unsigned i = 0; i < n; i++)
		if (set[i] == s->world->culprit)
			return false;
	return true;
}

/* From where it stands to the answer. */
static struct sim_outcome play(struct sim *s)
{
	struct bisect_step step = { 0 };
	struct slot *ended;

	for (;;) {
		if (!s->rounds || !first_to_end(s))
			step = fill(s);
		ended = first_to_end(s);
		if (!ended)
			break;
		finish(s, ended);
		if (s->deadline_us && clock_now_us(&clock_monotonic) > s->deadline_us)
			return (struct sim_outcome){ .answer = BISECT_OPEN };
	}
	s->outcome.answer = step.answer;
	s->outcome.wrong = is_wrong(s, &step);
	s->outcome.wall_s = s->now_s;
	return s->outcome;
}

static struct sim_outcome kbisect(struct world *w, double confidence, bool trusting)
{
	struct sim s = { 0 };
	struct sim_outcome outcome;

	sim_made_up(&s, w, confidence, trusting);
	outcome = play(&s);
	sim_close(&s);
	return outcome;
}

struct sim_outcome simulate_from(const struct sim_start *start, uint64_t seed)
{
	const struct bisect_belief *b = start->belief;
	struct world_params params = { .n = b->dag->n,
				       .form = b->model->form,
				       .fix = b->model->fix,
				       .p = start->p,
				       .boot_s = start->boot_s,
				       .run_s = start->run_s };
	g_autoptr(world) w = world_given(&params, b->dag, start->culprit, start->known, seed);
	struct sim s = { 0 };
	struct sim_outcome outcome;

	sim_go_on(&s, w, start);
	outcome = play(&s);
	sim_close(&s);
	return outcome;
}

/* --- git bisect ---------------------------------------------------------------------------------
 */

/* What git does: the candidate that splits the others best, and a kernel is good after `repeats`
 * runs without a failure, bad at the first one. Kernels that cannot be tested cost, and are passed
 * over. */
struct git {
	struct world *world;
	uint8_t *left;   /* n: may still be the first bad (or fixed) one */
	double *x, *sum; /* n */
	struct sim_outcome outcome;
};

static unsigned git_choose(struct git *g)
{
	unsigned n = g->world->dag->n, best = DAG_NONE;
	double all = 0, most = 0;

	for (unsigned c = 0; c < n; c++)
		all += g->x[c] = g->left[c];
	dag_history(g->world->dag, g->x, 1, g->sum);
	for (unsigned t = 0; t < n; t++) {
		double split = fmin(g->sum[t], all - g->sum[t]);

		if (g->left[t] && split > most && !g->world->broken[t]) {
			most = split;
			best = t;
		}
	}
	return best;
}

static void git_build(struct git *g)
{
	g->outcome.builds++;
	g->outcome.wall_s += g->world->params->make_s;
}

static bool git_run(struct git *g, unsigned node)
{
	double had;

	g->outcome.runs++;
	g->outcome.wall_s += g->world->params->boot_s + g->world->params->run_s;
	return world_test(g->world, node, 1, &had);
}

static bool git_fails(struct git *g, unsigned node, unsigned repeats)
{
	git_build(g);
	for (unsigned i = 0; i < repeats; i++)
		if (git_run(g, node))
			return true;
	return false;
}

static void git_split(struct git *g, unsigned node, bool in)
{
	g_autofree uint8_t *history = g_new0(uint8_t, g->world->dag->n);

	dag_mark(g->world->dag, node, history);
	for (unsigned c = 0; c < g->world->dag->n; c++)
		g->left[c] = g->left[c] && history[c] == in;
}

static unsigned git_find(struct git *g, unsigned repeats)
{
	unsigned node;

	while ((node = git_choose(g)) != DAG_NONE)
		git_split(g, node, git_fails(g, node, repeats) != g->world->params->fix);
	for (node = 0; !g->left[node] && node + 1 < g->world->dag->n; node++)
		;
	return node;
}

/* So many that all kernels together, of which about half have the bug, are judged right. */
static unsigned repeats_for(const struct world_params *p, double rate, double confidence)
{
	double steps = fmax(1, log2(p->n) / 2);
	double repeats = rate >= 1 ? 1 : ceil(log((1 - confidence) / steps) / log1p(-rate));

	return repeats > 1e6 ? 1000000 : (unsigned)repeats;
}

static unsigned plugin_repeats(struct git *g, double confidence)
{
	const struct world_params *p = g->world->params;
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, p->fix);
	struct bisect_tally t = { 0 };
	unsigned bad = p->fix ? p->n : p->n - 1;

	git_build(g);
	while (t.fails < 5) {
		if (git_run(g, bad))
			t.fails++;
		else
			t.had++;
	}
	return repeats_for(p, bisect_rate_quantile(&m, t, 0.1), confidence);
}

static struct sim_outcome git_bisect(struct world *w, enum sim_method method, double confidence,
				     unsigned repeats)
{
	unsigned n = w->dag->n;
	struct git g = { .world = w,
			 .left = g_new(uint8_t, n),
			 .x = g_new(double, n),
			 .sum = g_new(double, n) };

	memset(g.left, 1, n);
	if (method == SIM_PLUGIN)
		repeats = plugin_repeats(&g, confidence);
	else if (method == SIM_ORACLE)
		repeats = repeats_for(w->params, w->params->p, confidence);
	g.outcome.wrong = git_find(&g, repeats) != w->culprit;
	g.outcome.answer = BISECT_FOUND;
	g_free(g.left);
	g_free(g.x);
	g_free(g.sum);
	return g.outcome;
}

struct sim_outcome simulate(const struct world_params *params, enum sim_method method,
			    double confidence, bool trusting, unsigned repeats, uint64_t seed)
{
	g_autoptr(world) w = world_new(params, seed);

	return method == SIM_KBISECT ? kbisect(w, confidence, trusting)
				     : git_bisect(w, method, confidence, repeats);
}
