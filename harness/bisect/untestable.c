// SPDX-License-Identifier: GPL-2.0-or-later
/* See untestable.h. */
#include "bisect/untestable.h"

#include <glib.h>
#include <math.h>

#define HALF 8        /* changes */
#define REACH 64      /* beyond, a neighbour counts for less than 1/256 */
#define PRIOR_NO 0.25 /* one in 20, as sure as five neighbours would make it */
#define PRIOR_ALL 5.0

static void count(const uint8_t *known, unsigned n, unsigned i, double *no, double *all)
{
	unsigned from = i > REACH ? i - REACH : 0, to = n - i > REACH ? i + REACH : n - 1;

	for (unsigned k = from; k <= to; k++) {
		double weight = exp2(-fabs((double)k - i) / HALF);

		no[k] += known[i] == TESTABLE_NO ? weight : 0;
		all[k] += weight;
	}
}

void untestable_guess(const uint8_t *known, unsigned n, double *ret)
{
	g_autofree double *all = g_new(double, n);

	for (unsigned i = 0; i < n; i++) {
		ret[i] = PRIOR_NO;
		all[i] = PRIOR_ALL;
	}
	for (unsigned i = 0; i < n; i++)
		if (known[i])
			count(known, n, i, ret, all);
	for (unsigned i = 0; i < n; i++)
		ret[i] = known[i] ? known[i] == TESTABLE_NO : ret[i] / all[i];
}
