// SPDX-License-Identifier: GPL-2.0-or-later
/* Gather what explains a cell, then render it for people or as JSON. See explain.h. */
#include "report/explain.h"

#include "report/result.h"
#include "report/schedule.h"
#include "report/terminal.h"

#include <math.h>
#include <string.h>

void explanation_free(struct explanation *e)
{
	if (!e)
		return;
	g_free(e->headline);
	g_ptr_array_free(e->evidence, TRUE);
	g_ptr_array_free(e->sure, TRUE);
	g_free(e->repro);
	g_free(e->again);
	g_free(e->unamplified);
	g_free(e);
}

static void add(GPtrArray *lines, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void add(GPtrArray *lines, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_ptr_array_add(lines, g_strdup_vprintf(fmt, ap));
	va_end(ap);
}

/* --- why ----------------------------------------------------------------------------------- */

/* One line, whatever a reason brings along (a hint stands on a line of its own). */
static char *headline(const struct cell *cell)
{
	const struct verdict *v = &cell->verdict.v;
	const char *value = verdict_value_name(v->value);
	double after_s = cell->verdict.time_to_failure_s;
	char *line;

	if (v->value != VERDICT_AFFECTED)
		line = g_strdup_printf("%s: %s", value, v->reason);
	else if (isfinite(after_s))
		line = g_strdup_printf("%s: %s, %.2f s after the probe began", value, v->title,
				       after_s);
	else
		line = g_strdup_printf("%s: %s", value, v->title);
	return g_strdelimit(line, "\n", ' ');
}

static const char *unit_of(const struct cell *cell)
{
	return cell->job->counters && cell->job->counters[0] ? cell->job->counters[0] : "exposure";
}

/* One job in one line: what it said, under which conditions. */
static void add_job(GPtrArray *lines, const struct cell *cell, const struct outcome *o, guint i)
{
	const struct verdict *v = &o->verdict;
	g_autofree char *ran =
		o->began_us && o->ended_us > o->began_us
			? g_strdup_printf(", %.2f s", (o->ended_us - o->began_us) / 1e6)
			: g_strdup("");

	add(lines, "job %u: %s%s%s; %.0f %s%s, CPU model %s, seed %" G_GUINT64_FORMAT "%s", i,
	    verdict_value_name(v->value), v->title ? ", " : "", v->title ? v->title : "",
	    v->exposure, unit_of(cell), ran, o->cpu_model ? o->cpu_model : "?", o->seed,
	    o->alone ? ", alone on the host" : "");
}

static void add_conditions(GPtrArray *lines, const struct outcome *o)
{
	g_autofree char *amplified = schedule_of_job(o);
	bool nmis = o->nmi_source && strcmp(o->nmi_source, "none") != 0;

	add(lines, "ran by %s%s%s; %s; QEMU %s, %s", o->rung ? o->rung : "no rung (it never began)",
	    nmis ? ", NMIs by the " : "", nmis ? o->nmi_source : "", amplified,
	    o->engine_version ? o->engine_version : "?", o->accel ? o->accel : "?");
}

static void add_list(GPtrArray *lines, const char *what, const json_t *list)
{
	GString *text = g_string_new(NULL);
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_is_string(item))
			g_string_append_printf(text, "%s%s", text->len ? "; " : "",
					       json_string_value(item));
	if (text->len)
		add(lines, "%s: %s", what, text->str);
	g_string_free(text, TRUE);
}

static void add_host(GPtrArray *lines, const json_t *host)
{
	double others = json_number_value(json_object_get(host, "others"));
	double steal = json_number_value(json_object_get(host, "steal"));

	if (host)
		add(lines,
		    "host: %.0f %% of its CPU time went to others, %.0f %% was stolen by its "
		    "hypervisor",
		    100 * others, 100 * steal);
}

static void add_evidence(struct explanation *e, const struct outcome *o)
{
	const struct verdict *v = &e->cell->verdict.v;
	GPtrArray *lines = e->evidence;

	if (v->value == VERDICT_AFFECTED)
		add(lines, "%s", v->reason);
	if (v->value == VERDICT_AFFECTED)
		add(lines, "hazard: %s",
		    v->hazard ? v->hazard : "none known matches: a new candidate");
	if (v->value == VERDICT_INFRA && v->infra != INFRA_NONE)
		add(lines, "class: %s", infra_class_name(v->infra));
	/* the rest takes at most four lines */
	for (guint i = 0; i < e->cell->outcomes->len && lines->len + 5 < EXPLAIN_EVIDENCE_MAX; i++)
		add_job(lines, e->cell, e->cell->outcomes->pdata[i], i);
	if (!o)
		return;
	add_conditions(lines, o);
	add_host(lines, o->host);
	add_list(lines, "limits", o->limits);
	if (o->dump || o->no_dump)
		add(lines, "memory of the guest: %s%s", o->dump ? o->dump : "not kept: ",
		    o->dump ? ", in the job's folder" : o->no_dump);
	if (o->verdict.findings && o->verdict.findings[0]) {
		g_autofree char *all = g_strjoinv("; ", o->verdict.findings);

		add(lines, "findings that change no verdict: %s", all);
	}
}

