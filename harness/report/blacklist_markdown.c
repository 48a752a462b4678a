// SPDX-License-Identifier: GPL-2.0-or-later
/* A page in the order of a reader's questions: what is contradictory, what is unsafe where and who
 * says so, what was measured, where it comes from. */
#include "report/blacklist_markdown.h"
#include "report/blacklist_text.h"
#include "report/schedule.h"

#include <string.h>

#define text_of blacklist_text_of

static bool is_reachable(const json_t *m)
{
	return !strcmp(text_of(m, "schedule"), "reachable");
}

static bool is_op(const json_t *object, const char *op)
{
	return !strcmp(text_of(object, "op"), op);
}

static void append_list(GString *out, const json_t *list, const char *between, const char *none)
{
	json_t *item;
	size_t i;

	if (!json_array_size(list))
		g_string_append(out, none);
	json_array_foreach (list, i, item) {
		g_string_append(out, i ? between : "");
		g_string_append_printf(out, "`%s`", json_string_value(item));
	}
}

/* "declared: [1, 3]": the sources that name a bound of the range. */
static void append_evidence(GString *out, const json_t *hazard, const json_t *range)
{
	const char *between = " [";
	json_t *source;
	size_t i;

	g_string_append(out, "declared");
	json_array_foreach (json_object_get(hazard, "sources"), i, source) {
		if (!blacklist_is_about(text_of(source, "says"), range))
			continue;
		g_string_append_printf(out, "%s%zu", between, i + 1);
		between = ", ";
	}
	g_string_append(out, *between == ',' ? "]" : "");
}

static void append_notes(GString *out, const json_t *hazard, const char *list, const char *who,
			 const char *title)
{
	const json_t *notes = json_object_get(hazard, list);
	json_t *note;
	size_t i;

	if (!json_array_size(notes))
		return;
	g_string_append_printf(out, "\n%s:\n\n", title);
	json_array_foreach (notes, i, note) {
		g_string_append_printf(out, "%zu. %s: ", i + 1, text_of(note, who));
		blacklist_append_escaped(out, text_of(note, "says"));
		g_string_append_c(out, '\n');
	}
}

/* --- one operation ------------------------------------------------------------------------- */

static void append_ranges(GString *out, const json_t *hazard)
{
	json_t *range;
	size_t i;

	g_string_append(out, "\n| vendor | builds | answer | evidence |\n|---|---|---|---|\n");
	json_array_foreach (json_object_get(hazard, "ranges"), i, range) {
		const char *answer = blacklist_range_answer(range);

		g_string_append_printf(out, "| %s | ", text_of(range, "vendor"));
		blacklist_append_builds(out, range);
		g_string_append_printf(
			out, strcmp(answer, "affected") ? " | %s | " : " | **%s** | ", answer);
		append_evidence(out, hazard, range);
		g_string_append(out, " |\n");
	}
}

static void append_hazard(GString *out, const json_t *hazard)
{
	const char *workaround = text_of(hazard, "workaround");

	g_string_append_printf(out, "\n#### %s\n\n", text_of(hazard, "id"));
	blacklist_append_escaped(out, text_of(hazard, "summary"));
	g_string_append(out, ".\n\n- Workaround: ");
	blacklist_append_escaped(out, *workaround ? workaround : "none is known");
	g_string_append(out, "\n- Fixed by: ");
	append_list(out, json_object_get(hazard, "fixed"), ", then ", "nothing yet");
	g_string_append(out, "; introduced by: ");
	append_list(out, json_object_get(hazard, "introduced"), ", then ", "not known");
	if (json_array_size(json_object_get(hazard, "kconfig"))) {
		g_string_append(out, "\n- Only with: ");
		append_list(out, json_object_get(hazard, "kconfig"), ", ", "");
	}
	g_string_append_c(out, '\n');
	append_ranges(out, hazard);
	append_notes(out, hazard, "sources", "how", "Sources");
	append_notes(out, hazard, "claims", "who", "What others claim (decides nothing)");
}

