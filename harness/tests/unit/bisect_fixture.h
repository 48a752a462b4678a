/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small random histories and evidence, and what follows from them by the definitions alone. */
#ifndef BISECT_FIXTURE_H
#define BISECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bisect/model.h"

#include <math.h>

#define SMALL 10

struct small {
	struct dag *dag;
	bool has[SMALL + 1]
		[SMALL]; /* [t][c]: c is in t's history; the last row: of the other end */
	GRand *rand;
};

static inline void small_close(struct small *s)
{
	dag_free(s->dag);
	g_rand_free(s->rand);
}

/* Up to 3 parents each; the closure is made by the definition: a node, and what its parents have.
 */
static inline struct small small_open(guint32 seed)
{
	struct small s = { .rand = g_rand_new_with_seed(seed) };
	unsigned n = g_rand_int_range(s.rand, 1, SMALL + 1), first[SMALL + 1] = { 0 };
	unsigned parents[3 * SMALL], at = 0;

	for (unsigned t = 0; t < n; t++) {
		unsigned want = t ? g_rand_int_range(s.rand, t == n - 1, 4) : 0;

		s.has[t][t] = true;
		for (unsigned i = 0; i < want; i++) {
			unsigned p = g_rand_int_range(s.rand, t > 4 ? t - 4 : 0, t);

			parents[at++] = p;
			for (unsigned c = 0; c < n; c++)
				s.has[t][c] |= s.has[p][c];
		}
		first[t + 1] = at;
	}
	assert_true(dag_new(n, first, parents, &s.dag, NULL));
	return s;
}

static inline void see_at_random(struct small *s, struct bisect_belief *b, unsigned runs)
{
	for (unsigned i = 0; i < runs; i++) {
		unsigned node = g_rand_int_range(s->rand, 0, s->dag->n + 1);
		bool failed = g_rand_boolean(s->rand);
		double had = b->model->form == BISECT_TIME ? g_rand_double(s->rand) * 90 : 1;

		bisect_see(b, node, failed, had);
	}
	bisect_update(b);
}

static inline struct bisect_model small_model(struct small *s)
{
	enum bisect_form form = g_rand_boolean(s->rand) ? BISECT_RUNS : BISECT_TIME;

	return bisect_model_default(form, form == BISECT_RUNS ? 1 : 60, g_rand_boolean(s->rand));
}

#endif
