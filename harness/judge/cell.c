// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The jobs of a cell to one verdict. A failure seen once is a failure, unless nothing foretold it
 * and the emulator or the host may be to blame, or our own delays may; `clean` adds the exposure of
 * all clean jobs up.
 */
#include "judge/judge.h"

#include "stats/rate.h"

#include <math.h>
#include <string.h>

#define CLEAN_JOBS_MAX 3
#define LOST_JOBS_MAX 2	/* repetitions that could not tell, before the failure is given up */

static void verdict_copy(const struct verdict *from, struct verdict *ret)
{
	*ret = *from;
	ret->title = g_strdup(from->title);
	ret->reason = g_strdup(from->reason);
	ret->excerpt = g_strdup(from->excerpt);
	ret->hazard = g_strdup(from->hazard);
	ret->findings = g_strdupv(from->findings);
}

static int first_of(const struct verdict *jobs, unsigned n, enum verdict_value value)
{
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i].value == value)
			return i;
	}
	return -1;
}

static void reason_take(struct verdict *v, char *reason)
{
	g_free(v->reason);
	v->reason = reason;
}

static double time_to_failure_s(const struct verdict *v, int64_t began_us)
{
	return v->failed_us && began_us && v->failed_us >= began_us
		       ? (double)(v->failed_us - began_us) / G_USEC_PER_SEC
		       : NAN;
}

/* What the repetitions of a failure said, the failure itself included. */
struct tally {
	enum cell_needs due;	/* the kind of repetition that counts; CELL_DONE: none is wanted */
	bool slowed;		/* the delays may have brought the failure about */
	unsigned hits, misses;
	unsigned lost;		/* could not tell, and may be tried again */
	bool clean;		/* the last miss was a clean run */
	bool hopeless;		/* one could not tell, and another try will not either */
};

static void doubt(const struct tally *t, struct cell_verdict *ret, const char *why)
{
	g_autofree char *title = g_steal_pointer(&ret->v.title);

	reason_take(&ret->v, g_strdup_printf("seen once: '%s'%s; %s", title ? title : "a failure",
					     t->slowed ? " under injected delay" : "", why));
	ret->v.value = VERDICT_INCONCLUSIVE;
	ret->v.kind = KIND_NONE;
	ret->v.splat = ret->v.weak = false;
	g_clear_pointer(&ret->v.hazard, g_free);
}

static enum cell_needs repetition_due(const struct verdict *failure, bool slowed,
				      const struct cell_rule *rule)
{
	if (rule->foretold)
		return slowed ? CELL_SECOND_SEED : CELL_DONE;
	return failure->splat ? CELL_SECOND_MODEL : CELL_ALONE;
}

/* Does this job repeat the first failure under the conditions that make it count? */
static bool is_repetition(const struct cell_job *job, const struct cell_job *first,
			  const struct tally *t, const struct cell_rule *rule)
{
	if (t->slowed && job->seed == first->seed)
		return false;
	if (t->due == CELL_SECOND_SEED)
		return true;
	if (t->due == CELL_ALONE && !job->alone)
		return false;
	return rule->one_model || g_strcmp0(job->cpu_model, first->cpu_model) != 0;
}

static struct tally tally_repetitions(const struct verdict *jobs, const struct cell_job *how,
				      unsigned n, unsigned first, const struct cell_rule *rule)
{
	struct tally t = { .hits = 1, .slowed = jobs[first].weak && how[first].delayed };

	t.due = repetition_due(&jobs[first], t.slowed, rule);
	for (unsigned i = first + 1; i < n; i++) {
		if (!is_repetition(&how[i], &how[first], &t, rule))
			continue;
		if (jobs[i].value == VERDICT_AFFECTED) {
			t.hits++;
		} else if (jobs[i].value == VERDICT_INFRA) {
			t.lost++;
			t.hopeless |= !jobs[i].retry;
		} else if (t.slowed && !how[i].delayed) {
			t.lost++;
		} else {
			t.misses++;
			t.clean = jobs[i].value == VERDICT_CLEAN;
		}
	}
	return t;
}

