/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job: one execution of a cell, hermetic. Its JSON (spec.json in the job's folder) names every
 * input by sha256, so that any machine with the same cache can execute it.
 */
#ifndef KLAB_RUN_JOB_H
#define KLAB_RUN_JOB_H

#include "amplify/plan.h"
#include "base/lab.h"
#include "conf/probes.h"
#include "guest/engine.h"
#include "guest/guest.h"
#include "kernel/kernel.h"

#include <jansson.h>

#define JOB_SCHEMA 1

/* A host of libvirt's that a job's guest runs on. */
struct job_host {
	char *uri;
	char *name;		/* in hosts: of the configuration; NULL: a bare URI was given */
	char *hostname;		/* as the host calls itself */
	char *pool;		/* for kernels and initramfs; NULL: the default one */
	bool remote;		/* not this machine: job.engine is what runs there */
};
void job_host_free(struct job_host *host);
struct job_host *job_host_copy(const struct job_host *host);	/* of NULL: NULL */
json_t *job_host_to_json(const struct job_host *host);		/* of NULL: NULL */
/* For people: "lab1 (qemu+ssh://root@lab1/system)"; the caller frees. */
char *job_host_text(const struct job_host *host);

/* Fill in where a guest is to run: everything is borrowed. `name` is its domain's. */
void job_host_place(const struct job_host *host, const struct engine *engine, const char *name,
		    struct guest_spec *spec);

struct job {
	char *cell;		/* "debian-bookworm.text-poke.smp4.auto" : a folder name */
	unsigned attempt;	/* 0.. within the cell */
	struct kernel *kernel;
	char *probe;
	char **amplify_globs, **counters;	/* of the probe's record */
	unsigned nmi_hz;	/* 0: the probe needs none */
	unsigned smp, mem_mib;
	unsigned duration_ms;	/* upper limit of the probe's run */
	unsigned boot_limit_ms;	/* from the engine's start to the guest's hello */
	uint64_t seed;
	enum amplify_level amplify;
	char *amplify_plan;	/* of AMPLIFY_PLAN: its text (amplify/plan.h); else NULL */
	char *accel, *cpu_model;
	struct engine *engine;
	char *engine_trouble;	/* why this engine cannot be trusted, or NULL */
	struct job_host *host;	/* NULL: QEMU is started here, without libvirt */
	char *agent_sha256;
	double exposure_target;	/* enough of the probe's first counter to state the asked confidence:
				 * the run stops there; 0: it has its whole duration */
	char *exposure_rung;	/* the rung that this is enough on; NULL: any */
	json_t *params;		/* object, the probe's parameters that were chosen; NULL: none */
	json_t *console_rules;	/* see conf/console_rules.h; NULL: none */
	bool alone;		/* no other guest of this user may run on the host meanwhile */
	bool dump;		/* keep the memory of a guest that failed (run/dump.h) */
};
typedef struct job job;
void job_free(struct job *j);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(job, job_free)

json_t *job_to_json(const struct job *j);
/* LAB_ERROR_INPUT for anything that is not a whole spec of this schema. */
bool job_from_json(const json_t *json, struct job **ret, GError **error);
/* Read DIR/spec.json; write it (durably). */
bool job_load(const char *path, struct job **ret, GError **error);
bool job_save(const struct job *j, const char *dir, GError **error);

#endif
