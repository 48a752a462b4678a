// SPDX-License-Identifier: GPL-2.0-or-later
/* From the first run to each kind of answer, and that claims hold in made-up histories. */
#include "bisect_fixture.h"

#include "bisect/simulate.h"
#include "bisect/untestable.h"
#include "stats/rate.h"

#include <string.h>

struct chain {
	struct dag *dag;
	struct bisect_model model;
	struct bisect_goal goal;
	struct bisect_costs costs;
	struct bisect_belief *belief;
	double *make, *untestable;
};

static struct chain open_chain(unsigned n, bool fix)
{
	struct chain c = { .dag = dag_chain(n),
			   .model = bisect_model_default(BISECT_RUNS, 1, fix),
			   .make = g_new0(double, n + 1),
			   .untestable = g_new0(double, n + 1) };

	c.goal = bisect_goal_default(&c.model, 0.99, 1);
	c.costs = (struct bisect_costs){ .run_s = 1, .make_s = c.make, .untestable = c.untestable };
	return c;
}

static void close_chain(struct chain *c)
{
	bisect_belief_free(c->belief);
	dag_free(c->dag);
	g_free(c->make);
	g_free(c->untestable);
}

/* The model is the chain's by now at its last address. */
static struct bisect_step next(struct chain *c)
{
	if (!c->belief)
		c->belief = bisect_belief_new(c->dag, &c->model, NULL);
	bisect_update(c->belief);
	return bisect_next(c->belief, &c->goal, &c->costs, NULL, 0, NULL);
}

typedef bool (*outcome_fn)(unsigned node, unsigned run);

static struct bisect_step play(struct chain *c, outcome_fn fails, unsigned *ret_runs)
{
	struct bisect_step step = next(c);
	unsigned runs = 0;

	while (step.phase != BISECT_DONE) {
		assert_true(step.test.node <= c->dag->n);
		assert_true(c->untestable[step.test.node] < 1);
		assert_true(runs < 5000);
		bisect_see(c->belief, step.test.node, fails(step.test.node, runs++), 1);
		step = next(c);
	}
	if (ret_runs)
		*ret_runs = runs;
	return step;
}

static bool from_40(unsigned node, unsigned run)
{
	(void)run;
	return node >= 40 && node < 100;
}

static bool until_40(unsigned node, unsigned run)
{
	(void)run;
	return node < 40 || node == 100;
}

static bool always(unsigned node, unsigned run)
{
	(void)node;
	(void)run;
	return true;
}

static bool never(unsigned node, unsigned run)
{
	(void)node;
	(void)run;
	return false;
}

static bool now_and_then(unsigned node, unsigned run)
{
	(void)node;
	return run % 7 == 0;
}

static void a_sure_failure_is_found(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step = next(&c);
	unsigned runs;

	(void)unused;
	assert_int_equal(step.phase, BISECT_CALIBRATE);
	assert_int_equal(step.test.node, 99);
	step = play(&c, from_40, &runs);
	assert_int_equal(step.answer, BISECT_FOUND);
	assert_int_equal(step.change, 40);
	assert_true(c.belief->at[40].fails >= BISECT_OWN_FAILS);
	assert_true(c.belief->at[39].had > 0);
	assert_in_range(runs, 10, 40);
	close_chain(&c);
}

static void a_fix_is_found(void **unused)
{
	struct chain c = open_chain(100, true);
	struct bisect_step step = next(&c);

	(void)unused;
	assert_int_equal(step.test.node, 100); /* the old end is the bad one */
	step = play(&c, until_40, NULL);
	assert_int_equal(step.answer, BISECT_FOUND);
	assert_int_equal(step.change, 40);
	assert_true(c.belief->at[39].fails >= BISECT_FIX_FAILS);
	close_chain(&c);
}

static void what_fails_everywhere_is_older(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step = play(&c, always, NULL);

	(void)unused;
	assert_int_equal(step.answer, BISECT_OLDER);
	assert_true(c.belief->at[100].fails > 0);
	close_chain(&c);
}

static void what_does_not_fail_is_too_rare(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step = play(&c, never, NULL);

	(void)unused;
	assert_int_equal(step.answer, BISECT_TOO_RARE);
	assert_true(c.belief->at[99].had == c.goal.calibrate_max);
	close_chain(&c);
}

/* A failure that any kernel shows alike is older than the range, whatever its rate. */
static void noise_everywhere_names_no_change(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step = play(&c, now_and_then, NULL);

	(void)unused;
	assert_true(step.answer == BISECT_OLDER || step.answer == BISECT_NOISE);
	close_chain(&c);
}

/* 38 to 43 do not build: 40 cannot be told from its neighbours, and nobody says that it can. */
static void untestable_neighbours_stay_suspects(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step;
	g_autofree unsigned *set = NULL;
	unsigned n;

	(void)unused;
	for (unsigned i = 38; i <= 43; i++)
		c.untestable[i] = 1;
	step = play(&c, from_40, NULL);
	assert_int_equal(step.answer, BISECT_SEVERAL);
	set = bisect_credible(c.belief, 0.99, &n);
	assert_int_equal(n, 7);
	for (unsigned i = 0; i < n; i++)
		assert_in_range(set[i], 38, 44);
	close_chain(&c);
}

static void the_good_end_is_asked_first_if_wanted(void **unused)
{
	struct chain c = open_chain(100, false);
	struct bisect_step step;

	(void)unused;
	c.goal.verify = true;
	next(&c);
	for (unsigned i = 0; i < 5; i++)
		bisect_see(c.belief, 99, true, 1);
	step = next(&c);
	assert_int_equal(step.phase, BISECT_VERIFY);
	assert_int_equal(step.test.node, 100);
	close_chain(&c);
}