static void append_sure(GString *out, const json_t *m)
{
	const json_t *missed = json_object_get(m, "p_missed");

	if (!strcmp(text_of(m, "verdict"), "affected")) {
		blacklist_append_escaped(out, text_of(m, "title"));
		g_string_append(out, is_reachable(m) ? " (reachable schedule)" : "");
	} else if (json_is_number(missed)) {
		g_string_append_printf(out, "P(missed) <= %.2g", json_number_value(missed));
	} else {
		g_string_append(out, "uncalibrated: no bound on what was missed");
	}
}

static void append_journals(GString *out, const json_t *m)
{
	const json_t *digests = json_object_get(m, "journal_sha256");
	json_t *digest;
	size_t i;

	json_array_foreach (digests, i, digest)
		g_string_append_printf(out, "%s`%.12s`", i ? " " : "", json_string_value(digest));
}

static void append_measured_row(GString *out, const json_t *m)
{
	const json_t *answer = json_object_get(m, "answer");
	const char *build = text_of(m, "build"), *value = text_of(answer, "value");

	g_string_append_printf(out, "| %s %s | %s | %s | %s | ", text_of(m, "vendor"),
			       *build ? build : text_of(m, "release"), text_of(m, "release"),
			       text_of(m, "probe"), text_of(m, "verdict"));
	append_sure(out, m);
	g_string_append_printf(
		out, " | %s%s%s | ", value, strcmp(value, text_of(m, "verdict")) ? ": " : "",
		strcmp(value, text_of(m, "verdict")) ? text_of(answer, "reason") : "");
	append_journals(out, m);
	g_string_append(out, " |\n");
}

static void append_measured(GString *out, const json_t *document, const char *op)
{
	bool any = false, reachable = false;
	json_t *m;
	size_t i;

	json_array_foreach (json_object_get(document, "measured"), i, m) {
		if (!is_op(m, op))
			continue;
		reachable |= is_reachable(m);
		if (!any)
			g_string_append(out,
					"\nMeasured builds:\n\n"
					"| build | release | probe | verdict | how sure | answer | "
					"journals |\n|---|---|---|---|---|---|---|\n");
		any = true;
		append_measured_row(out, m);
	}
	if (reachable)
		g_string_append_printf(out, "\n*Reachable schedule*: %s.\n", schedule_reachable_words);
	if (!any)
		g_string_append(out, "\nNo build was measured.\n");
}

/* Builds between two measured ones, where the knowledge tells them. */
static void append_extrapolated(GString *out, const json_t *document, const char *op)
{
	bool any = false;
	json_t *span;
	size_t i;

	json_array_foreach (json_object_get(document, "extrapolated"), i, span) {
		if (!is_op(span, op))
			continue;
		if (!any)
			g_string_append(out,
					"\nExtrapolated between measured builds:\n\n"
					"| vendor | from | to | answer |\n|---|---|---|---|\n");
		any = true;
		g_string_append_printf(out, "| %s | %s | %s | %s |\n", text_of(span, "vendor"),
				       text_of(span, "from"), text_of(span, "to"),
				       text_of(span, "value"));
	}
}

static void append_op(GString *out, const json_t *document, const char *op)
{
	json_t *hazard;
	size_t i;

	g_string_append_printf(out, "\n### %s\n", op);
	append_measured(out, document, op);
	append_extrapolated(out, document, op);
	json_array_foreach (json_object_get(document, "hazards"), i, hazard)
		if (is_op(hazard, op))
			append_hazard(out, hazard);
}

/* --- overview, provenance ------------------------------------------------------------------ */

/* "5.19.0 until before 6.1.36, ..." of one vendor. */
static void append_summary(GString *out, const json_t *hazard)
{
	bool any = false;
	json_t *range;
	size_t i;

	json_array_foreach (json_object_get(hazard, "ranges"), i, range) {
		if (strcmp(text_of(range, "vendor"), "mainline") ||
		    strcmp(blacklist_range_answer(range), "affected"))
			continue;
		g_string_append(out, any ? "; " : "");
		blacklist_append_builds(out, range);
		any = true;
	}
	g_string_append(out, any ? "" : "-");
}

static void append_overview(GString *out, const json_t *document)
{
	json_t *hazard;
	size_t i;

	g_string_append(out,
			"\n## Overview\n\n"
			"| operation | hazard | mainline and stable releases affected | fix |\n"
			"|---|---|---|---|\n");
	json_array_foreach (json_object_get(document, "hazards"), i, hazard) {
		g_string_append_printf(out, "| %s | %s | ", text_of(hazard, "op"),
				       text_of(hazard, "id"));
		append_summary(out, hazard);
		g_string_append(out, " | ");
		append_list(out, json_object_get(hazard, "fixed"), ", ", "none yet");
		g_string_append(out, " |\n");
	}
}

