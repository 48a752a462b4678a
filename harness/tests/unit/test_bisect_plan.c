// SPDX-License-Identifier: GPL-2.0-or-later
/* What is foretold against what happens: no bisection takes more than the plan's most where each run
 * fails, and the time to go is about right from the first failures on. */
#include "bisect_fixture.h"

#include "bisect/plan.h"
#include "bisect/world.h"

#include <string.h>

/* --- a range and its log ------------------------------------------------------------------------ */

/* As git's ranges come: `n` changes, with merges, some of them hardly suspect. */
static struct bisect_range *range_of(unsigned n, bool fix)
{
	GRand *rand = g_rand_new_with_seed(11);
	struct dag *d = world_history(n, rand);
	json_t *changes = json_array(), *json;
	struct bisect_range *r = NULL;

	for (unsigned i = 0; i <= n; i++) {
		g_autofree char *id = g_strdup_printf("k%u", i);
		json_t *parents = json_array();

		for (unsigned k = i < n ? d->first[i] : 0; i < n && k < d->first[i + 1]; k++)
			json_array_append_new(parents, json_integer(d->parents[k]));
		json_array_append_new(changes, json_pack("{s:s, s:o, s:f}", "id", id, "parents", parents,
							 "prior", i % 5 ? 1.0 : 1e-4));
	}
	json = json_pack("{s:b, s:b, s:o}", "commits", 1, "fix", (int)fix, "changes", changes);
	assert_true(bisect_range_parse(json, &r, NULL));
	json_decref(json);
	dag_free(d);
	g_rand_free(rand);
	return r;
}

static struct bisect_state *begun(const struct bisect_range *r, bool time, bool kept)
{
	struct bisect_state *s = bisect_state_new(r, 120, time ? 8 : 0);
	g_autofree char *begin = g_strdup_printf(
		"{\"ev\":\"begin\",\"schema\":1,\"form\":\"%s\",\"run_s\":20,\"confidence\":0.99}\n",
		time ? "time" : "runs");

	s->costs.unkept = !kept;
	assert_true(bisect_replay(s, begin, strlen(begin), NULL));
	return s;
}

