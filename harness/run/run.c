// SPDX-License-Identifier: GPL-2.0-or-later
/* Plan cells, keep the plan in run.json, join journals to cell verdicts. */
#include "run/run.h"

#include "base/fs.h"
#include "stats/calibration.h"
#include "store/journal.h"

#include <math.h>
#include <string.h>

#define RUN_FILE_MAX (64u << 20)
#define USUAL_MODEL "max"
#define SECOND_MODEL "Haswell-noTSX"
#define THIRD_MODEL "qemu64"	/* for kernels that boot under the second one alone */

static void cell_free(gpointer data)
{
	struct cell *cell = data;

	job_free(cell->job);
	g_strfreev(cell->hazards);
	g_free(cell->skip);
	g_free(cell->calibration);
	g_free(cell->calibration_rung);
	g_ptr_array_free(cell->outcomes, TRUE);
	cell_verdict_clear(&cell->verdict);
	g_free(cell);
}

static void outcome_free_one(gpointer data)
{
	outcome_free(data);
}

static void unavailable_free(gpointer data)
{
	struct unavailable *u = data;

	g_free(u->kernel);
	g_free(u->reason);
	g_free(u);
}

struct run *run_new(const char *dir, double confidence)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	struct run *r = g_new0(struct run, 1);

	r->dir = g_strdup(dir);
	r->cells = g_ptr_array_new_with_free_func(cell_free);
	r->unavailable = g_ptr_array_new_with_free_func(unavailable_free);
	r->confidence = confidence;
	r->started = g_date_time_format_iso8601(now);
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	g_free(r->dir);
	g_ptr_array_free(r->cells, TRUE);
	g_ptr_array_free(r->unavailable, TRUE);
	g_free(r->started);
	json_decref(r->engine_proof);
	g_free(r);
}

const char *const *run_cpu_models(const char *accel)
{
	static const char *const emulated[] = { USUAL_MODEL, SECOND_MODEL, NULL };
	static const char *const native[] = { "host", NULL };

	return strcmp(accel, "kvm") == 0 ? native : emulated;
}

static struct cell *cell_new(struct job *job)
{
	struct cell *cell = g_new0(struct cell, 1);

	cell->job = job;
	cell->outcomes = g_ptr_array_new_with_free_func(outcome_free_one);
	return cell;
}

/* Copies go through JSON: what the spec cannot say is not part of a job. */
static struct job *job_copy(const struct job *job)
{
	json_t *json = job_to_json(job);
	struct job *copy = NULL;

	job_from_json(json, &copy, NULL);
	json_decref(json);
	return copy;
}

/* A set option that contradicts a need, "CONFIG_X=y"; NULL when it is met or unknown. */
static char *unmet_need(const struct kernel *kernel, const char *need)
{
	g_auto(GStrv) pair = g_strsplit(need, "=", 2);
	g_autofree char *have = kernel_config_get(kernel, pair[0]);

	if (!kernel->config || !pair[1] || g_strcmp0(have, pair[1]) == 0)
		return NULL;
	return g_strdup_printf("the kernel is built without %s", need);
}

static char *find_unmet(const struct kernel *kernel, const struct probe_info *probe, unsigned smp)
{
	char *unmet = NULL;

	for (char **need = probe->kconfig; *need && !unmet; need++)
		unmet = unmet_need(kernel, *need);
	if (!unmet && smp < probe->min_cpus)
		unmet = g_strdup_printf("the probe needs %u vCPUs, the run has %u", probe->min_cpus,
					smp);
	return unmet;
}

/* Every cell has its own seed, and the same one whatever else is in the matrix. */
static uint64_t derive_seed(uint64_t seed, const char *cell)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "/%s", seed, cell);
	g_autofree char *digest = fs_sha256_bytes(text, strlen(text));

	digest[15] = '\0';
	return g_ascii_strtoull(digest, NULL, 16);
}

/* The one parameter that the host acts on: it injects the NMIs. */
static unsigned chosen_nmi_hz(const json_t *params, const struct probe_info *probe)
{
	json_t *hz = json_object_get(json_object_get(params, probe->name), "nmi-hz");

	return !probe->needs_nmi ? 0 : hz ? json_integer_value(hz) : probe->nmi_hz;
}

