// SPDX-License-Identifier: GPL-2.0-or-later
/* See verify.h. */
#include "bisect/verify.h"

#include <math.h>
#include <string.h>

#define LOWER 0.1 /* quantile of the rate */

const char *verify_verdict_name(enum verify_verdict verdict)
{
	static const char *const names[VERIFY__COUNT] = { "not asked for", "open", "confirmed",
							  "refuted", "not possible" };

	return names[verdict];
}

void verify_clear(struct verify *v)
{
	g_free(v->why);
	g_free(v->image);
	memset(v, 0, sizeof(*v));
}

/* What one failure, and one survived run or second, add to the case for "it still has the bug". */
struct weights {
	double fails, had;
};

static struct weights weigh(const struct bisect_model *m, struct bisect_tally end)
{
	double rate = bisect_rate_quantile(m, end, LOWER);
	bool runs = m->form == BISECT_RUNS;

	return (struct weights){ .fails = log(rate / m->eps),
				 .had = runs ? log1p(-rate) - log1p(-m->eps) : m->eps - rate };
}

static double sum(const struct verify *v, struct weights w)
{
	return v->seen.fails * w.fails + v->seen.had * w.had;
}

enum verify_verdict verify_judge(const struct verify *v, const struct bisect_model *m,
				 struct bisect_tally end, double confidence)
{
	struct weights w = weigh(m, end);
	double far = -log(1 - confidence), case_for = sum(v, w);

	if (!v->begun)
		return VERIFY_NONE;
	/* a kernel that fails no oftener than noise cannot be told from one that is clean */
	if (v->why || v->others >= VERIFY_OTHERS_MAX || !(w.had < 0))
		return VERIFY_IMPOSSIBLE;
	if (case_for <= -far)
		return VERIFY_CONFIRMED;
	if (case_for >= far && v->seen.fails >= VERIFY_REFUTING)
		return VERIFY_REFUTED;
	return v->seen.had * -w.had > VERIFY_LENGTHS * far ? VERIFY_IMPOSSIBLE : VERIFY_OPEN;
}

double verify_lacks(const struct verify *v, const struct bisect_model *m, struct bisect_tally end,
		    double confidence)
{
	struct weights w = weigh(m, end);
	double lacks = (-log(1 - confidence) + sum(v, w)) / -w.had;

	if (verify_judge(v, m, end, confidence) != VERIFY_OPEN)
		return 0;
	return m->form == BISECT_RUNS ? ceil(fmax(lacks, 1)) : fmax(lacks, 1);
}

double verify_chance(const struct verify *v, const struct bisect_model *m, struct bisect_tally end)
{
	double rate = bisect_rate_quantile(m, end, LOWER);

	return exp(m->form == BISECT_RUNS ? v->seen.had * log1p(-rate) : -v->seen.had * rate);
}