static void append_contradictions(GString *out, const json_t *document)
{
	const json_t *list = json_object_get(document, "contradictions");
	json_t *sentence;
	size_t i;

	g_string_append(out, "\n## Contradictions\n\n");
	if (!json_array_size(list)) {
		g_string_append(out, "None: no measurement disagrees with a declaration or with "
				     "another one.\n");
		return;
	}
	g_string_append(out, "Measurements decide for the builds that they were made on.\n\n");
	json_array_foreach (list, i, sentence) {
		g_string_append(out, "- ");
		blacklist_append_escaped(out, json_string_value(sentence));
		g_string_append_c(out, '\n');
	}
}

static void append_verdicts(GString *out, const json_t *verdicts)
{
	const char *between = "", *name;
	json_t *count;

	json_object_foreach ((json_t *)verdicts, name, count) {
		g_string_append_printf(out, "%s%" JSON_INTEGER_FORMAT " %s", between,
				       json_integer_value(count), name);
		between = ", ";
	}
}

static void append_run(GString *out, const json_t *run)
{
	const json_t *engine = json_object_get(run, "engine");
	const json_t *proof = json_object_get(run, "engine_proof");

	g_string_append_printf(out, "| %s | %s | %g | %s `%.12s`%s | ", text_of(run, "started"),
			       text_of(run, "generator"),
			       json_number_value(json_object_get(run, "asked_confidence")),
			       text_of(engine, "version"), text_of(engine, "sha256"),
			       json_is_true(json_object_get(proof, "sound")) ? ", proved sound"
									     : "");
	append_verdicts(out, json_object_get(run, "verdicts"));
	g_string_append_printf(out, " | %" JSON_INTEGER_FORMAT " |\n",
			       json_integer_value(json_object_get(run, "journals")));
}

static void append_provenance(GString *out, const json_t *document)
{
	const json_t *from = json_object_get(document, "provenance");
	const json_t *runs = json_object_get(from, "runs");
	json_t *run;
	size_t i;

	g_string_append_printf(out, "\n## Provenance\n\n- Declarations: sha256 `%s`\n",
			       text_of(from, "declarations_sha256"));
	if (!json_array_size(runs)) {
		g_string_append(out, "- No runs: all of this is declared.\n");
		return;
	}
	g_string_append_printf(out, "- Evidence: sha256 `%s`\n\n",
			       text_of(from, "evidence_sha256"));
	g_string_append(out, "| run | by | confidence asked | engine | verdicts of cells | "
			     "journals |\n|---|---|---|---|---|---|\n");
	json_array_foreach (runs, i, run)
		append_run(out, run);
}

char *blacklist_markdown(const json_t *document)
{
	GString *out = g_string_new("<!-- SPDX-License-Identifier: MIT OR GPL-2.0-only -->\n"
				    "# Tracing blacklist\n\n");
	json_t *op;
	size_t i;

	g_string_append_printf(
		out,
		"Which tracing operations are unsafe on which kernels. Generated by %s from its "
		"declarations\n(compared with mainline up to %s) and measurements; do not edit. "
		"`klab blacklist check` and\n`tracing_blacklist.h` answer for a kernel from the "
		"same "
		"knowledge.\n\nEvidence digest: `%s`\n",
		text_of(document, "generator"), text_of(document, "surveyed"),
		text_of(document, "digest"));
	append_contradictions(out, document);
	append_overview(out, document);
	g_string_append(out,
			"\n## Operations\n\n"
			"A vendor's builds are in the order of its package manager; what a "
			"table does not list follows\nfrom the upstream version, as far as the "
			"vendor's trees follow it, and is called extrapolated.\nNumbers behind "
			"*declared* are those of the sources that name a bound of the range.\n");
	json_array_foreach (json_object_get(document, "ops"), i, op)
		append_op(out, document, json_string_value(op));
	append_provenance(out, document);
	return g_string_free(out, FALSE);
}