/* The last part of a cell's id. Plans are told apart by their text. */
static char *name_amplification(const struct plan_options *o)
{
	g_autofree char *digest = NULL;

	if (o->amplify != AMPLIFY_PLAN)
		return g_strdup(amplify_level_name(o->amplify));
	digest = fs_sha256_bytes(o->amplify_plan, strlen(o->amplify_plan));
	return g_strdup_printf("plan-%.8s", digest);
}

struct cell *run_add_cell(struct run *r, const struct kernel *kernel, const struct probe_info *probe,
			  const struct plan_options *o)
{
	unsigned smp = o->smp ? o->smp : 4;
	g_autofree char *amplification = name_amplification(o);
	g_autofree char *id = g_strdup_printf("%s.%s.smp%u.%s", kernel->id, probe->name, smp,
					      amplification);
	struct job plan = {
		.cell = id,
		.kernel = (struct kernel *)kernel,
		.probe = probe->name,
		.amplify_globs = probe->amplify,
		.counters = probe->counters,
		.nmi_hz = chosen_nmi_hz(o->params, probe),
		.smp = smp,
		.mem_mib = o->mem_mib ? o->mem_mib : 512 + 16 * smp,
		.duration_ms = 1000 * (o->duration_s ? o->duration_s : probe->duration_s),
		.boot_limit_ms = 1000 * (o->boot_limit_s ? o->boot_limit_s : 60 + 4 * smp),
		.seed = derive_seed(o->seed, id),
		.amplify = o->amplify,
		.amplify_plan = (char *)o->amplify_plan,
		.accel = (char *)o->accel,
		.cpu_model = (char *)run_cpu_models(o->accel)[0],
		.engine = (struct engine *)o->engine,
		.engine_trouble = (char *)o->engine_trouble,
		.host = (struct job_host *)o->host,
		.agent_sha256 = (char *)o->agent_sha256,
		.params = json_object_get(o->params, probe->name),
	};
	struct cell *cell;

	if (o->console_rules)
		plan.console_rules = console_rules_to_json(o->console_rules, kernel->id,
							   kernel->release);
	cell = cell_new(job_copy(&plan));
	json_decref(plan.console_rules);
	cell->hazards = g_strdupv(probe->hazards);
	cell->skip = find_unmet(kernel, probe, smp);
	g_ptr_array_add(r->cells, cell);
	return cell;
}

void run_add_unavailable(struct run *r, const char *kernel, const char *reason)
{
	struct unavailable *u = g_new0(struct unavailable, 1);

	u->kernel = g_strdup(kernel);
	u->reason = g_strdup(reason);
	g_ptr_array_add(r->unavailable, u);
}

/* --- run.json --------------------------------------------------------------------------------- */

static json_t *cell_to_json(const struct cell *cell)
{
	json_t *hazards = json_array();

	for (char **h = cell->hazards; h && *h; h++)
		json_array_append_new(hazards, json_string(*h));
	return json_pack("{s:o, s:o, s:b, s:s?, s:f, s:s?, s:s?, s:i, s:f}", "job",
			 job_to_json(cell->job), "hazards", hazards, "foretold", cell->foretold, "skip", cell->skip, "rate_lower",
			 cell->rate_lower, "calibration", cell->calibration, "calibration_rung", cell->calibration_rung,
			 "control_failures",
			 (int)cell->control_failures, "control_exposure", cell->control_exposure);
}

static struct cell *cell_from_json(const json_t *json, GError **error)
{
	json_t *hazards = json_object_get(json, "hazards");
	struct job *job;
	struct cell *cell;

	if (!job_from_json(json_object_get(json, "job"), &job, error))
		return NULL;
	cell = cell_new(job);
	cell->hazards = g_new0(char *, json_array_size(hazards) + 1);
	for (size_t i = 0; i < json_array_size(hazards); i++)
		cell->hazards[i] = g_strdup(json_string_value(json_array_get(hazards, i)) ?: "");
	cell->foretold = json_is_true(json_object_get(json, "foretold"));
	cell->skip = g_strdup(json_string_value(json_object_get(json, "skip")));
	cell->rate_lower = json_number_value(json_object_get(json, "rate_lower"));
	cell->calibration = g_strdup(json_string_value(json_object_get(json, "calibration")));
	cell->calibration_rung =
		g_strdup(json_string_value(json_object_get(json, "calibration_rung")));
	cell->control_failures =
		CLAMP(json_integer_value(json_object_get(json, "control_failures")), 0, G_MAXINT);
	cell->control_exposure = json_number_value(json_object_get(json, "control_exposure"));
	return cell;
}

