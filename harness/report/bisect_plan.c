// SPDX-License-Identifier: GPL-2.0-or-later
/* What a bisection will take, as a table and as JSON. Part of bisect.h. */
#include "report/bisect.h"

#include <math.h>

#define FEW_TRIALS 20 /* with fewer, one of 20 is nobody */

/* "each run", "1 run of 5 (90 s)", "41 % of runs (as seen)" */
static char *rate_words(const struct bisect_plan *plan, const struct bisect_plan_row *row)
{
	GString *out = g_string_new(NULL);

	if (plan->measured) {
		bisect_add_percent(out, row->p);
		g_string_append(out, " of runs, as seen");
		return g_string_free(out, FALSE);
	}
	if (row->p >= 1)
		g_string_append(out, "each run");
	else
		g_string_append_printf(out, "1 run of %.0f", 1 / row->p);
	if (row->mean_s > 0) {
		g_string_append(out, ", after ");
		bisect_add_seconds(out, row->mean_s);
	}
	return g_string_free(out, FALSE);
}

static char *count_word(double x)
{
	return g_strdup_printf("%.*f", x == floor(x) || x >= 100 ? 0 : 1, x);
}

static char *time_word(double x)
{
	GString *out = g_string_new(NULL);

	bisect_add_seconds(out, x);
	return g_string_free(out, FALSE);
}

/* The most is told where each change had its turn, the 95th percentile where there are enough. */
static void add_figure(GString *out, const struct bisect_plan_row *row,
		       const struct bisect_figure *f, char *(*word)(double), int first, int others)
{
	g_autofree char *mean = word(f->mean);
	g_autofree char *p95 = row->trials >= FEW_TRIALS ? word(f->p95) : g_strdup("-");
	g_autofree char *max = row->all ? word(f->max) : g_strdup("-");

	g_string_append_printf(out, " %*s %*s %*s", first, mean, others, p95, others, max);
}

static void add_row(GString *out, const struct bisect_plan *plan, const struct bisect_plan_row *row)
{
	g_autofree char *rate = rate_words(plan, row);

	g_string_append_printf(out, "%-24s", rate);
	if (row->trials) {
		add_figure(out, row, &row->tests, count_word, 7, 5);
		add_figure(out, row, &row->kernels, count_word, 8, 5);
		add_figure(out, row, &row->wall_s, time_word, 9, 8);
	} else {
		g_autofree char *mean = time_word(row->wall_s.mean);

		g_string_append_printf(out, "%*s %9s %8s %8s", 41, "", mean, "-", "-");
	}
	g_string_append_c(out, '\n');
}

static void add_costs(GString *out, const struct bisect_state *s)
{
	struct bisect_costs pace = bisect_pace(s);
	double make_s = 0;

	for (unsigned i = 0; i <= s->range->n; i++)
		make_s = fmax(make_s, s->make_s[i]);
	g_string_append(out, "A run takes ");
	bisect_add_seconds(out, pace.run_s + pace.boot_s);
	if (s->model.form == BISECT_TIME)
		g_string_append(out, " at the usual length, with its boot");
	if (!s->costs.unkept && make_s > 0) {
		g_string_append(out, ", a kernel ");
		bisect_add_seconds(out, make_s);
	}
	g_string_append(out, s->runs->len ? ", as measured or guessed" : "; these are guesses");
	if (s->costs.jobs > 1)
		g_string_append_printf(out, "; %u guests at once", s->costs.jobs);
	g_string_append(out, ".\n");
}

/* How the table came about, and how far it can be trusted. */
static void add_trials(GString *out, const struct bisect_plan *plan)
{
	g_string_append(out, "By simulation:");
	for (unsigned i = 0; i < plan->n_rows; i++)
		g_string_append_printf(out, "%s %u", !i ? "" : i + 1 < plan->n_rows ? "," : " and",
				       plan->rows[i].trials);
	g_string_append(out, " bisections of this range");
	if (plan->rows[0].all)
		g_string_append(out, ", in the first row each change was the culprit");
	g_string_append(out, ".\n");
	if (!plan->rows[plan->n_rows - 1].trials)
		g_string_append(out, "A row without tests is an estimate: so long a range takes too long "
				     "to simulate.\n");
}

char *bisect_plan_text(const struct bisect_state *s, const struct bisect_plan *plan,
		       const char *again)
{
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%u suspects; what it will take, if a run with the bug fails in\n\n",
			       bisect_suspects(s));
	g_string_append_printf(out, "%-24s %7s %5s %5s  %7s %5s %5s  %8s %8s %8s\n", "", "TESTS",
			       "95%", "MAX", s->costs.unkept ? "COMMITS" : "KERNELS", "95%", "MAX",
			       "TIME", "95%", "MAX");
	for (unsigned i = 0; i < plan->n_rows; i++)
		add_row(out, plan, &plan->rows[i]);
	g_string_append_c(out, '\n');
	add_costs(out, s);
	add_trials(out, plan);
	if (!s->runs->len)
		g_string_append(out, "Nothing has been run. ");
	g_string_append_printf(out, "To go on: %s\n", again);
	return g_string_free(out, FALSE);
}

static json_t *figure_json(const struct bisect_plan_row *row, const struct bisect_figure *f)
{
	json_t *json = json_pack("{s:f}", "mean", f->mean);

	if (row->trials) {
		json_object_set_new(json, "p95", json_real(f->p95));
		json_object_set_new(json, "max", json_real(f->max));
	}
	return json;
}

static json_t *row_json(const struct bisect_plan_row *row)
{
	json_t *json = json_pack("{s:f, s:i, s:b, s:o}", "p", row->p, "trials", (int)row->trials,
				 "each_change", (int)row->all, "wall_s",
				 figure_json(row, &row->wall_s));

	if (row->mean_s > 0)
		json_object_set_new(json, "mean_to_failure_s", json_real(row->mean_s));
	if (!row->trials)
		return json;
	json_object_set_new(json, "tests", figure_json(row, &row->tests));
	json_object_set_new(json, "kernels", figure_json(row, &row->kernels));
	return json;
}

json_t *bisect_plan_json(const struct bisect_plan *plan)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < plan->n_rows; i++)
		json_array_append_new(rows, row_json(&plan->rows[i]));
	return json_pack("{s:b, s:o}", "measured", (int)plan->measured, "rows", rows);
}