/* --- how sure ------------------------------------------------------------------------------ */

static void add_sure(struct explanation *e)
{
	const struct cell *cell = e->cell;
	const struct cell_verdict *cv = &cell->verdict;

	if (isfinite(cv->confidence))
		add(e->sure, "confidence %.6g", cv->confidence);
	if (isfinite(cv->p_missed))
		add(e->sure, "P(missed) <= %.2g after %.0f %s", cv->p_missed, cv->v.exposure,
		    unit_of(cell));
	e->schedule = schedule_of(cell);
	if (g_strcmp0(e->schedule, "reachable") == 0)
		add(e->sure, "reachable schedule: %s", schedule_reachable_words);
	if (cell->rate_lower > 0)
		add(e->sure,
		    "control: at least %.3g failures per unit of %s (lower 95 %% limit)%s%s",
		    cell->rate_lower, unit_of(cell), cell->calibration ? ", from " : "",
		    cell->calibration ? cell->calibration : "");
	else
		add(e->sure,
		    "no calibration applies (engine, amplification, vCPUs): no bound is stated");
	if (cell->foretold)
		add(e->sure,
		    "foretold by what is known of this kernel: no second CPU model needed");
	else if (cv->v.value == VERDICT_AFFECTED)
		add(e->sure, "nothing foretold it: %u of %u jobs show it", result_hits(cell),
		    cell->outcomes->len);
}

/* How far the engine itself is to be trusted. */
static void add_engine(struct explanation *e, const json_t *proof)
{
	const json_t *upper = json_object_get(proof, "p_fault_per_job_upper");
	const char *trouble = e->cell->job->engine_trouble;

	if (e->cell->job->host) {
		g_autofree char *host = job_host_text(e->cell->job->host);

		add(e->sure, "guests ran on %s", host);
	}
	if (trouble)
		add(e->sure, "engine: its verdicts do not count: %s", trouble);
	else if (json_is_number(upper))
		add(e->sure,
		    "engine: %d boots and %.0f s of stress without a fault of its own: one in a "
		    "job with P <= %.2g",
		    (int)json_integer_value(json_object_get(proof, "boots")),
		    json_number_value(json_object_get(proof, "stress_s")),
		    json_number_value(upper));
}

