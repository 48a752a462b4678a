// SPDX-License-Identifier: GPL-2.0-or-later
/* From results of control kernels to answers, rates, tables and JSON. */
#include "cmd/calibrate_report.h"

#include "cmd/cmd.h"
#include "stats/rate.h"

#include <jansson.h>
#include <math.h>

#define CLEAN_CONFIDENCE 0.99 /* the table says what exposure states clean with it */

/* A failure that looks like another bug, or like none that is known, says nothing of this one. */
static bool found(const struct calibrate_result *r)
{
	return r->value == VERDICT_AFFECTED && r->hazard && !g_strcmp0(r->found_hazard, r->hazard);
}

enum calibrate_answer calibrate_answer(const struct calibrate_result *r)
{
	if (r->value != VERDICT_AFFECTED && r->value != VERDICT_CLEAN)
		return ANSWER_NONE;
	if (r->is_native)
		return ANSWER_RIGHT;
	if (r->value == VERDICT_CLEAN)
		return r->hazard ? ANSWER_WRONG : ANSWER_RIGHT;
	return found(r) ? ANSWER_RIGHT : ANSWER_WRONG;
}

int calibrate_exit(const struct calibrate_result *results, unsigned n)
{
	int code = n ? EXIT_CLEAN : EXIT_INFRA;

	for (unsigned i = 0; i < n; i++) {
		enum calibrate_answer answer = calibrate_answer(&results[i]);

		if (answer == ANSWER_WRONG)
			return EXIT_AFFECTED;
		if (answer == ANSWER_NONE)
			code = EXIT_INFRA;
	}
	return code;
}

static bool same_conditions(const struct calibrate_result *a, const struct calibrate_result *b)
{
	return !strcmp(a->probe, b->probe) && !strcmp(a->accel, b->accel) && a->smp == b->smp &&
	       !strcmp(a->amplify, b->amplify) && calibration_same_engine(a->engine, b->engine);
}

static bool same_bug(const struct calibrate_result *a, const struct calibrate_result *b)
{
	return a->hazard && b->hazard && !strcmp(a->hazard, b->hazard) && same_conditions(a, b);
}

/* Exposure a second of the fastest run, of those that should or should not fail; 0: none ran. */
static double fastest(const struct calibrate_result *results, unsigned n,
		      const struct calibrate_result *like, bool failing)
{
	double pace = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct calibrate_result *r = &results[i];

		if (!r->hazard == failing || !same_conditions(r, like))
			continue;
		if (r->ran_s > 0 && isfinite(r->exposure))
			pace = fmax(pace, r->exposure / r->ran_s);
	}
	return pace;
}

/* Of a probe that fails on each control the short runs must do: too fast rather than too slow. */
static double pace_of(const struct calibrate_result *results, unsigned n,
		      const struct calibrate_result *like)
{
	double pace = fastest(results, n, like, false);

	return pace > 0 ? pace : fastest(results, n, like, true);
}

static struct rate_sum sum_of(const struct calibrate_result *results, unsigned n,
			      const struct calibrate_result *like, double pace)
{
	struct rate_sum sum = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct calibrate_result *r = &results[i];
		double unread = isfinite(r->slack) ? r->slack : 0;

		if (!same_bug(r, like) || calibrate_answer(r) == ANSWER_NONE)
			continue;
		rate_sum_add(&sum, found(r), r->exposure, fmax(unread, pace * CALIBRATE_UNREAD_S));
	}
	return sum;
}

/* Is an earlier result of the same bug and conditions the one that stands for them? */
static bool is_repeated(const struct calibrate_result *results, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (same_bug(&results[j], &results[i]))
			return true;
	return false;
}

struct calibration *calibrate_rates(const struct calibrate_result *results, unsigned n,
				    int64_t when_s)
{
	struct calibration *rates = calibration_new();

	for (unsigned i = 0; i < n; i++) {
		const struct calibrate_result *r = &results[i];
		double pace = pace_of(results, n, r);
		struct rate_sum sum = sum_of(results, n, r, pace);
		struct calibration_entry entry = {
			.probe = (char *)r->probe,
			.hazard = (char *)r->hazard,
			.engine = (char *)r->engine,
			.accel = (char *)r->accel,
			.amplify = (char *)r->amplify,
			.rung = (char *)r->rung,
			.smp = r->smp,
			.runs = sum.runs,
			.failures = sum.failures,
			.exposure = sum.exposure,
			.kernel_sha256 = (char *)r->kernel_sha256,
			.when_s = when_s,
		};

		if (!r->hazard || r->is_native || is_repeated(results, i) || !(pace > 0) ||
		    !sum.runs)
			continue;
		entry.rate_lower = rate_lower(sum.failures, sum.exposure, CALIBRATION_CONFIDENCE);
		calibration_put(rates, &entry);
	}
	return rates;
}

