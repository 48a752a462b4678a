// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a job says to a bisection. Only a failure, and a pass that was judged clean, are evidence: a
 * run without exposure, with a console that is not whole, or without the delays that all others have
 * says nothing, and above all not that the kernel is good.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "run/amplifier.h"

#define PLAN_MAX (1u << 20)
#define SILENT_MAX 2 /* times; the next one, and this test cannot be done on this kernel */

/* How often tests of this kernel said nothing; for this reason, unless `why` is NULL. */
static unsigned lost_before(const struct bisect_state *state, const struct bisect_try *t,
			    const char *why)
{
	unsigned n = 0;

	for (guint i = 0; i < state->runs->len; i++) {
		const struct bisect_run *run = state->runs->pdata[i];

		n += run->ended && run->node == t->node && run->patched == t->patched &&
		     run->outcome == OUTCOME_LOST && (!why || !g_strcmp0(run->why, why));
	}
	return n;
}

static void say_nothing(const struct bisect_state *state, struct bisect_try *t, const char *why)
{
	t->why = g_strdup(why);
	t->outcome = lost_before(state, t, NULL) < SILENT_MAX ? OUTCOME_LOST : OUTCOME_UNTESTABLE;
}

/* Who does not come up twice does not boot; the first time may have been the host's fault. */
static void judge_infra(const struct bisect_state *state, const struct verdict *v,
			struct bisect_try *t)
{
	bool again = v->infra == INFRA_BOOT_LOST && lost_before(state, t, v->reason);

	t->why = g_strdup(v->reason);
	t->outcome = again ? OUTCOME_UNTESTABLE : OUTCOME_LOST;
}

static void judge_clean(const struct bisect_state *state, const struct outcome *o,
			struct bisect_try *t)
{
	if (state->plan && o->unamplified)
		say_nothing(state, t, o->unamplified);
	else if (t->had > 0)
		t->outcome = OUTCOME_SURVIVED;
	else
		say_nothing(state, t, "it passed, and its journal does not say for how long it ran");
}

static double seconds_had(const struct outcome *o)
{
	int64_t end = o->verdict.value == VERDICT_AFFECTED && o->verdict.failed_us ?
			      o->verdict.failed_us :
			      o->ended_us;

	return o->began_us && end > o->began_us ? (end - o->began_us) / 1e6 : 0;
}

static char *read_plan(const struct outcome *o)
{
	g_autofree char *path = g_build_filename(o->dir, AMPLIFIER_PLAN, NULL), *text = NULL;
	size_t len;

	return o->plan && fs_read(path, PLAN_MAX, &text, &len, NULL) ? plan_without_seed(text) :
								       NULL;
}

void bisect_judge(const struct bisect_state *state, const char *signature,
		  const struct outcome *o, struct bisect_try *t)
{
	const struct verdict *v = &o->verdict;

	t->had = seconds_had(o);
	t->title = g_strdup(v->title);
	t->hazard = g_strdup(v->hazard);
	t->dir = g_strdup(o->dir);
	switch (v->value) {
	case VERDICT_AFFECTED:
		t->plan = read_plan(o);
		t->outcome = bisect_is_symptom(state, t->node, v->title, v->hazard, signature) ?
				     OUTCOME_FAILED :
				     OUTCOME_OTHER;
		return;
	case VERDICT_CLEAN:
		judge_clean(state, o, t);
		return;
	case VERDICT_INCONCLUSIVE:
		say_nothing(state, t, v->reason);
		return;
	case VERDICT_UNSUPPORTED:
		t->outcome = OUTCOME_UNTESTABLE;
		t->why = g_strdup(v->reason);
		return;
	case VERDICT_INFRA:
	case VERDICT__COUNT:
		judge_infra(state, v, t);
	}
}
