// SPDX-License-Identifier: GPL-2.0-or-later
/* Build result.json from judged cells. */
#include "report/result.h"
#include "report/schedule.h"

#include "base/fs.h"
#include "stats/rate.h"

#include <math.h>
#include <string.h>

/* JSON has no NAN: what cannot be stated is null. */
static json_t *number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *strings(char **list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

const struct outcome *result_decisive(const struct cell *cell)
{
	for (guint i = 0; i < cell->outcomes->len; i++) {
		struct outcome *o = cell->outcomes->pdata[i];

		if (o->verdict.value == cell->verdict.v.value)
			return o;
	}
	return cell->outcomes->len ? cell->outcomes->pdata[cell->outcomes->len - 1] : NULL;
}

/* NULL for verdicts other than infra. */
static const char *infra_name(const struct verdict *v)
{
	return v->infra == INFRA_NONE ? NULL : infra_class_name(v->infra);
}

static json_t *job_json(const struct run *r, const struct cell *cell, const struct outcome *o)
{
	g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, o->seed);
	const char *dir = g_str_has_prefix(o->dir, r->dir) ? o->dir + strlen(r->dir) + 1 : o->dir;
	/* in the run's folder: a copied run says the same */
	g_autofree char *repro = g_strdup_printf("klab exec-job %s/spec.json", dir);

	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:s?, s:b, s:O?, s:s*, "
			 "s:O*, s:s*}", "dir", dir,
			 "verdict", verdict_value_name(o->verdict.value), "reason",
			 o->verdict.reason, "cpu_model", o->cpu_model, "seed", seed, "digest",
			 o->digest, "sites", o->sites, "excerpt", o->verdict.excerpt, "title",
			 o->verdict.title, "repro", repro, "infra_class", infra_name(&o->verdict),
			 "stopped_early", o->enough, "host", o->host, "unamplified", o->unamplified,
			 "delays", o->delays, "plan", o->plan);
}

/* Counters of all jobs add up; a name that one job lacks counts as 0 there. */
static json_t *sum_exposure(const struct cell *cell)
{
	json_t *sum = json_object();

	for (guint i = 0; i < cell->outcomes->len; i++) {
		const char *name;
		json_t *value;

		json_object_foreach(((struct outcome *)cell->outcomes->pdata[i])->exposure, name,
				    value) {
			double so_far = json_number_value(json_object_get(sum, name));

			json_object_set_new(sum, name,
					    json_integer(so_far + json_number_value(value)));
		}
	}
	return sum;
}

/* Beside p_missed, which supposes that the rate's limit holds. */
static double p_missed_average(const struct cell *cell)
{
	if (!isfinite(cell->verdict.p_missed))
		return NAN;
	return rate_p_missed_average(cell->control_failures, cell->control_exposure,
				     cell->verdict.v.exposure);
}

static json_t *cell_json(const struct run *r, const struct cell *cell)
{
	static const struct outcome nothing;
	const struct outcome *o = result_decisive(cell) ?: &nothing;
	const struct cell_verdict *cv = &cell->verdict;
	g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, cell->job->seed);
	g_autofree char *unamplified = schedule_unamplified(cell);
	json_t *jobs = json_array();

	for (guint i = 0; i < cell->outcomes->len; i++)
		json_array_append_new(jobs, job_json(r, cell, cell->outcomes->pdata[i]));
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:s, s:s, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o, s:i, s:s, s:s, s:s?, "
		"s:s, s:s?, s:s?, s:o?, s:o?, s:b, s:s?, s:s?, s:o, s:O*, s:s*, s:s*, s:o}",
		"id", cell->job->cell, "kernel", cell->job->kernel->id, "probe", cell->job->probe,
		"hazards", strings(cell->hazards), "verdict", verdict_value_name(cv->v.value), "kind",
		verdict_kind_name(cv->v.kind), "title", cv->v.title, "reason", cv->v.reason, "hazard",
		cv->v.hazard, "confidence", number(cv->confidence), "p_missed",
		number(cv->p_missed), "time_to_failure_s", number(cv->time_to_failure_s), "exposure",
		sum_exposure(cell), "smp", (int)cell->job->smp, "accel", cell->job->accel, "amplify",
		o->amplify ?: amplify_level_name(cell->job->amplify), "cpu_model", o->cpu_model, "seed",
		seed, "rung", o->rung, "nmi_source", o->nmi_source, "findings",
		strings(o->verdict.findings), "limits",
		o->limits ? json_incref(o->limits) : json_array(), "foretold", cell->foretold,
		"calibration", isfinite(cv->p_missed) ? cell->calibration : NULL, "infra_class",
		infra_name(&cv->v), "p_missed_average", number(p_missed_average(cell)), "params",
		cell->job->params, "unamplified", unamplified, "schedule", schedule_of(cell), "jobs",
		jobs);
}