static void log_line(struct bisect_state *s, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void log_line(struct bisect_state *s, const char *fmt, ...)
{
	g_autofree char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	assert_true(bisect_replay(s, line, strlen(line), NULL));
}

static void do_test(struct bisect_state *s, const struct bisect_test *test, bool kept, bool failed,
		     double had, double seconds)
{
	unsigned number = bisect_state_test(s);

	if (kept && !s->image[test->node])
		log_line(s, "{\"ev\":\"image\",\"node\":%u,\"sha256\":\"%064x\",\"seconds\":120}\n", test->node,
			 test->node);
	log_line(s, "{\"ev\":\"start\",\"test\":%u,\"node\":%u,\"length\":%f}\n", number, test->node,
		 test->length);
	log_line(s, "{\"ev\":\"end\",\"test\":%u,\"outcome\":\"%s\",\"had\":%f,\"seconds\":%f}\n", number,
		 failed ? "failed" : "survived", had, seconds);
}

/* Where each run of a bad kernel fails. Returns the tests that it took. */
static unsigned bisect_all(const struct bisect_range *r, unsigned culprit, bool kept)
{
	g_autoptr(bisect_state) s = begun(r, false, kept);
	struct bisect_step step;

	while ((step = bisect_state_next(s, NULL, 0, NULL)).phase != BISECT_DONE) {
		bool has = step.test.node < r->n && dag_has(r->dag, step.test.node, culprit);

		do_test(s, &step.test, kept, has != r->fix, 1, 20);
	}
	assert_int_equal(step.answer, BISECT_FOUND);
	assert_int_equal(step.change, culprit);
	return s->runs->len;
}

/* --- the plan ----------------------------------------------------------------------------------- */

static void the_most_is_the_most(bool fix, bool kept)
{
	g_autoptr(bisect_range) r = range_of(40, fix);
	g_autoptr(bisect_state) s = begun(r, false, kept);
	struct bisect_plan plan;
	unsigned most = 0;

	bisect_plan(s, 10, 0, 1, &plan);
	assert_int_equal(plan.n_rows, BISECT_PLAN_ROWS);
	assert_true(plan.rows[0].all && plan.rows[0].p == 1);
	assert_int_equal(plan.rows[0].trials, 40);
	for (unsigned c = 0; c < r->n; c++)
		most = MAX(most, bisect_all(r, c, kept));
	assert_int_equal(most, (unsigned)plan.rows[0].tests.max);
	assert_true(plan.rows[0].tests.p95 <= plan.rows[0].tests.max);
	assert_true(plan.rows[0].tests.mean < plan.rows[0].tests.p95);
	for (unsigned i = 1; i < plan.n_rows; i++) {
		assert_true(plan.rows[i].tests.mean > plan.rows[i - 1].tests.mean);
		assert_true(plan.rows[i].wall_s.mean > plan.rows[i - 1].wall_s.mean);
	}
}

static void no_bisection_takes_more(void **unused)
{
	(void)unused;
	the_most_is_the_most(false, true);
	the_most_is_the_most(false, false);
	the_most_is_the_most(true, true);
}

/* What kernels and runs take adds up to the time; nothing is kept: no kernel's time but its test's. */
static void time_is_what_kernels_and_runs_take(void **unused)
{
	g_autoptr(bisect_range) r = range_of(40, false);
	struct bisect_plan plan;

	(void)unused;
	for (unsigned kept = 0; kept < 2; kept++) {
		g_autoptr(bisect_state) s = begun(r, false, kept);
		const struct bisect_plan_row *row = &plan.rows[1];

		bisect_plan(s, 20, 0, 1, &plan);
		assert_true(row->kernels.mean > 5 && row->kernels.mean < row->tests.mean);
		assert_float_equal(row->wall_s.mean,
				   20 * row->tests.mean + (kept ? 120 * row->kernels.mean : 0), 1e-6);
	}
}

static void the_same_seed_foretells_the_same(void **unused)
{
	g_autoptr(bisect_range) r = range_of(60, false);
	g_autoptr(bisect_state) s = begun(r, true, true);
	struct bisect_plan a, b, c;

	(void)unused;
	bisect_plan(s, 10, 0, 3, &a);
	bisect_plan(s, 10, 0, 3, &b);
	bisect_plan(s, 10, 0, 4, &c);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(memcmp(&a, &c, sizeof(a)) != 0);
	assert_true(a.rows[0].mean_s == 2 && a.rows[1].mean_s > 28 && a.rows[1].mean_s < 29);
}

/* What is there already costs nothing, what is known to be broken is not tested, what was seen counts. */
static void it_goes_on_from_where_it_stands(void **unused)
{
	g_autoptr(bisect_range) r = range_of(40, false);
	g_autoptr(bisect_state) s = begun(r, false, true);
	struct bisect_plan fresh, later;
	struct bisect_step step;

	(void)unused;
	bisect_plan(s, 40, 0, 1, &fresh);
	for (unsigned i = 0; i < 9; i++) {
		step = bisect_state_next(s, NULL, 0, NULL);
		do_test(s, &step.test, true, step.test.node >= 25 && step.test.node < 40, 1, 20);
	}
	bisect_plan(s, 40, 0, 1, &later);
	assert_true(later.measured && later.n_rows == 1);
	assert_true(later.rows[0].p > 0.8 && !later.rows[0].all);
	assert_true(later.rows[0].tests.mean < fresh.rows[0].tests.mean - 5);
	assert_true(later.rows[0].kernels.mean < fresh.rows[0].kernels.mean - 2);
}

/* What somebody else has found out leaves its changes out of the count. */
static void what_is_excluded_has_no_turn(void **unused)
{
	g_autoptr(bisect_range) r = range_of(40, false);
	g_autoptr(bisect_state) s = begun(r, false, true);
	struct bisect_plan before, after;
	unsigned left = 0;

	(void)unused;
	bisect_plan(s, 10, 0, 1, &before);
	for (unsigned i = 0; i < 9; i++)
		log_line(s, "{\"ev\":\"told\",\"node\":%u,\"outcome\":\"failed\"}\n", 30);
	bisect_plan(s, 10, 0, 1, &after);
	for (unsigned c = 0; c < 40; c++)
		left += dag_has(r->dag, 30, c);
	assert_true(left < 40 && after.rows[0].all);
	assert_in_range(after.rows[0].trials, left - 2, left);
	assert_true(after.rows[0].tests.mean < before.rows[0].tests.mean);
}

static void a_limit_leaves_an_estimate(void **unused)
{
	g_autoptr(bisect_range) r = range_of(3000, false);
	g_autoptr(bisect_state) s = begun(r, false, true);
	struct bisect_plan plan;
	int64_t began = g_get_monotonic_time();

	(void)unused;
	bisect_plan(s, 100, 1e-6, 1, &plan);
	assert_true(g_get_monotonic_time() - began < 2 * G_USEC_PER_SEC);
	for (unsigned i = 0; i < plan.n_rows; i++) {
		assert_int_equal(plan.rows[i].trials, 0);
		assert_false(plan.rows[i].all);
		assert_true(plan.rows[i].wall_s.mean > 1000 * (i + 1));
		assert_true(plan.rows[i].wall_s.mean < 20000 * (i + 1));
	}
}

/* Guests at once: rounds, as kbisect run has them. */
static void more_guests_take_less_time(void **unused)
{
	g_autoptr(bisect_range) r = range_of(40, false);
	g_autoptr(bisect_state) s = begun(r, true, true);
	struct bisect_plan one, two;

	(void)unused;
	bisect_plan(s, 10, 0, 1, &one);
	s->costs.jobs = 2;
	bisect_plan(s, 10, 0, 1, &two);
	assert_true(two.rows[2].wall_s.mean < 0.85 * one.rows[2].wall_s.mean);
	assert_true(two.rows[0].tests.mean > one.rows[0].tests.mean);
}

/* --- the time to go ----------------------------------------------------------------------------- */

struct moment {
	double at, eta;
};

/* A whole bisection in a made-up world; the moments of its decisions, the last one at its end. */
static GArray *play(const struct world_params *params, uint64_t seed)
{
	g_autoptr(world) w = world_new(params, seed);
	bool runs = params->form == BISECT_RUNS;
	struct bisect_model model = bisect_model_default(params->form, runs ? 1 : params->run_s, params->fix);
	struct bisect_goal goal = bisect_goal_default(&model, 0.99, runs ? 1 : params->run_s);
	g_autoptr(bisect_belief) b = bisect_belief_new(w->dag, &model, NULL);
	g_autofree double *make = g_new(double, params->n + 1);
	struct bisect_costs costs = { .run_s = params->run_s, .boot_s = params->boot_s, .make_s = make };
	GArray *moments = g_array_new(FALSE, FALSE, sizeof(struct moment));
	struct moment now = { 0 };

	for (unsigned i = 0; i <= params->n; i++)
		make[i] = params->make_s;
	for (;;) {
		struct bisect_step step = bisect_next(b, &goal, &costs, NULL, 0, NULL);
		double had;
		bool failed;

		now.eta = bisect_remaining_s(b, &goal, &costs);
		g_array_append_val(moments, now);
		if (step.phase == BISECT_DONE)
			return moments;
		failed = world_test(w, step.test.node, runs ? 1 : step.test.length, &had);
		now.at += make[step.test.node] + costs.boot_s + (runs ? costs.run_s : had);
		make[step.test.node] = 0;
		bisect_see(b, step.test.node, failed, had);
		bisect_update(b);
	}
}

#define SHARES 5

/* The means of what was foretold and of what came, at shares of the way. */
static void measure(const struct world_params *params, unsigned trials, double *ratio)
{
	static const double shares[SHARES] = { 0.1, 0.25, 0.5, 0.75, 0.9 };
	double foretold[SHARES] = { 0 }, came[SHARES] = { 0 };

	for (unsigned t = 0; t < trials; t++) {
		g_autoptr(GArray) moments = play(params, 500 + t);
		double end = g_array_index(moments, struct moment, moments->len - 1).at;

		for (unsigned k = 0; k < SHARES; k++) {
			const struct moment *m = &g_array_index(moments, struct moment, 0);

			while (m->at < shares[k] * end)
				m++;
			foretold[k] += m->eta;
			came[k] += end - m->at;
		}
	}
	for (unsigned k = 0; k < SHARES; k++)
		ratio[k] = foretold[k] / came[k];
}

static void the_time_to_go_is_about_right(void **unused)
{
	static const struct world_params worlds[] = {
		{ .n = 64, .p = 1, .make_s = 120, .run_s = 60, .merges = true },
		{ .n = 64, .p = 0.5, .make_s = 120, .run_s = 60, .merges = true },
		{ .n = 64, .p = 0.2, .make_s = 120, .run_s = 60, .merges = true },
		{ .n = 300, .p = 0.5, .make_s = 300, .run_s = 60, .fix = true },
		{ .n = 64, .p = 0.5, .make_s = 120, .run_s = 20, .boot_s = 8, .form = BISECT_TIME },
		{ .n = 64, .p = 1 / 90.0, .make_s = 120, .run_s = 20, .boot_s = 8, .form = BISECT_TIME },
	};
	double ratio[SHARES];

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(worlds); i++) {
		measure(&worlds[i], 20, ratio);
		print_message("world %zu: foretold by what came: %.2f %.2f %.2f %.2f %.2f\n", i, ratio[0],
			      ratio[1], ratio[2], ratio[3], ratio[4]);
		for (unsigned k = 0; k < SHARES; k++)
			assert_true(ratio[k] > 0.6 && ratio[k] < 1.7);
	}
}