/* The console carries it: a second CPU model confirms it or not. */
static enum cell_needs settle_splat(const struct tally *t, struct cell_verdict *ret)
{
	g_autofree char *old = NULL;

	if (t->hits > 1)
		return CELL_DONE;
	if (t->misses || t->hopeless || t->lost >= LOST_JOBS_MAX) {
		doubt(t, ret, t->misses && t->clean ?
				      "a second CPU model did not confirm it" :
				      "the run under a second CPU model could not tell");
		return CELL_DONE;
	}
	/* Nothing but this model's runs say so: the emulator's idea of the CPU may be to blame. */
	old = g_steal_pointer(&ret->v.reason);
	ret->v.reason = g_strdup_printf("%s; not foretold, to be repeated under a second CPU model",
					old);
	return CELL_SECOND_MODEL;
}

/* Nothing but its silence carries it: the host may be to blame as well. */
static enum cell_needs settle_silent(const struct tally *t, struct cell_verdict *ret)
{
	static const char how[] = "alone on the host and under a second CPU model";
	g_autofree char *old = NULL, *why = NULL;

	if (t->hits > 1) {
		old = g_steal_pointer(&ret->v.reason);
		ret->v.reason = g_strdup_printf("%s; seen in %u of %u runs, repeated %s", old,
						t->hits, t->hits + t->misses, how);
		return CELL_DONE;
	}
	if (t->misses > 1)
		why = g_strdup_printf("1 of %u runs, repeated %s", 1 + t->misses, how);
	else if (t->hopeless || t->lost >= LOST_JOBS_MAX)
		why = g_strdup_printf("the run %s could not tell", how);
	if (why) {
		doubt(t, ret, why);
		return CELL_DONE;
	}
	old = g_steal_pointer(&ret->v.reason);
	ret->v.reason = g_strdup_printf("%s; not foretold and without a splat, to be repeated %s",
					old, how);
	return CELL_ALONE;
}

/* It is foretold, and would be believed but for the delays. */
static enum cell_needs settle_slowed(const struct tally *t, struct cell_verdict *ret)
{
	bool again = t->hits > 1;
	g_autofree char *old = NULL;

	if (!again && (t->misses || t->hopeless || t->lost >= LOST_JOBS_MAX)) {
		doubt(t, ret, t->misses && t->clean ?
				      "a second run with the same plan did not show it" :
				      "the second run with the same plan could not tell");
		return CELL_DONE;
	}
	old = g_steal_pointer(&ret->v.reason);
	ret->v.reason = g_strdup_printf("%s; under injected delay, %s with another seed", old,
					again ? "and again" : "to be repeated");
	return again ? CELL_DONE : CELL_SECOND_SEED;
}

static enum cell_needs join_affected(const struct verdict *jobs, const struct cell_job *how,
				     unsigned n, unsigned first, const struct cell_rule *rule,
				     struct cell_verdict *ret)
{
	struct tally t = tally_repetitions(jobs, how, n, first, rule);

	verdict_copy(&jobs[first], &ret->v);
	ret->time_to_failure_s = time_to_failure_s(&jobs[first], how[first].began_us);
	switch (t.due) {
	case CELL_SECOND_MODEL:
		return settle_splat(&t, ret);
	case CELL_ALONE:
		return settle_silent(&t, ret);
	case CELL_SECOND_SEED:
		return settle_slowed(&t, ret);
	default:
		return CELL_DONE;
	}
}

/* False when the exposure is too little for the asked confidence. */
static bool state_confidence(const struct cell_rule *rule, double exposure,
			     struct cell_verdict *ret)
{
	double limit = 1 - rule->confidence;

	ret->p_missed = rate_p_missed(rule->rate_lower, exposure);
	if (isnan(ret->p_missed)) {
		reason_take(&ret->v,
			    g_strdup_printf("passed, exposure %.0f; uncalibrated: no control "
					    "says how much is enough",
					    exposure));
		return true;
	}
	/* 1 - 0.99 is not 0.01 in binary: half a part in a million is no reason to differ. */
	if (ret->p_missed <= limit * (1 + 5e-7)) {
		ret->confidence = 1 - ret->p_missed;
		reason_take(&ret->v, g_strdup_printf("passed, exposure %.0f, P(missed) <= %.2g",
						     exposure, ret->p_missed));
		return true;
	}
	ret->v.value = VERDICT_INCONCLUSIVE;
	reason_take(&ret->v,
		    g_strdup_printf("passed, but exposure %.0f leaves P(missed) <= %.2g, above "
				    "the asked %.2g",
				    exposure, ret->p_missed, limit));
	return false;
}

