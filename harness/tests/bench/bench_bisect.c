// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a decision takes: bench_bisect [CHANGES] (15000). A history of the kernel's shape, 30
 * kernels tested; prints what a posterior and a choice take, for one guest and for the second of
 * two.
 */
#include "bisect/next.h"
#include "bisect/world.h"

#include <stdio.h>

#define TESTED 30
#define ROUNDS 20

static double ms_since(gint64 since)
{
	return (g_get_monotonic_time() - since) / 1e3 / ROUNDS;
}

static void see_some(struct bisect_belief *b, GRand *rand)
{
	for (unsigned i = 0; i < TESTED; i++) {
		unsigned node = g_rand_int_range(rand, 0, b->dag->n + 1);

		bisect_see(b, node, node > b->dag->n / 2 && i % 3 == 0, 1);
	}
	for (unsigned i = 0; i < 5; i++)
		bisect_see(b, b->dag->n - 1, true, 1);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? g_ascii_strtoull(argv[1], NULL, 10) : 15000;
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	struct bisect_model model = bisect_model_default(BISECT_RUNS, 1, false);
	gint64 begin = g_get_monotonic_time();
	g_autoptr(dag) d = world_history(n, rand);
	g_autoptr(bisect_belief) b = bisect_belief_new(d, &model, NULL);
	g_autofree double *make = g_new0(double, n + 1);
	struct bisect_costs costs = { .boot_s = 10, .run_s = 50, .make_s = make };
	struct bisect_test test;

	printf("%u changes, %u brought by merges: made in %.0f ms\n", d->n, d->from[n],
	       (g_get_monotonic_time() - begin) / 1e3);
	see_some(b, rand);
	begin = g_get_monotonic_time();
	for (unsigned i = 0; i < ROUNDS; i++)
		bisect_update(b);
	printf("posterior           %7.2f ms\n", ms_since(begin));
	begin = g_get_monotonic_time();
	for (unsigned i = 0; i < ROUNDS; i++)
		test = bisect_choose(b, &costs, NULL, 0, rand);
	printf("choice              %7.2f ms\n", ms_since(begin));
	begin = g_get_monotonic_time();
	for (unsigned i = 0; i < ROUNDS; i++)
		bisect_choose(b, &costs, &test, 1, rand);
	printf("choice beside a run %7.2f ms\n", ms_since(begin));
	return 0;
}
