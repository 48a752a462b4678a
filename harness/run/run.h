/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run: a folder with a plan (run.json) and a folder a job. Cells are planned once; a run that was
 * cut off is loaded and goes on with the jobs that have no finished journal.
 *
 *	run.json			the plan: cells with their job specs, unavailable kernels
 *	jobs/CELL/ATTEMPT/		a job's journal (store/journal.h)
 */
#ifndef KLAB_RUN_RUN_H
#define KLAB_RUN_RUN_H

#include "conf/matrix.h"
#include "conf/probes.h"
#include "judge/judge.h"
#include "run/evidence.h"
#include "run/job.h"

#define RUN_SCHEMA 1

struct cell {
	struct job *job;		/* template of its jobs; id in job->cell */
	char **hazards;			/* ids, of the probe's record */
	bool foretold;			/* evidence says that this kernel is affected */
	bool once;			/* no job follows the first, whatever it gave; not saved */
	bool confirmed;			/* it repeats a failure that stands: what delays may have brought
					 * about needs no second seed; not saved */
	char *skip;			/* why it is unsupported without a boot, or NULL */
	double rate_lower;		/* of the calibration that applies, 0: none */
	char *calibration;		/* where that rate comes from, or NULL */
	char *calibration_rung;		/* it holds for this one alone; NULL: for any */
	unsigned control_failures;	/* behind that rate, in so much exposure; 0: not known */
	double control_exposure;
	GPtrArray *outcomes;		/* of struct outcome *, in order of attempts */
	bool done;
	struct cell_verdict verdict;	/* valid once done */
};

struct unavailable {
	char *kernel, *reason;
};

struct run {
	char *dir;
	GPtrArray *cells;		/* of struct cell * */
	GPtrArray *unavailable;		/* of struct unavailable * */
	double confidence;
	bool full_duration;		/* clean jobs do not stop when their exposure suffices */
	json_t *engine_proof;		/* object, see engine_proof_json(); NULL: none */
	char *started;			/* ISO 8601, UTC */
};
typedef struct run run;
void run_free(struct run *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(run, run_free)

struct plan_options {
	unsigned smp, mem_mib, duration_s, boot_limit_s;	/* 0: the default */
	uint64_t seed;
	enum amplify_level amplify;
	const char *amplify_plan;	/* of AMPLIFY_PLAN: its text */
	const char *accel;
	const struct engine *engine;
	const char *engine_trouble;
	const struct job_host *host;	/* or NULL: no libvirt */
	const char *agent_sha256;
	const struct console_rules *console_rules;	/* or NULL: none */
	json_t *params;	/* of all probes, as probes_params_parse() gives; or NULL: none */
};

struct run *run_new(const char *dir, double confidence);
/* Plan one kernel x probe; takes ownership of nothing, copies what it keeps. */
struct cell *run_add_cell(struct run *r, const struct kernel *kernel, const struct probe_info *probe,
			  const struct plan_options *options);
/* Plan a cell again that was planned before, here or in another run, under another id. */
struct cell *run_add_copy(struct run *r, const struct cell *of, const char *id);
void run_add_unavailable(struct run *r, const char *kernel, const char *reason);
/* run.json, durably; and back. */
bool run_save(const struct run *r, GError **error);
bool run_load(const char *dir, struct run **ret, GError **error);

/* CPU models that jobs are run under, NULL-terminated: the usual one, then the second one. */
const char *const *run_cpu_models(const char *accel);
char *run_job_dir(const struct run *r, const struct cell *cell, unsigned attempt);
/* Read what journals there are, judge, and say what the cell still needs. `params` as for the judge. */
bool cell_refresh(const struct run *r, struct cell *cell, const struct judge_params *params,
		  enum cell_needs *ret_needs, GError **error);
/*
 * The job of the next attempt: seed, CPU model, company and exposure target follow from what is
 * needed and from what the cell's jobs gained. A repetition of a failure has its whole duration:
 * to stop it early would make failures that come late look like the emulator's.
 */
struct job *cell_next_job(const struct run *r, const struct cell *cell, enum cell_needs needs);

#endif
