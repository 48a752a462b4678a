/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a journal to the evidence that the judge wants, and to the verdict of one job. Pure functions
 * of the journal: the same journal gives the same verdict. */
#ifndef KLAB_RUN_EVIDENCE_H
#define KLAB_RUN_EVIDENCE_H

#include "judge/judge.h"
#include "run/job.h"
#include "store/journal.h"

/* A judged job and what reports show of it. */
struct outcome {
	char *dir;			/* the job's folder */
	struct verdict verdict;
	int64_t began_us;		/* of the probe's run; 0: it never began */
	int64_t ended_us;
	char *rung, *nmi_source;	/* or NULL */
	char *cpu_model, *accel, *engine_version;
	char *amplify;			/* the level that was carried out: "off" where nothing was */
	char *unamplified;		/* why nothing was though it was asked for, or NULL */
	bool delayed;			/* vCPUs were delayed, if only until that stopped working */
	char *sites;			/* symbols that were delayed, or NULL */
	char *sites_missing;		/* of the user's plan, that the kernel has not, or NULL */
	json_t *delays;			/* object, what the amplifier did in all; NULL: not recorded */
	char *plan;			/* file in `dir` with what was delayed at the end, or NULL */
	json_t *exposure;		/* object: counter name -> number */
	json_t *limits;			/* array of strings: what the probe could not do */
	char *dump;			/* file in `dir` with the guest's memory, or NULL */
	char *no_dump;			/* why there is none though one was asked for, or NULL */
	char *digest;			/* of the journal */
	json_t *host;			/* object, see host_summary(); NULL: not recorded */
	uint64_t seed;
	bool alone;			/* it ran alone on its host */
	bool enough;			/* its exposure sufficed before its time was over */
	enum job_end end;
};
typedef struct outcome outcome;
void outcome_free(struct outcome *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(outcome, outcome_free)

/* Judge the job whose journal lies in `dir`. An unreadable journal is a GError; an unfinished one is
 * the verdict infra. */
bool outcome_load(const char *dir, const struct judge_params *params, struct outcome **ret,
		  GError **error);

#endif
