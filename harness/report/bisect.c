// SPDX-License-Identifier: GPL-2.0-or-later
/* See bisect.h. */
#include "report/bisect.h"

#include "report/bisect_notes.h"
#include "stats/rate.h"

#include <math.h>
#include <string.h>

#define SUSPECTS_SHOWN 10

/* --- numbers ------------------------------------------------------------------------------------ */

void bisect_add_seconds(GString *out, double s)
{
	if (s < 90)
		g_string_append_printf(out, "%.*f s", s < 10 ? 1 : 0, s);
	else if (s < 5400)
		g_string_append_printf(out, "%.0f min", s / 60);
	else
		g_string_append_printf(out, "%.1f h", s / 3600);
}

/* 99.95 % is not 100 %. */
void bisect_add_percent(GString *out, double p)
{
	if (p > 0.99 && p < 1)
		g_string_append_printf(out, "%.2f %%", floor(p * 1e4) / 100);
	else
		g_string_append_printf(out, "%.*f %%", p < 0.1 ? 1 : 0, p * 100);
}

unsigned bisect_suspects(const struct bisect_state *s)
{
	g_autofree unsigned *set = NULL;
	unsigned n;

	set = bisect_credible(s->belief, s->goal.confidence, &n);
	return n;
}

/* --- a line a test ------------------------------------------------------------------------------ */

static void add_outcome(GString *out, const struct bisect_state *s, const struct bisect_run *run)
{
	g_string_append(out, bisect_outcome_name(run->outcome));
	if (s->model.form == BISECT_TIME && run->had > 0) {
		g_string_append(out, run->outcome == OUTCOME_FAILED ? " after " : " ");
		bisect_add_seconds(out, run->had);
	}
	if (run->title)
		g_string_append_printf(out, ": %s", run->title);
	else if (run->why)
		g_string_append_printf(out, ": %s", run->why);
}

/* Of a second nobody wants to know. */
static void add_to_go(GString *out, double eta_s)
{
	if (eta_s < 1)
		return;
	g_string_append(out, ", about ");
	bisect_add_seconds(out, eta_s);
	g_string_append(out, " to go");
}

char *bisect_test_line(const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step, unsigned test)
{
	const struct bisect_run *run = s->runs->pdata[test];
	g_autofree char *name = bisect_range_name(r, run->node);
	unsigned best = bisect_best(s->belief), n = bisect_suspects(s);
	g_autofree char *leader = bisect_range_name(r, best);
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%4u  %-9s %s  ", test + 1, bisect_phase_name(step->phase), name);
	add_outcome(out, s, run);
	g_string_append(out, "  | ");
	bisect_add_percent(out, s->belief->w[best]);
	g_string_append_printf(out, " %s, %u suspect%s", leader, n, n == 1 ? "" : "s");
	add_to_go(out, bisect_eta_s(s));
	return g_string_free(out, FALSE);
}

/* --- the answer --------------------------------------------------------------------------------- */

static void add_change(GString *out, const struct bisect_range *r, unsigned change)
{
	g_autofree char *name = bisect_range_name(r, change);

	g_string_append(out, name);
	if (r->changes[change].subject)
		g_string_append_printf(out, " (\"%s\")", r->changes[change].subject);
}

static void add_answer(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step)
{
	const char *what = r->fix ? "fixed" : "bad";

	switch (step->answer) {
	case BISECT_FOUND:
		g_string_append_printf(out, "first %s: ", what);
		add_change(out, r, step->change);
		g_string_append(out, ", confidence ");
		bisect_add_percent(out, s->belief->w[step->change]);
		break;
	case BISECT_SEVERAL:
		g_string_append_printf(out, "first %s: one of %u changes that no test tells apart", what,
				       bisect_suspects(s));
		break;
	case BISECT_OLDER:
		g_string_append(out, r->fix    ? "not fixed in this range: the newer end fails too" :
				     r->beside ? "older than this range: where the ends parted it fails too" :
						 "older than this range: the good end fails too");
		break;
	case BISECT_NOISE:
		g_string_append(out, "no kernel fails more than any other: noise");
		break;
	case BISECT_TOO_RARE:
		g_string_append(out, "the bad end did not fail often enough to go on");
		break;
	case BISECT_OPEN:
		g_string_append(out, "not done: ");
		bisect_add_percent(out, s->belief->w[step->change]);
		g_string_append(out, " ");
		add_change(out, r, step->change);
		g_string_append_printf(out, ", %u suspects", bisect_suspects(s));
	}
}

