// SPDX-License-Identifier: GPL-2.0-or-later
/* Histories: sums over them, against the definition, on small random graphs and on large ones. */
#include "bisect_fixture.h"

#include "bisect/world.h"

static void sums_are_those_of_the_definition(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 400; seed++) {
		struct small s = small_open(seed);
		double x[SMALL][2], past[SMALL][2], future[SMALL][2];

		for (unsigned i = 0; i < s.dag->n; i++)
			for (unsigned k = 0; k < 2; k++)
				x[i][k] = g_rand_int_range(s.rand, 0, 1000);
		dag_history(s.dag, &x[0][0], 2, &past[0][0]);
		dag_future(s.dag, &x[0][0], 2, &future[0][0]);
		for (unsigned t = 0; t < s.dag->n; t++)
			for (unsigned k = 0; k < 2; k++) {
				double want_past = 0, want_future = 0;

				for (unsigned c = 0; c < s.dag->n; c++) {
					want_past += s.has[t][c] ? x[c][k] : 0;
					want_future += s.has[c][t] ? x[c][k] : 0;
				}
				assert_true(past[t][k] == want_past);
				assert_true(future[t][k] == want_future);
			}
		small_close(&s);
	}
}

static void membership_is_that_of_the_definition(void **unused)
{
	(void)unused;
	for (guint32 seed = 0; seed < 400; seed++) {
		struct small s = small_open(seed);

		for (unsigned t = 0; t < s.dag->n; t++) {
			uint8_t marks[SMALL] = { 0 };

			dag_mark(s.dag, t, marks);
			for (unsigned c = 0; c < s.dag->n; c++) {
				assert_int_equal(marks[c], s.has[t][c]);
				assert_int_equal(dag_has(s.dag, t, c), s.has[t][c]);
			}
		}
		small_close(&s);
	}
}

/* What a large history needs is near the number of its changes, or decisions would be slow. */
static void large_histories_are_cheap(void **unused)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(dag) d = world_history(15000, rand);
	unsigned merges = 0;

	(void)unused;
	assert_int_equal(d->n, 15000);
	for (unsigned t = 0; t < d->n; t++)
		merges += dag_n_parents(d, t) > 1;
	assert_in_range(merges, 600, 1600);
	assert_true(d->from[d->n] < 4 * d->n);
	for (unsigned c = 0; c < d->n; c += 101) /* one tip */
		assert_true(dag_has(d, d->n - 1, c));
}

static void what_is_no_history_is_refused(void **unused)
{
	static const unsigned self[] = { 0, 1 }, later[] = { 0, 1, 1 };
	static const unsigned zero[] = { 0 }, one[] = { 1 };
	g_autoptr(GError) error = NULL;
	struct dag *d = NULL;

	(void)unused;
	assert_false(dag_new(1, self, zero, &d, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	g_clear_error(&error);
	assert_false(dag_new(2, later, one, &d, &error));
	g_clear_error(&error);
	assert_false(dag_new(0, zero, zero, &d, &error));
	assert_non_null(strstr(error->message, "no change"));
	assert_null(d);
}

static void a_parent_named_twice_counts_once(void **unused)
{
	static const unsigned first[] = { 0, 0, 2 }, parents[] = { 0, 0 };
	double x[] = { 1, 2 }, sum[2];
	g_autoptr(dag) d = NULL;

	(void)unused;
	assert_true(dag_new(2, first, parents, &d, NULL));
	assert_int_equal(dag_n_parents(d, 1), 1);
	dag_history(d, x, 1, sum);
	assert_true(sum[1] == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_those_of_the_definition),
		cmocka_unit_test(membership_is_that_of_the_definition),
		cmocka_unit_test(large_histories_are_cheap),
		cmocka_unit_test(what_is_no_history_is_refused),
		cmocka_unit_test(a_parent_named_twice_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
