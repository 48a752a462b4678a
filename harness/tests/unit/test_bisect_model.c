// SPDX-License-Identifier: GPL-2.0-or-later
/* The posterior and what a test tells, against the definitions by brute force on small histories.
 */
#include "bisect_fixture.h"

#include "bisect/choose.h"

#define NEAR 1e-9

static void near(double got, double want)
{
	assert_true(fabs(got - want) <= NEAR * fmax(1, fabs(want)));
}

/* --- the posterior ------------------------------------------------------------------------------
 */

/* Of one hypothesis, with a loop over the evidence and the rate integrated by its conjugate form.
 */
static double weight(const struct small *s, const struct bisect_belief *b, int c)
{
	const struct bisect_model *m = b->model;
	double fails = 0, had = 0, l = 1;

	for (unsigned t = 0; t <= s->dag->n; t++) {
		bool in = c >= 0 && s->has[t][c];
		bool present = c == -1 || (c >= 0 && in != m->fix);

		if (present) {
			fails += b->at[t].fails;
			had += b->at[t].had;
		} else if (m->form == BISECT_RUNS) {
			l *= pow(m->eps, b->at[t].fails) * pow(1 - m->eps, b->at[t].had);
		} else {
			l *= pow(m->eps, b->at[t].fails) * exp(-m->eps * b->at[t].had);
		}
	}
	if (m->form == BISECT_RUNS)
		return l * tgamma(m->a + fails) * tgamma(m->b + had) * tgamma(m->a + m->b) /
		       (tgamma(m->a + m->b + fails + had) * tgamma(m->a) * tgamma(m->b));
	return l * pow(m->b, m->a) / tgamma(m->a) * tgamma(m->a + fails) /
	       pow(m->b + had, m->a + fails);
}

static void the_posterior_is_that_of_brute_force(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 400; seed++) {
		struct small s = small_open(seed);
		struct bisect_model m = small_model(&s);
		double prior[SMALL], w[SMALL], older, none, sum, priors = 0;
		g_autoptr(bisect_belief) b = NULL;

		for (unsigned c = 0; c < s.dag->n; c++)
			priors += prior[c] = 0.1 + g_rand_double(s.rand);
		b = bisect_belief_new(s.dag, &m, prior);
		see_at_random(&s, b, g_rand_int_range(s.rand, 0, 14));
		older = m.prior_older * weight(&s, b, -1);
		none = m.prior_none * weight(&s, b, -2);
		sum = older + none;
		for (unsigned c = 0; c < s.dag->n; c++)
			sum += w[c] = (1 - m.prior_older - m.prior_none) * prior[c] / priors *
				      weight(&s, b, c);
		near(b->w_older, older / sum);
		near(b->w_none, none / sum);
		for (unsigned c = 0; c < s.dag->n; c++)
			near(b->w[c], w[c] / sum);
		small_close(&s);
	}
}

/* The conjugate form itself, against Simpson's rule over the rate: for what no formula shares. */
static void the_rate_is_integrated_out(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	struct bisect_tally t = { 3, 7 };
	double sum = 0, h = 1.0 / 20000;

	(void)unused;
	for (unsigned i = 0; i <= 20000; i++) { /* p = sin(x)^2 takes the ends' poles away */
		double x = i * h * G_PI_2, p = sin(x) * sin(x);

		sum += (i == 0 || i == 20000 ? 1 : i % 2 ? 4 : 2) * pow(p, 3) * pow(1 - p, 7);
	}
	near(bisect_log_likelihood(&m, t, t), log(sum * h / 3));
}

/* --- what a test tells --------------------------------------------------------------------------
 */

static double entropy(const struct bisect_belief *b)
{
	double sum = -b->w_older * log2(fmax(b->w_older, 1e-300)) -
		     b->w_none * log2(fmax(b->w_none, 1e-300));

	for (unsigned c = 0; c < b->dag->n; c++)
		sum -= b->w[c] * log2(fmax(b->w[c], 1e-300));
	return sum;
}