/* The rate where the bug is, if the answer is right: of all evidence there. */
static void add_rate(GString *out, const struct bisect_state *s, unsigned change)
{
	struct bisect_tally t = s->belief->present[change];
	double low = bisect_rate_quantile(&s->model, t, 0.025);
	double mid = bisect_rate_quantile(&s->model, t, 0.5);
	double high = bisect_rate_quantile(&s->model, t, 0.975);

	if (s->model.form == BISECT_RUNS)
		g_string_append_printf(out, "fails in %.1f %% of runs (%.1f to %.1f)", 100 * mid,
				       100 * low, 100 * high);
	else
		g_string_append_printf(out, "fails after %.3g s on average (%.3g to %.3g)", 1 / mid,
				       1 / high, 1 / low);
}

static void add_cost(GString *out, const struct bisect_state *s)
{
	g_string_append_printf(out, "%u tests (%u failed, %u survived, %u failed otherwise, %u "
				    "untestable, %u lost) in ", s->runs->len,
			       s->counts[OUTCOME_FAILED], s->counts[OUTCOME_SURVIVED],
			       s->counts[OUTCOME_OTHER], s->counts[OUTCOME_UNTESTABLE],
			       s->counts[OUTCOME_LOST]);
	bisect_add_seconds(out, s->run_spent_s);
	g_string_append_printf(out, ", %u kernels in ", s->images);
	bisect_add_seconds(out, s->make_spent_s);
}

static void add_expected(GString *out, const struct bisect_state *s, const struct bisect_step *step)
{
	if (step->phase == BISECT_DONE)
		return;
	g_string_append(out, "to go: about ");
	bisect_add_seconds(out, bisect_eta_s(s));
	g_string_append_c(out, '\n');
}

char *bisect_text(const struct bisect_range *r, const struct bisect_state *s,
		  const struct bisect_step *step)
{
	GString *out = g_string_new(NULL);

	add_answer(out, r, s, step);
	g_string_append_c(out, '\n');
	if (step->drift)
		g_string_append(out, "the rate differs between the ends of the bad part: more was asked "
				     "of the answer\n");
	if (s->counts[OUTCOME_FAILED]) {
		add_rate(out, s, step->change);
		g_string_append_c(out, '\n');
	}
	bisect_notes_add(out, r, s, step);
	add_cost(out, s);
	g_string_append_c(out, '\n');
	add_expected(out, s, step);
	return g_string_free(out, FALSE);
}

/* --- JSON --------------------------------------------------------------------------------------- */

static json_t *kernels_json(const struct bisect_range *r, const struct bisect_state *s)
{
	json_t *all = json_array();

	for (unsigned i = 0; i <= r->n; i++) {
		const struct bisect_tally *t = &s->belief->at[i];

		if (t->fails > 0 || t->had > 0 || s->known[i] == TESTABLE_NO)
			json_array_append_new(
				all, json_pack("{s:s, s:f, s:f, s:b, s:f}", "id", r->changes[i].id,
					       "fails", t->fails, "had", t->had, "testable",
					       s->known[i] != TESTABLE_NO, "p_present",
					       bisect_p_present(s->belief, i)));
	}
	return all;
}

static json_t *suspects_json(const struct bisect_range *r, const struct bisect_state *s)
{
	g_autofree unsigned *set = NULL;
	json_t *all = json_array();
	unsigned n;

	set = bisect_credible(s->belief, s->goal.confidence, &n);
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s, s:s*, s:f}", "id", r->changes[set[i]].id,
						     "subject", r->changes[set[i]].subject, "p",
						     s->belief->w[set[i]]));
	return all;
}

json_t *bisect_json(const struct bisect_range *r, const struct bisect_state *s,
		    const struct bisect_step *step)
{
	json_t *doc = json_pack("{s:i, s:s, s:s, s:s*, s:f, s:b, s:i, s:i, s:i, s:f, s:f, s:o, s:o}", "schema",
			 1, "phase", bisect_phase_name(step->phase), "answer",
			 bisect_answer_name(step->answer), "change",
			 step->answer == BISECT_FOUND ? r->changes[step->change].id : NULL,
			 "confidence", s->belief->w[step->change], "drift", (int)step->drift, "tests",
			 (int)s->runs->len, "failed", (int)s->counts[OUTCOME_FAILED], "kernels",
			 (int)s->images, "tests_s", s->run_spent_s, "kernels_s", s->make_spent_s,
			 "suspects", suspects_json(r, s), "evidence", kernels_json(r, s));

	json_object_set_new(doc, "eta_s",
			    json_real(step->phase == BISECT_DONE ? 0 : bisect_eta_s(s)));
	bisect_notes_json(doc, r, s, step);
	return doc;
}