static json_t *kernel_json(const struct kernel *k)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:s?, s:O*}", "id", k->id, "release",
			 k->release, "version", k->version, "vendor", k->vendor, "package",
			 k->package, "package_version", k->package_version, "sha256", k->sha256,
			 "source", k->source, "note", k->note, "build", k->identity);
}

static json_t *kernels_json(const struct run *r)
{
	json_t *kernels = json_array();
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < r->cells->len; i++) {
		const struct kernel *k = ((struct cell *)r->cells->pdata[i])->job->kernel;

		if (g_hash_table_add(seen, k->id))
			json_array_append_new(kernels, kernel_json(k));
	}
	return kernels;
}

static json_t *engine_json(const struct run *r)
{
	const struct job *job;

	if (!r->cells->len)
		return json_null();
	job = ((struct cell *)r->cells->pdata[0])->job;
	return json_pack("{s:s, s:s, s:s?}", "version", job->engine->version, "sha256",
			 job->engine->sha256, "trouble", job->engine_trouble);
}

const struct job_host *result_host(const struct run *r)
{
	return r->cells->len ? ((struct cell *)r->cells->pdata[0])->job->host : NULL;
}

json_t *result_json(const struct run *r)
{
	json_t *cells = json_array(), *missing = json_array();

	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];

		if (cell->done)
			json_array_append_new(cells, cell_json(r, cell));
	}
	for (guint i = 0; i < r->unavailable->len; i++) {
		struct unavailable *u = r->unavailable->pdata[i];

		json_array_append_new(missing, json_pack("{s:s, s:s}", "kernel", u->kernel, "reason",
							 u->reason));
	}
	return json_pack("{s:i, s:s, s:s, s:f, s:o, s:o*, s:O?, s:o, s:o, s:o}", "schema", RESULT_SCHEMA,
			 "generator", "klab " KLAB_VERSION, "started", r->started, "asked_confidence",
			 r->confidence, "engine", engine_json(r), "connect",
			 job_host_to_json(result_host(r)), "engine_proof", r->engine_proof,
			 "kernels", kernels_json(r), "cells", cells, "unavailable", missing);
}

unsigned result_hits(const struct cell *cell)
{
	unsigned n = 0;

	for (guint i = 0; i < cell->outcomes->len; i++)
		n += ((struct outcome *)cell->outcomes->pdata[i])->verdict.value ==
		     cell->verdict.v.value;
	return n;
}

void result_count(const struct run *r, unsigned ret_counts[VERDICT__COUNT])
{
	memset(ret_counts, 0, VERDICT__COUNT * sizeof(*ret_counts));
	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];

		if (cell->done)
			ret_counts[cell->verdict.v.value]++;
	}
}

char *result_text(const struct run *r)
{
	json_t *json = result_json(r);
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	char *line = g_strconcat(text, "\n", NULL);

	free(text);
	json_decref(json);
	return line;
}

bool result_save(const struct run *r, GError **error)
{
	g_autofree char *path = g_build_filename(r->dir, "result.json", NULL);
	g_autofree char *text = result_text(r);

	return fs_write(path, text, strlen(text), error);
}