static const char *answer_name(enum calibrate_answer answer)
{
	static const char *const names[] = {
		[ANSWER_RIGHT] = "right",
		[ANSWER_WRONG] = "WRONG",
		[ANSWER_NONE] = "no answer",
	};

	return names[answer];
}

static void print_result(GString *out, const struct calibrate_result *r)
{
	const char *text = r->value == VERDICT_AFFECTED && r->title ? r->title
			   : r->value == VERDICT_CLEAN              ? ""
								    : r->reason;

	g_string_append_printf(out, "%-8s %-18s %3u  %-12s %-10s %8.2f %12.0f  %s\n", r->control,
			       r->probe, r->repeat, verdict_value_name(r->value),
			       answer_name(calibrate_answer(r)), r->ran_s, r->exposure,
			       text ? text : "");
}

static void print_rate(GString *out, const struct calibration_entry *e)
{
	g_autofree char *runs = g_strdup_printf("%u of %u", e->failures, e->runs);

	g_string_append_printf(out, "%-18s %-30s %-10s %12.4g", e->probe, e->hazard, runs,
			       e->rate_lower);
	if (e->rate_lower > 0)
		g_string_append_printf(
			out, " %14.0f\n",
			ceil(rate_exposure_for(e->rate_lower, 1 - CLEAN_CONFIDENCE)));
	else
		g_string_append_printf(out, " %14s\n", "never");
}

char *calibrate_print(const struct calibrate_result *results, unsigned n,
		      const struct calibration *rates)
{
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%-8s %-18s %3s  %-12s %-10s %8s %12s\n", "CONTROL", "PROBE",
			       "RUN", "VERDICT", "ANSWER", "SECONDS", "EXPOSURE");
	for (unsigned i = 0; i < n; i++)
		print_result(out, &results[i]);
	if (!rates->entries->len)
		return g_string_free(out, FALSE);
	g_string_append_printf(out, "\n%-18s %-30s %-10s %12s %14s\n", "PROBE", "HAZARD", "FAILED",
			       "RATE, LOWER", "CLEAN AT 99 %");
	for (unsigned i = 0; i < rates->entries->len; i++)
		print_rate(out, rates->entries->pdata[i]);
	return g_string_free(out, FALSE);
}

/* JSON has no NAN. */
static double finite_or_0(double value)
{
	return isfinite(value) ? value : 0;
}

static json_t *result_to_json(const struct calibrate_result *r)
{
	return json_pack("{ss ss si ss ss ss ss* ss* ss* sf sf sf ss ss ss si ss ss*}", "control",
			 r->control, "probe", r->probe, "repeat", (int)r->repeat, "answer",
			 answer_name(calibrate_answer(r)), "verdict", verdict_value_name(r->value),
			 "kind", verdict_kind_name(r->kind), "title", r->title, "reason", r->reason,
			 "found_hazard", r->found_hazard, "exposure", finite_or_0(r->exposure),
			 "exposure_slack", finite_or_0(r->slack), "ran_s", finite_or_0(r->ran_s),
			 "engine", r->engine, "accel", r->accel, "amplify", r->amplify, "smp",
			 (int)r->smp, "kernel", r->kernel_sha256, "hazard", r->hazard);
}

char *calibrate_json(const struct calibrate_result *results, unsigned n,
		     const struct calibration *rates)
{
	static const char *const answers[] = { "as-expected", "wrong-answer", "could-not-run" };
	g_autofree char *rates_text = calibration_print(rates), *text = NULL;
	int code = calibrate_exit(results, n);
	json_t *root, *list = json_array(), *parsed = json_loads(rates_text, 0, NULL);

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, result_to_json(&results[i]));
	root = json_pack("{si ss so sO}", "schema", 1, "answer",
			 answers[code == EXIT_CLEAN      ? 0
				 : code == EXIT_AFFECTED ? 1
							 : 2],
			 "results", list, "rates", json_object_get(parsed, "entries"));
	json_decref(parsed);
	text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	json_decref(root);
	return g_strconcat(text, "\n", NULL);
}
