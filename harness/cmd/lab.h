/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What run, calibrate and doctor --engine share: probes and hazards loaded, an engine found and
 * proved, cells planned with what is known about their kernel, the run executed and told as it goes.
 */
#ifndef KLAB_CMD_LAB_H
#define KLAB_CMD_LAB_H

#include "base/progress.h"
#include "conf/console_rules.h"
#include "conf/hazards.h"
#include "conf/hosts.h"
#include "conf/matrix.h"
#include "conf/probes.h"
#include "guest/engine.h"
#include "run/engine_proof.h"
#include "run/run.h"
#include "run/sched.h"
#include "stats/calibration.h"

struct lab_params {
	const char *qemu;	/* --qemu, or NULL */
	const char *accel;	/* "auto", "tcg", "kvm" */
	bool trust_engine;	/* --trust-engine: verdicts of an unproven or old engine count */
	bool prove;		/* prove the engine now if no proof is cached */
	bool prove_again;
	unsigned prove_minutes;	/* extend the proof for so long; 0: what is cached will do */
	bool judge_only;		/* no kernels, no calibration: journals hold what judging needs */
	const char *hazards_file;	/* or NULL: the shipped one */
	const char *console_rules_file;	/* or NULL: the shipped rules alone */
	const char *kernels_file;	/* or NULL: ./kernels.yaml, else the shipped one */
	const char *connect;	/* --connect: a URI or a name of hosts:, or NULL: no libvirt */
};

struct lab {
	struct matrix *matrix;
	struct hazard_set *hazards;
	struct console_rules *console_rules;
	GPtrArray *probes;		/* of struct probe_info * */
	struct engine *engine;		/* NULL without one: lab_open_engine() was not called */
	char *accel;			/* "tcg" or "kvm" */
	char *accel_note;		/* why it is not KVM, or NULL */
	char *engine_trouble;		/* why its verdicts cannot count, or NULL */
	struct host_spec *host_spec;	/* what --connect means, or NULL */
	struct job_host *host;		/* the same once lab_open_engine() has seen it, or NULL */
	struct engine_proof proof;
	struct calibration *calibration;
	char *agent;			/* sha256 of the initramfs */
	bool quiet;			/* cells are told by who runs them */
	GHashTable *judge_params;	/* probe name -> struct judge_params */
};
typedef struct lab lab;
void lab_free(struct lab *lab);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lab, lab_free)

/* Configuration only. */
bool lab_open(const struct lab_params *params, struct lab **ret, GError **error);
/* Find, fetch and prove the engine; an unsound one is no error but engine_trouble. */
bool lab_open_engine(struct lab *lab, const struct lab_params *params,
		     const struct progress *progress, GError **error);
/* The kernel that engines are proved with: the pinned, believed clean one. */
bool lab_proof_kernel(struct lab *lab, const struct progress *progress, struct kernel **ret,
		      GError **error);

/* Say which build a kernel is, with the options that hazards depend on (kernel/identity.h). */
void lab_identify(const struct lab *lab, struct kernel *kernel);

struct lab_plan {
	unsigned smp, mem_mib, duration_s, boot_limit_s;	/* 0: the default */
	uint64_t seed;
	enum amplify_level amplify;
	const char *amplify_plan;	/* of AMPLIFY_PLAN: its text */
	bool foretold;		/* known to be affected, whatever the hazards file says */
	json_t *params;		/* chosen parameters of probes, NULL: none; borrowed */
	bool uncalibrated;	/* look no failure rates up: clean states no bound */
};
/* Add kernel x probes to the run, with what hazards.yaml foretells and what calibration knows. */
void lab_add_cells(struct lab *lab, struct run *r, const struct kernel *kernel, GPtrArray *probes,
		   const struct lab_plan *plan);
/* Execute the open cells, printing a line a cell on stderr; result.json is written. */
bool lab_sched(struct lab *lab, struct run *r, unsigned jobs, unsigned limit_s,
	       enum sched_end *ret_end, GError **error);
/* The exit code (enum cmd_exit) of a run that ended so: the first that applies, as the manual lists
 * them. */
int lab_exit(const struct run *r, enum sched_end end);
/* As lab_sched(); *ret_exit gets the exit code of enum cmd_exit that the whole deserves. */
bool lab_run(struct lab *lab, struct run *r, unsigned jobs, unsigned limit_s, int *ret_exit,
	     GError **error);
/* What a user's --amplify means, files read: NULL is auto. LAB_ERROR_USAGE for what means nothing. */
bool lab_amplify(const char *word, struct amplify *ret, GError **error);
/* Path of this binary, for exec-job children. */
char *lab_self(void);

#endif