struct cell *run_add_copy(struct run *r, const struct cell *of, const char *id)
{
	json_t *json = cell_to_json(of);
	struct cell *cell = cell_from_json(json, NULL);

	json_decref(json);
	g_free(cell->job->cell);
	cell->job->cell = g_strdup(id);
	g_ptr_array_add(r->cells, cell);
	return cell;
}

bool run_save(const struct run *r, GError **error)
{
	g_autofree char *path = g_build_filename(r->dir, "run.json", NULL);
	json_t *cells = json_array(), *missing = json_array(), *json;
	char *text;
	bool ok;

	for (guint i = 0; i < r->cells->len; i++)
		json_array_append_new(cells, cell_to_json(r->cells->pdata[i]));
	for (guint i = 0; i < r->unavailable->len; i++) {
		struct unavailable *u = r->unavailable->pdata[i];

		json_array_append_new(missing, json_pack("{s:s, s:s}", "kernel", u->kernel, "reason",
							 u->reason));
	}
	json = json_pack("{s:i, s:s, s:f, s:b, s:O?, s:o, s:o}", "schema", RUN_SCHEMA, "started",
			 r->started, "confidence", r->confidence, "full_duration", r->full_duration,
			 "engine_proof", r->engine_proof, "cells", cells, "unavailable", missing);
	text = json_dumps(json, JSON_INDENT(1));
	ok = text && fs_write(path, text, strlen(text), error);
	free(text);
	json_decref(json);
	return ok;
}

static bool fill_run(struct run *r, const json_t *json, GError **error)
{
	const char *started = json_string_value(json_object_get(json, "started"));
	json_t *item;
	size_t i;

	if (json_integer_value(json_object_get(json, "schema")) != RUN_SCHEMA || !started)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s/run.json' is no plan of schema %d",
				r->dir, RUN_SCHEMA);
	g_free(r->started);
	r->started = g_strdup(started);
	r->confidence = json_number_value(json_object_get(json, "confidence"));
	r->full_duration = json_is_true(json_object_get(json, "full_duration"));
	if (json_is_object(json_object_get(json, "engine_proof")))
		r->engine_proof = json_deep_copy(json_object_get(json, "engine_proof"));
	json_array_foreach(json_object_get(json, "cells"), i, item) {
		struct cell *cell = cell_from_json(item, error);

		if (!cell)
			return lab_prefix(error, "'%s/run.json': cell %zu", r->dir, i);
		g_ptr_array_add(r->cells, cell);
	}
	json_array_foreach(json_object_get(json, "unavailable"), i, item)
		run_add_unavailable(r, json_string_value(json_object_get(item, "kernel")) ?: "?",
				    json_string_value(json_object_get(item, "reason")) ?: "?");
	return true;
}

bool run_load(const char *dir, struct run **ret, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "run.json", NULL);
	g_autofree char *text = NULL;
	g_autoptr(run) r = run_new(dir, 0);
	json_t *json;
	size_t len;
	bool ok;

	if (!fs_read(path, RUN_FILE_MAX, &text, &len, error))
		return false;
	json = json_loadb(text, len, 0, NULL);
	ok = fill_run(r, json, error);
	json_decref(json);
	if (ok)
		*ret = g_steal_pointer(&r);
	return ok;
}

/* --- cells ------------------------------------------------------------------------------------ */

char *run_job_dir(const struct run *r, const struct cell *cell, unsigned attempt)
{
	return g_strdup_printf("%s/jobs/%s/%u", r->dir, cell->job->cell, attempt);
}

static void judge_skipped(struct cell *cell)
{
	cell->verdict = (struct cell_verdict){
		.v = { .value = VERDICT_UNSUPPORTED, .title = g_strdup("unsupported"),
		       .reason = g_strdup(cell->skip) },
		.confidence = NAN, .p_missed = NAN, .time_to_failure_s = NAN,
	};
	cell->done = true;
}

static bool load_outcomes(const struct run *r, struct cell *cell, const struct judge_params *params,
			  GError **error)
{
	for (unsigned i = cell->outcomes->len;; i++) {
		g_autofree char *dir = run_job_dir(r, cell, i);
		struct outcome *o;

		if (!journal_is_finished(dir))
			return true;
		if (!outcome_load(dir, params, &o, error))
			return false;
		g_ptr_array_add(cell->outcomes, o);
	}
}

/* The cell's jobs as the judge takes them; strings are the outcomes'. */
struct bench {
	struct verdict *verdicts;
	struct cell_job *how;
	guint n;
	struct cell_rule rule;
};