/* What a test takes is learned from those that were done. */
static void the_pace_is_measured(void **unused)
{
	g_autoptr(bisect_range) r = range_of(40, false);
	g_autoptr(bisect_state) runs = begun(r, false, false), time = begun(r, true, true);
	struct bisect_test test = { .node = 39, .length = 20 };
	double guessed = bisect_eta_s(runs);

	(void)unused;
	assert_true(bisect_pace(runs).run_s == 20 && bisect_pace(time).boot_s == 8);
	for (unsigned i = 0; i < 5; i++) {
		do_test(runs, &test, false, true, 1, 0.5);
		do_test(time, &test, true, true, 3, 15);
	}
	assert_float_equal(bisect_pace(runs).run_s, 0.5, 1e-9);
	assert_float_equal(bisect_pace(time).boot_s, 12, 1e-9);
	assert_true(bisect_pace(time).run_s == 20);
	assert_true(bisect_eta_s(runs) < guessed / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bisection_takes_more),
		cmocka_unit_test(time_is_what_kernels_and_runs_take),
		cmocka_unit_test(the_same_seed_foretells_the_same),
		cmocka_unit_test(it_goes_on_from_where_it_stands),
		cmocka_unit_test(what_is_excluded_has_no_turn),
		cmocka_unit_test(a_limit_leaves_an_estimate),
		cmocka_unit_test(more_guests_take_less_time),
		cmocka_unit_test(the_time_to_go_is_about_right),
		cmocka_unit_test(the_pace_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