static double entropy_after(const struct bisect_belief *b, unsigned node, bool failed)
{
	g_autoptr(bisect_belief) then = bisect_belief_copy(b);

	bisect_see(then, node, failed, 1);
	bisect_update(then);
	return entropy(then);
}

/* Bits are what the entropy falls by on average, one run at a time. */
static void information_is_the_fall_of_entropy(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 200; seed++) {
		struct small s = small_open(seed);
		struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, seed % 2);
		g_autoptr(bisect_belief) b = bisect_belief_new(s.dag, &m, NULL);

		see_at_random(&s, b, g_rand_int_range(s.rand, 0, 14));
		for (unsigned t = 0; t <= s.dag->n; t++) {
			double y = bisect_p_fails(b, t, 1);
			double left = y * entropy_after(b, t, true) +
				      (1 - y) * entropy_after(b, t, false);

			near(bisect_information(b, t, 1), entropy(b) - left);
		}
		small_close(&s);
	}
}

/* All kernels at once are each of them alone. */
static void the_choice_is_that_of_brute_force(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 200; seed++) {
		struct small s = small_open(seed);
		struct bisect_model m = small_model(&s);
		double make[SMALL + 1], never[SMALL + 1], best = 0;
		struct bisect_costs costs = {
			.run_s = 60, .boot_s = 10, .make_s = make, .untestable = never
		};
		g_autoptr(bisect_belief) b = bisect_belief_new(s.dag, &m, NULL);
		struct bisect_test test;

		see_at_random(&s, b, 8);
		for (unsigned t = 0; t <= s.dag->n; t++) {
			make[t] = g_rand_double(s.rand) * 300;
			never[t] = g_rand_double(s.rand);
		}
		test = bisect_choose(b, &costs, NULL, 0, NULL);
		assert_int_not_equal(test.node, DAG_NONE);
		near(test.bits, bisect_information(b, test.node, test.length));
		near(test.score, test.bits * (1 - never[test.node]) / test.cost_s);
		for (unsigned t = 0; t <= s.dag->n; t++) /* the shortest test's cost is exact */
			if (m.form == BISECT_RUNS)
				best = fmax(best, bisect_information(b, t, 1) * (1 - never[t]) /
							  (make[t] + 70));
		assert_true(test.score >= best * (1 - NEAR));
		small_close(&s);
	}
}

/* BISECT_RUNS: a plan of n runs takes between one and n, and what it takes is the mean of where it
 * stops. */
static void a_plan_stops_at_its_failure(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	double make[2] = { 0 };
	struct bisect_costs costs = { .run_s = 1, .make_s = make };
	g_autoptr(dag) d = dag_chain(1);
	g_autoptr(bisect_belief) b = bisect_belief_new(d, &m, NULL);
	struct bisect_test test;
	double want = 0;

	(void)unused;
	for (unsigned i = 0; i < 40; i++)
		bisect_see(b, 0, i % 2, 1);
	bisect_update(b);
	test = bisect_choose(b, &costs, NULL, 0, NULL);
	for (unsigned i = 0; i < test.length; i++)
		want += i ? 1 - bisect_p_fails(b, test.node, i) : 1;
	assert_true(test.cost_s >= want * 0.999 && test.cost_s <= want * 1.15);
}

/* Two guests are not sent to do the same where that tells no more: p is 1, they share out the
 * range. */
static void tests_at_once_share_out_the_range(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	double make[101] = { 0 };
	struct bisect_costs costs = { .run_s = 1, .make_s = make };
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);
	g_autoptr(dag) d = dag_chain(100);
	g_autoptr(bisect_belief) b = bisect_belief_new(d, &m, NULL);
	struct bisect_test pending[2];

	(void)unused;
	for (unsigned i = 0; i < 12; i++)
		bisect_see(b, 99, true, 0);
	bisect_update(b);
	pending[0] = bisect_choose(b, &costs, NULL, 0, rand);
	pending[1] = bisect_choose(b, &costs, pending, 1, rand);
	assert_in_range(pending[0].node, 40, 60);
	assert_true(abs((int)pending[1].node - (int)pending[0].node) > 10);
}

