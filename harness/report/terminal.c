// SPDX-License-Identifier: GPL-2.0-or-later
/* Terminal rendering of cells and runs. */
#include "report/terminal.h"

#include "report/result.h"
#include "report/schedule.h"

#include <math.h>
#include <string.h>

#define COLUMNS 100	/* not the terminal's: the same text everywhere */
#define HANGING 4	/* what does not fit goes on so much further in */

/* Never colour alone: every verdict has a sign of its own. */
static const struct {
	const char *sign, *color;
} looks[VERDICT__COUNT] = {
	[VERDICT_AFFECTED] = { "✗", "\033[1;31m" },
	[VERDICT_CLEAN] = { "✓", "\033[32m" },
	[VERDICT_INCONCLUSIVE] = { "~", "\033[33m" },
	[VERDICT_UNSUPPORTED] = { "·", "\033[2m" },
	[VERDICT_INFRA] = { "!", "\033[35m" },
};

const char *terminal_sign(enum verdict_value value)
{
	return looks[value].sign;
}

const char *terminal_color(enum verdict_value value)
{
	return looks[value].color;
}

static char *exposure_text(const struct cell *cell)
{
	char **names = cell->job->counters;

	if (!names || !names[0])
		return g_strdup("");
	return g_strdup_printf("%.0f %s", cell->verdict.v.exposure, names[0]);
}

/* The one thing that explains the verdict. */
static char *why(const struct cell *cell)
{
	const struct cell_verdict *cv = &cell->verdict;
	g_autofree char *exposure = exposure_text(cell);

	if (cv->v.value == VERDICT_CLEAN && isfinite(cv->p_missed))
		return g_strdup_printf("P(missed) <= %.2g after %s", cv->p_missed, exposure);
	if (cv->v.value == VERDICT_CLEAN)
		return g_strdup_printf("%s, uncalibrated", exposure);
	if (cv->v.value == VERDICT_AFFECTED && isfinite(cv->time_to_failure_s))
		return g_strdup_printf("%s after %.2f s", cv->v.title, cv->time_to_failure_s);
	if (cv->v.value == VERDICT_AFFECTED)
		return g_strdup(cv->v.title);
	/* a reason may have a hint on a second line, which klab explain shows */
	return cv->v.reason ? g_strndup(cv->v.reason, strcspn(cv->v.reason, "\n")) : NULL;
}

char *terminal_cell_line(const struct cell *cell, bool color)
{
	enum verdict_value value = cell->verdict.v.value;
	g_autofree char *because = why(cell), *unamplified = schedule_unamplified(cell);

	return g_strdup_printf("%s%s %-20s %-16s %-12s%s %s%s%s%s", color ? looks[value].color : "",
			       looks[value].sign, cell->job->kernel->id, cell->job->probe,
			       verdict_value_name(value), color ? "\033[0m" : "", because,
			       unamplified ? " (unamplified: " : "", unamplified ? unamplified : "",
			       unamplified ? ")" : "");
}

/* How much of `line` goes into `room` columns: up to the last space there, or to the first behind. */
static size_t fitting(const char *line, size_t room)
{
	size_t len = strlen(line), cut = room;

	if (len <= room)
		return len;
	while (cut && line[cut] != ' ')
		cut--;
	return cut ? cut : strcspn(line, " ");
}

void terminal_add_wrapped(GString *out, const char *text, unsigned indent)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		unsigned at = indent;

		for (const char *p = *line; *p; at = indent + HANGING) {
			size_t n = fitting(p, COLUMNS - at);

			g_string_append_printf(out, "%*s%.*s\n", (int)at, "", (int)n, p);
			p += n + strspn(p + n, " ");
		}
	}
}

/* On failure: kind, title, evidence, where the logs are, the exact command that repeats it. */
static void add_failure(GString *out, const struct run *r, const struct cell *cell)
{
	const struct verdict *v = &cell->verdict.v;
	struct outcome *o = NULL;

	for (guint i = 0; i < cell->outcomes->len && !o; i++) {
		struct outcome *candidate = cell->outcomes->pdata[i];

		if (candidate->verdict.value == VERDICT_AFFECTED)
			o = candidate;
	}
	g_string_append_printf(out, "\n%s, %s (%s)\n", cell->job->kernel->id,
			       cell->job->kernel->release, cell->job->probe);
	terminal_add_wrapped(out, v->title, 2);
	terminal_add_wrapped(out, v->reason, 2);
	g_string_append_printf(out, "  hazard: %s\n",
			       v->hazard ? v->hazard : "none known matches: a new candidate");
	if (g_strcmp0(schedule_of(cell), "reachable") == 0) {
		g_autofree char *text = g_strconcat("reachable schedule: ", schedule_reachable_words,
						    NULL);

		terminal_add_wrapped(out, text, 2);
	}
	if (v->excerpt)
		terminal_add_wrapped(out, v->excerpt, 4);
	if (o)
		g_string_append_printf(out, "  journal: %s\n  repeat:  klab exec-job %s/spec.json\n"
				       "  more:    klab explain %s --run %s\n", o->dir, o->dir,
				       cell->job->cell, r->dir);
	if (o && o->plan)
		g_string_append_printf(out, "  delays:  %s/%s (klab run --amplify=@FILE)\n", o->dir,
				       o->plan);
	if (o && o->dump)
		g_string_append_printf(out, "  memory:  %s/%s\n", o->dir, o->dump);
	if (o && o->no_dump)
		g_string_append_printf(out, "  memory:  not kept: %s\n", o->no_dump);
}

/* What the user must know of a kernel's origin, once a kernel. */
static void add_notes(GString *out, const struct run *r)
{
	g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < r->cells->len; i++) {
		const struct kernel *k = ((struct cell *)r->cells->pdata[i])->job->kernel;

		if (k->note && g_hash_table_add(told, k->id))
			g_string_append_printf(out, "note: %s: %s\n", k->id, k->note);
	}
}

char *terminal_summary(const struct run *r, bool color)
{
	GString *out = g_string_new(NULL);
	unsigned counts[VERDICT__COUNT];

	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];

		if (cell->done && cell->verdict.v.value == VERDICT_AFFECTED)
			add_failure(out, r, cell);
	}
	for (guint i = 0; i < r->unavailable->len; i++) {
		struct unavailable *u = r->unavailable->pdata[i];

		g_string_append_printf(out, "unavailable: %s: %s\n", u->kernel, u->reason);
	}
	add_notes(out, r);
	if (result_host(r)) {
		g_autofree char *host = job_host_text(result_host(r));

		g_string_append_printf(out, "host: %s\n", host);
	}
	result_count(r, counts);
	g_string_append(out, "\n");
	for (int i = 0; i < VERDICT__COUNT; i++)
		g_string_append_printf(out, "%s%u %s", i ? ", " : "", counts[i],
				       verdict_value_name(i));
	if (r->unavailable->len)
		g_string_append_printf(out, "; %u kernel%s unavailable", r->unavailable->len,
				       r->unavailable->len == 1 ? "" : "s");
	g_string_append(out, "\n");
	return g_string_free(out, FALSE);
}