/* Exposure adds up over jobs: one that falls short of the bound is run again, a few times. */
static enum cell_needs join_clean(const struct verdict *jobs, unsigned n, unsigned first,
		       const struct cell_rule *rule, struct cell_verdict *ret)
{
	double exposure = cell_exposure(jobs, n), slack = 0;

	verdict_copy(&jobs[first], &ret->v);
	for (unsigned i = 0; i < n; i++)
		slack += jobs[i].value == VERDICT_CLEAN ? jobs[i].exposure_slack : 0;
	ret->v.exposure = exposure;
	ret->v.exposure_slack = slack;
	return state_confidence(rule, exposure, ret) || n >= CLEAN_JOBS_MAX ? CELL_DONE :
									      CELL_RERUN;
}

double cell_exposure(const struct verdict *jobs, unsigned n)
{
	double exposure = 0;

	for (unsigned i = 0; i < n; i++)
		exposure += jobs[i].value == VERDICT_CLEAN ? jobs[i].exposure : 0;
	return exposure;
}

double cell_exposure_missing(const struct verdict *jobs, unsigned n, const struct cell_rule *rule)
{
	double wanted;

	if (!(rule->rate_lower > 0))
		return 0;
	wanted = rate_exposure_for(rule->rate_lower, 1 - rule->confidence);
	/* counters are whole; what rounding took is below the tolerance of state_confidence() */
	return fmax(ceil(wanted * (1 - 1e-9) - cell_exposure(jobs, n)), 1);
}

/* Titles that the jobs found on the way, each once, in order. */
static void join_findings(const struct verdict *jobs, unsigned n, struct verdict *v)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();

	for (unsigned i = 0; i < n; i++) {
		for (char **f = jobs[i].findings; f && *f; f++) {
			if (!g_ptr_array_find_with_equal_func(all, *f, g_str_equal, NULL))
				g_ptr_array_add(all, *f);
		}
	}
	g_strfreev(v->findings);
	v->findings = all->len ? g_new0(char *, all->len + 1) : NULL;
	for (unsigned i = 0; i < all->len; i++)
		v->findings[i] = g_strdup(all->pdata[i]);
}

/* Neither failed nor passed: what says most, else the last. */
static enum cell_needs join_rest(const struct verdict *jobs, unsigned n, struct cell_verdict *ret)
{
	static const enum verdict_value order[] = { VERDICT_UNSUPPORTED, VERDICT_INCONCLUSIVE };
	const struct verdict *last = &jobs[n - 1];

	for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
		int at = first_of(jobs, n, order[i]);

		if (at < 0)
			continue;
		verdict_copy(&jobs[at], &ret->v);
		return CELL_DONE;
	}
	verdict_copy(last, &ret->v);
	return n == 1 && last->retry ? CELL_RERUN : CELL_DONE;
}

void judge_cell(const struct verdict *jobs, const struct cell_job *how, unsigned n,
		const struct cell_rule *rule, struct cell_verdict *ret, enum cell_needs *needs_more)
{
	int affected = first_of(jobs, n, VERDICT_AFFECTED),
	    clean = first_of(jobs, n, VERDICT_CLEAN);

	*ret = (struct cell_verdict){ .confidence = NAN,
				      .p_missed = NAN,
				      .time_to_failure_s = NAN };
	*needs_more = CELL_DONE;
	if (affected >= 0)
		*needs_more = join_affected(jobs, how, n, affected, rule, ret);
	else if (clean >= 0)
		*needs_more = join_clean(jobs, n, clean, rule, ret);
	else
		*needs_more = join_rest(jobs, n, ret);
	join_findings(jobs, n, &ret->v);
}