/* --- Markdown ----------------------------------------------------------------------------------- */

/* Text of commits is the world's: a table's cell cannot be left, no markup comes in. */
static void add_cell(GString *out, const char *text)
{
	for (; text && *text; text++) {
		if (strchr("|\\`*_<>[]#&", *text))
			g_string_append_c(out, '\\');
		g_string_append_c(out, *text == '\n' ? ' ' : *text);
	}
}

static void add_suspects(GString *out, const struct bisect_range *r, const struct bisect_state *s)
{
	g_autofree unsigned *set = NULL;
	unsigned n;

	set = bisect_credible(s->belief, s->goal.confidence, &n);
	g_string_append(out, "\n## Suspects\n\n| probability | change | subject |\n|---|---|---|\n");
	for (unsigned i = 0; i < MIN(n, SUSPECTS_SHOWN); i++) {
		g_autofree char *name = bisect_range_name(r, set[i]);

		g_string_append(out, "| ");
		bisect_add_percent(out, s->belief->w[set[i]]);
		g_string_append_printf(out, " | %s | ", name);
		add_cell(out, r->changes[set[i]].subject);
		g_string_append(out, " |\n");
	}
	if (n > SUSPECTS_SHOWN)
		g_string_append_printf(out, "\n%u more.\n", n - SUSPECTS_SHOWN);
}

static void add_evidence_row(GString *out, const struct bisect_range *r,
			     const struct bisect_state *s, unsigned node)
{
	const struct bisect_tally *t = &s->belief->at[node];
	g_autofree char *name = bisect_range_name(r, node);

	g_string_append_printf(out, "| %s | %.0f | ", name, t->fails);
	if (s->known[node] == TESTABLE_NO)
		g_string_append(out, "untestable");
	else if (s->model.form == BISECT_TIME)
		bisect_add_seconds(out, t->had);
	else
		g_string_append_printf(out, "%.0f", t->had);
	g_string_append(out, " | ");
	bisect_add_percent(out, bisect_p_present(s->belief, node));
	g_string_append(out, " | ");
	add_cell(out, r->changes[node].subject);
	g_string_append(out, " |\n");
}

static void add_evidence(GString *out, const struct bisect_range *r, const struct bisect_state *s)
{
	bool time = s->model.form == BISECT_TIME;

	g_string_append_printf(out, "\n## Evidence\n\n| kernel | failures | %s | has the bug | subject "
				    "|\n|---|---|---|---|---|\n",
			       time ? "exposure" : "survived runs");
	for (unsigned i = 0; i <= r->n; i++) {
		unsigned node = i ? i - 1 : r->n;	/* the old end first */
		const struct bisect_tally *t = &s->belief->at[node];

		if (t->fails > 0 || t->had > 0 || s->known[node] == TESTABLE_NO)
			add_evidence_row(out, r, s, node);
	}
}

/* Indented, it is text as it stands, whatever is in it. */
static void add_shown(GString *out, const char *shown)
{
	g_autofree char *text = g_utf8_make_valid(shown, -1);
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

	g_string_append(out, "\n## The change\n\n");
	for (char **line = lines; *line; line++) {
		for (char *c = *line; *c; c++)
			if (g_ascii_iscntrl(*c) && *c != '\t')
				*c = '?';
		g_string_append_printf(out, **line ? "    %s\n" : "%s\n", *line);
	}
}

char *bisect_markdown(const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step, const char *title, const char *svg,
		      const char *shown)
{
	g_autofree char *text = bisect_text(r, s, step);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *out = g_string_new("# Bisection: ");

	add_cell(out, title);
	g_string_append(out, "\n\n");
	for (char **line = lines; *line && **line; line++) {
		g_string_append(out, line == lines ? "**" : "- ");
		add_cell(out, *line);
		g_string_append(out, line == lines ? "**\n\n" : "\n");
	}
	if (shown)
		add_shown(out, shown);
	add_suspects(out, r, s);
	add_evidence(out, r, s);
	g_string_append_printf(out, "\n![The posterior after each test](%s)\n", svg);
	return g_string_free(out, FALSE);
}