/* --- properties ---------------------------------------------------------------------------------
 */

static void order_does_not_matter(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	g_autoptr(dag) d = dag_chain(20);
	g_autoptr(bisect_belief) x = bisect_belief_new(d, &m, NULL);
	g_autoptr(bisect_belief) y = bisect_belief_new(d, &m, NULL);

	(void)unused;
	for (unsigned i = 0; i < 60; i++) {
		bisect_see(x, i % 21, i % 3 == 0, 1);
		bisect_see(y, (59 - i) % 21, (59 - i) % 3 == 0, 1);
	}
	bisect_update(x);
	bisect_update(y);
	for (unsigned c = 0; c < 20; c++)
		assert_true(x->w[c] == y->w[c]);
}

/* A failure makes the bug more likely where it was seen, a pass less; for a fix as well. */
static void evidence_points_the_right_way(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 300; seed++) {
		struct small s = small_open(seed);
		struct bisect_model m = small_model(&s);
		g_autoptr(bisect_belief) b = bisect_belief_new(s.dag, &m, NULL);
		unsigned node = g_rand_int_range(s.rand, 0, s.dag->n + 1);
		double before;

		see_at_random(&s, b, 6);
		before = bisect_p_present(b, node);
		bisect_see(b, node, seed % 2, m.form == BISECT_TIME && seed % 2 ? 0 : 1);
		bisect_update(b);
		if (seed % 2)
			assert_true(bisect_p_present(b, node) >= before - NEAR);
		else
			assert_true(bisect_p_present(b, node) <= before + NEAR);
		small_close(&s);
	}
}

/* As sure as it gets: nothing overflows, all stays a probability. */
static void long_evidence_stays_finite(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	g_autoptr(dag) d = dag_chain(50);
	g_autoptr(bisect_belief) b = bisect_belief_new(d, &m, NULL);
	double sum;

	(void)unused;
	for (unsigned i = 0; i < 200000; i++)
		bisect_see(b, i % 51, i % 51 >= 30 && i % 7 == 0, 1);
	bisect_update(b);
	sum = b->w_older + b->w_none;
	for (unsigned c = 0; c < 50; c++)
		sum += b->w[c];
	near(sum, 1);
	assert_int_equal(bisect_best(b), 30);
	assert_true(b->w[30] > 0.999999);
}

static void the_credible_set_is_the_smallest(void **unused)
{
	struct bisect_model m = bisect_model_default(BISECT_RUNS, 1, false);
	g_autoptr(dag) d = dag_chain(10);
	g_autoptr(bisect_belief) b = bisect_belief_new(d, &m, NULL);
	g_autofree unsigned *set = NULL;
	unsigned n;

	(void)unused;
	for (unsigned i = 0; i < 10; i++)
		b->w[i] = i == 3 ? 0.6 : i == 7 ? 0.3 : 0.0125;
	set = bisect_credible(b, 0.85, &n);
	assert_int_equal(n, 2);
	assert_int_equal(set[0], 3);
	assert_int_equal(set[1], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_posterior_is_that_of_brute_force),
		cmocka_unit_test(the_rate_is_integrated_out),
		cmocka_unit_test(information_is_the_fall_of_entropy),
		cmocka_unit_test(the_choice_is_that_of_brute_force),
		cmocka_unit_test(a_plan_stops_at_its_failure),
		cmocka_unit_test(tests_at_once_share_out_the_range),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(evidence_points_the_right_way),
		cmocka_unit_test(long_evidence_stays_finite),
		cmocka_unit_test(the_credible_set_is_the_smallest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
