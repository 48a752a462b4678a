// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The jobs of a cell to one verdict. A failure seen once is a failure, unless nothing foretold it
 * and the emulator alone may be to blame; `clean` adds the exposure of all clean jobs up.
 */
#include "judge/judge.h"

#include "stats/rate.h"

#include <math.h>
#include <string.h>

#define CLEAN_JOBS_MAX 3

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

static void doubt(struct cell_verdict *ret, const char *why)
{
	g_autofree char *title = g_steal_pointer(&ret->v.title);

	reason_take(&ret->v,
		    g_strdup_printf("seen once: '%s'; %s", title ? title : "a failure", why));
	ret->v.value = VERDICT_INCONCLUSIVE;
	ret->v.kind = KIND_NONE;
	g_clear_pointer(&ret->v.hazard, g_free);
}

static enum cell_needs join_affected(const struct verdict *jobs, const int64_t *began_us,
				     unsigned n, unsigned first, const struct cell_rule *rule,
				     struct cell_verdict *ret)
{
	unsigned after = n - 1 - first;

	verdict_copy(&jobs[first], &ret->v);
	ret->time_to_failure_s = time_to_failure_s(&jobs[first], began_us ? began_us[first] : 0);
	if (rule->foretold)
		return CELL_DONE;
	if (after && rule->second_model && jobs[n - 1].value == VERDICT_AFFECTED)
		return CELL_DONE;
	/* Nothing but this model's runs say so: the emulator's idea of the CPU may be to blame. */
	if (!rule->second_model || !after) {
		reason_take(&ret->v,
			    g_strdup_printf("%s; not foretold, to be repeated under a second "
					    "CPU model",
					    jobs[first].reason));
		return CELL_SECOND_MODEL;
	}
	if (jobs[n - 1].value == VERDICT_INFRA && jobs[n - 1].retry && after < 2)
		return CELL_SECOND_MODEL;
	doubt(ret, jobs[n - 1].value == VERDICT_CLEAN
			   ? "a second CPU model did not confirm it"
			   : "the run under a second CPU model could not tell");
	return CELL_DONE;
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
	double exposure = 0, slack = 0;

	verdict_copy(&jobs[first], &ret->v);
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i].value != VERDICT_CLEAN)
			continue;
		exposure += jobs[i].exposure;
		slack += jobs[i].exposure_slack;
	}
	ret->v.exposure = exposure;
	ret->v.exposure_slack = slack;
	return state_confidence(rule, exposure, ret) || n >= CLEAN_JOBS_MAX ? CELL_DONE :
									      CELL_RERUN;
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

void judge_cell(const struct verdict *jobs, const int64_t *began_us, unsigned n,
		const struct cell_rule *rule, struct cell_verdict *ret, enum cell_needs *needs_more)
{
	int affected = first_of(jobs, n, VERDICT_AFFECTED),
	    clean = first_of(jobs, n, VERDICT_CLEAN);

	*ret = (struct cell_verdict){ .confidence = NAN,
				      .p_missed = NAN,
				      .time_to_failure_s = NAN };
	*needs_more = CELL_DONE;
	if (affected >= 0)
		*needs_more = join_affected(jobs, began_us, n, affected, rule, ret);
	else if (clean >= 0)
		*needs_more = join_clean(jobs, n, clean, rule, ret);
	else
		*needs_more = join_rest(jobs, n, ret);
	join_findings(jobs, n, &ret->v);
}