static void bench_fill(const struct run *r, const struct cell *cell, struct bench *ret)
{
	guint n = cell->outcomes->len;

	*ret = (struct bench){
		.verdicts = g_new0(struct verdict, n),
		.how = g_new0(struct cell_job, n),
		.n = n,
		.rule = { .confidence = r->confidence, .rate_lower = cell->rate_lower,
			  .foretold = cell->foretold,
			  .one_model = strcmp(cell->job->accel, "tcg") != 0 },
	};
	for (guint i = 0; i < n; i++) {
		struct outcome *o = cell->outcomes->pdata[i];

		ret->verdicts[i] = o->verdict;
		ret->how[i] = (struct cell_job){ o->began_us, o->cpu_model, o->alone, o->delayed,
						 o->seed };
		/* a rate of amplified runs says nothing on one that had no symbols to delay, nor one of
		 * BPF programs on what perf does in their place */
		if (g_strcmp0(o->amplify, amplify_level_name(cell->job->amplify)) != 0 ||
		    !calibration_same_rung(cell->calibration_rung, o->rung))
			ret->rule.rate_lower = 0;
	}
}

static void bench_clear(struct bench *b)
{
	g_free(b->verdicts);
	g_free(b->how);
}

static void judge_outcomes(const struct run *r, struct cell *cell, enum cell_needs *ret_needs)
{
	struct bench b;

	bench_fill(r, cell, &b);
	cell_verdict_clear(&cell->verdict);
	judge_cell(b.verdicts, b.how, b.n, &b.rule, &cell->verdict, ret_needs);
	bench_clear(&b);
}

bool cell_refresh(const struct run *r, struct cell *cell, const struct judge_params *params,
		  enum cell_needs *ret_needs, GError **error)
{
	*ret_needs = CELL_RERUN;
	if (cell->skip) {
		if (!cell->done)
			judge_skipped(cell);
		*ret_needs = CELL_DONE;
		return true;
	}
	if (!load_outcomes(r, cell, params, error))
		return false;
	if (!cell->outcomes->len)
		return true;
	judge_outcomes(r, cell, ret_needs);
	if (cell->once || (cell->confirmed && *ret_needs == CELL_SECOND_SEED))
		*ret_needs = CELL_DONE;
	cell->done = *ret_needs == CELL_DONE;
	return true;
}

static const struct outcome *first_affected(const struct cell *cell)
{
	for (guint i = 0; i < cell->outcomes->len; i++) {
		struct outcome *o = cell->outcomes->pdata[i];

		if (o->verdict.value == VERDICT_AFFECTED)
			return o;
	}
	return NULL;
}

/* A guest that never came up may want an older CPU; a surprise is confirmed under another one. */
static const char *next_model(const struct cell *cell, enum cell_needs needs)
{
	guint n = cell->outcomes->len;
	const struct outcome *last = n ? cell->outcomes->pdata[n - 1] : NULL;
	const struct outcome *first = first_affected(cell);

	if (strcmp(cell->job->accel, "tcg") != 0)
		return cell->job->cpu_model;
	if (needs == CELL_SECOND_SEED && first)
		return first->cpu_model;
	if (needs == CELL_SECOND_MODEL || needs == CELL_ALONE)
		return first && g_strcmp0(first->cpu_model, SECOND_MODEL) == 0 ? THIRD_MODEL :
										 SECOND_MODEL;
	return last && !last->began_us ? SECOND_MODEL : cell->job->cpu_model;
}

struct job *cell_next_job(const struct run *r, const struct cell *cell, enum cell_needs needs)
{
	struct job *job = job_copy(cell->job);
	struct bench b;

	bench_fill(r, cell, &b);
	job->attempt = b.n;
	job->seed += b.n;
	job->alone = needs == CELL_ALONE;
	if (needs == CELL_RERUN && !r->full_duration)
		job->exposure_target = cell_exposure_missing(b.verdicts, b.n, &b.rule);
	job->exposure_rung = g_strdup(cell->calibration_rung);
	if (needs != CELL_RERUN && job->amplify_plan) {
		g_autofree char *plan = job->amplify_plan;

		job->amplify_plan = plan_without_seed(plan);	/* the job's own is another one */
	}
	g_free(job->cpu_model);
	job->cpu_model = g_strdup(next_model(cell, needs));
	bench_clear(&b);
	return job;
}