static void a_rate_that_drifts_is_noticed(void **unused)
{
	struct chain c = open_chain(100, false);

	(void)unused;
	next(&c);
	for (unsigned i = 0; i < 60; i++) {
		bisect_see(c.belief, 99, i % 8 != 0, 1);
		bisect_see(c.belief, 60, i % 3 == 0, 1);
	}
	for (unsigned i = 0; i < 40; i++)
		bisect_see(c.belief, 59, false, 1);
	bisect_update(c.belief);
	assert_true(bisect_drift(c.belief) > log(10));
	close_chain(&c);
}

static void a_steady_rate_is_no_drift(void **unused)
{
	struct chain c = open_chain(100, false);

	(void)unused;
	next(&c);
	for (unsigned i = 0; i < 60; i++) {
		bisect_see(c.belief, 99, i % 2, 1);
		bisect_see(c.belief, 60, i % 2, 1);
	}
	bisect_update(c.belief);
	assert_true(bisect_drift(c.belief) < 0);
	close_chain(&c);
}

static void breakage_is_expected_near_breakage(void **unused)
{
	uint8_t known[100] = { [50] = TESTABLE_NO, [10] = TESTABLE_YES };
	double guess[100];

	(void)unused;
	untestable_guess(known, 100, guess);
	assert_true(guess[50] == 1 && guess[10] == 0);
	assert_true(guess[51] > guess[58] && guess[58] > guess[90]);
	assert_true(guess[11] < guess[90]);
	assert_true(guess[90] > 0.03 && guess[90] < 0.07);
}

/* --- claims -------------------------------------------------------------------------------------
 */

struct claim {
	struct world_params world;
	unsigned trials;
};

static unsigned errors_of(const struct claim *claim, double *ret_runs)
{
	unsigned errors = 0;

	*ret_runs = 0;
	for (unsigned i = 0; i < claim->trials; i++) {
		struct sim_outcome o =
			simulate(&claim->world, SIM_KBISECT, 0.99, false, 0, 77000 + i);

		errors += o.wrong;
		*ret_runs += o.runs / claim->trials;
	}
	return errors;
}

/* `kbisect simulate` does it at length. Seeds are fixed: a failure here is a change of rules. */
static void claims_hold(void **unused)
{
#define WORLD(...)                                                                                 \
	{                                                                                          \
		.make_s = 300, .run_s = 60, __VA_ARGS__                                            \
	}
	static const struct claim claims[] = {
		{ WORLD(.n = 16, .p = 1), 300 },
		{ WORLD(.n = 16, .p = 0.2), 150 },
		{ WORLD(.n = 300, .p = 0.5), 100 },
		{ WORLD(.n = 300, .p = 0.5, .merges = true), 100 },
		{ WORLD(.n = 300, .p = 0.2, .fix = true), 40 },
		{ WORLD(.n = 200, .p = 0.5, .eps = 0.005), 60 },
		{ WORLD(.n = 200, .p = 0.5, .untestable = 0.2), 60 },
		{ WORLD(.n = 200, .p = 0.5, .workers = 4), 20 },
		{ { .n = 100,
		    .form = BISECT_TIME,
		    .p = 1.0 / 120,
		    .make_s = 300,
		    .run_s = 60,
		    .boot_s = 15 },
		  40 },
	};

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(claims); i++) {
		double runs;
		unsigned errors = errors_of(&claims[i], &runs);

		print_message("world %zu: %u of %u wrong, %.1f runs\n", i, errors, claims[i].trials,
			      runs);
		assert_true(proportion_limits(errors, claims[i].trials, 0.9).lower <= 0.01);
	}
}

/* The same seed, the same bisection: what journals and replays rest on. */
static void a_seed_repeats(void **unused)
{
	struct world_params world = WORLD(.n = 200, .p = 0.3, .workers = 3, .merges = true);
	struct sim_outcome a = simulate(&world, SIM_KBISECT, 0.99, false, 0, 5);
	struct sim_outcome b = simulate(&world, SIM_KBISECT, 0.99, false, 0, 5);

	(void)unused;
	assert_true(a.runs == b.runs && a.wall_s == b.wall_s && a.builds == b.builds);
}

/* One "good" of git's is for ever: the reason for all of this. */
static void git_believes_too_early(void **unused)
{
	struct world_params world = WORLD(.n = 300, .p = 0.5);
	unsigned errors = 0;

	(void)unused;
	for (unsigned i = 0; i < 50; i++)
		errors += simulate(&world, SIM_REPEAT, 0.99, false, 1, i).wrong;
	assert_true(errors > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sure_failure_is_found),
		cmocka_unit_test(a_fix_is_found),
		cmocka_unit_test(what_fails_everywhere_is_older),
		cmocka_unit_test(what_does_not_fail_is_too_rare),
		cmocka_unit_test(noise_everywhere_names_no_change),
		cmocka_unit_test(untestable_neighbours_stay_suspects),
		cmocka_unit_test(the_good_end_is_asked_first_if_wanted),
		cmocka_unit_test(a_rate_that_drifts_is_noticed),
		cmocka_unit_test(a_steady_rate_is_no_drift),
		cmocka_unit_test(breakage_is_expected_near_breakage),
		cmocka_unit_test(claims_hold),
		cmocka_unit_test(a_seed_repeats),
		cmocka_unit_test(git_believes_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