/* Quoted where a shell would take it apart. */
static char *shell_word(const char *word)
{
	return word[strspn(word, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._+=:,@%-")] || !*word
		       ? g_shell_quote(word)
		       : g_strdup(word);
}

static char *repro_of(const struct outcome *o)
{
	g_autofree char *dir = g_canonicalize_filename(o->dir, NULL);
	g_autofree char *spec = g_build_filename(dir, "spec.json", NULL), *word = shell_word(spec);

	return g_strdup_printf("klab exec-job %s", word);
}

struct explanation *explain_cell(const struct cell *cell, const struct run *r)
{
	struct explanation *e = g_new0(struct explanation, 1);
	const struct outcome *o = result_decisive(cell);

	e->cell = cell;
	e->headline = headline(cell);
	e->evidence = g_ptr_array_new_with_free_func(g_free);
	e->sure = g_ptr_array_new_with_free_func(g_free);
	add_evidence(e, o);
	add_sure(e);
	e->excerpt = o ? o->verdict.excerpt : NULL;
	if (e->excerpt)
		e->excerpt_is = o->end == JOB_END_HANG ? "autopsy" : "console";
	e->repro = o ? repro_of(o) : NULL;
	e->dir = o ? o->dir : NULL;
	e->plan = o ? o->plan : NULL;
	e->unamplified = schedule_unamplified(cell);
	if (r)
		add_engine(e, r->engine_proof);
	if (r && o) {
		g_autofree char *run = shell_word(r->dir), *id = shell_word(cell->job->cell);

		e->again = g_strdup_printf("klab again %s --cell %s -n 10", run, id);
	}
	return e;
}

/* --- rendering ----------------------------------------------------------------------------- */

static void put_lines(GString *out, const char *title, GPtrArray *lines)
{
	g_string_append_printf(out, "\n%s\n", title);
	for (guint i = 0; i < lines->len; i++)
		g_string_append_printf(out, "  %s\n", (char *)lines->pdata[i]);
}

/* Registers and code bytes: for console.log, not for the eye. */
static bool is_dump(const char *line)
{
	static const char *const starts[] = { "Code: ", "FS: ",  "CS: ", "CR2: ",
					      "DR0: ",  "DR3: ", NULL };
	const char *text = strstr(line, "] ");

	text = text ? text + 2 : line;
	for (const char *const *start = starts; *start; start++)
		if (g_str_has_prefix(text, *start))
			return true;
	return text[0] == 'R' && strlen(text) > 20 && text[3] == ':' && g_ascii_isxdigit(text[5]) &&
	       !strchr(text, '+');
}

static void put_excerpt(GString *out, const struct explanation *e)
{
	g_auto(GStrv) lines = g_strsplit(e->excerpt, "\n", -1);
	unsigned shown = 0, left = 0;

	g_string_append_printf(out, "\n%s\n", e->excerpt_is);
	for (char **line = lines; *line; line++) {
		if (!**line)
			continue;
		if (shown >= EXPLAIN_EXCERPT_MAX || is_dump(*line)) {
			left++;
			continue;
		}
		terminal_add_wrapped(out, *line, 2);
		shown++;
	}
	if (left)
		g_string_append_printf(
			out, "  (%u lines left out: registers, code bytes and the like)\n", left);
}

char *explanation_text(const struct explanation *e, bool color)
{
	GString *out = g_string_new(NULL);
	const struct kernel *k = e->cell->job->kernel;
	enum verdict_value value = e->cell->verdict.v.value;

	g_string_append_printf(out, "%s%s %s%s\n  kernel %s, Linux %s\n",
			       color ? terminal_color(value) : "", terminal_sign(value),
			       e->headline, color ? "\033[0m" : "", k->id, k->release);
	g_string_append_printf(out, "  cell   %s\n", e->cell->job->cell);
	put_lines(out, "why", e->evidence);
	if (e->excerpt)
		put_excerpt(out, e);
	put_lines(out, "how sure", e->sure);
	if (e->repro)
		g_string_append_printf(out, "\nrepeat\n  %s\n", e->repro);
	if (e->again)
		g_string_append_printf(out, "  %s\n", e->again);
	if (e->dir)
		g_string_append_printf(out,
				       "\njournal\n  %s/\n  console.log (ttyS0), wire.log (ttyS1), "
				       "status.bin, journal.jsonl, spec.json%s%s\n",
				       e->dir, e->plan ? ", " : "", e->plan ? e->plan : "");
	return g_string_free(out, FALSE);
}

static json_t *lines_json(GPtrArray *lines)
{
	json_t *array = json_array();

	for (guint i = 0; i < lines->len; i++)
		json_array_append_new(array, json_string(lines->pdata[i]));
	return array;
}

static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *excerpt_json(const struct explanation *e)
{
	json_t *array = json_array();
	g_auto(GStrv) lines = g_strsplit(e->excerpt ? e->excerpt : "", "\n", -1);

	for (char **line = lines; *line; line++)
		if (**line)
			json_array_append_new(array, json_string(*line));
	return array;
}

json_t *explanation_json(const struct explanation *e)
{
	const struct cell *cell = e->cell;
	const struct cell_verdict *cv = &cell->verdict;

	return json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s?, s:o, s:s?, s:o, s:o, s:o, "
		"s:o, s:s?, "
		"s:b, s:o, s:s?, s:s?, s:s?, s:s*, s:s*, s:s*}",
		"schema", EXPLAIN_SCHEMA, "id", cell->job->cell, "kernel", cell->job->kernel->id,
		"release", cell->job->kernel->release, "probe", cell->job->probe, "verdict",
		verdict_value_name(cv->v.value), "kind", verdict_kind_name(cv->v.kind), "title",
		cv->v.title, "reason", cv->v.reason, "hazard", cv->v.hazard, "why",
		lines_json(e->evidence), "excerpt_is", e->excerpt_is, "excerpt", excerpt_json(e),
		"confidence", number(cv->confidence), "p_missed", number(cv->p_missed),
		"rate_lower", number(cell->rate_lower > 0 ? cell->rate_lower : NAN), "calibration",
		cell->calibration, "foretold", cell->foretold, "how_sure", lines_json(e->sure),
		"repro", e->repro, "again", e->again, "journal", e->dir,
		"schedule", e->schedule, "unamplified", e->unamplified, "plan", e->plan);
}
