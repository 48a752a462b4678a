/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine is on trial too: an emulator's bug looks exactly like a kernel's. An engine is
 * trusted on this host once it has run amplified stress of a kernel believed clean (boots, NMIs,
 * text patching, signals) without a fault; how far is a question of how much of it. Results add up
 * over calls.
 */
#ifndef KLAB_RUN_ENGINE_PROOF_H
#define KLAB_RUN_ENGINE_PROOF_H

#include "base/progress.h"
#include "conf/probes.h"
#include "guest/engine.h"
#include "kernel/kernel.h"
#include "run/job.h"

#include <jansson.h>

#define ENGINE_PROOF_CONFIDENCE 0.95
#define ENGINE_PROOF_MODELS_MAX 4

struct engine_prove_params {
	const struct kernel *kernel;	/* believed clean */
	const char *accel;
	const struct job_host *host;	/* where the engine is, or NULL: here, without libvirt */
	GPtrArray *probes;		/* of struct probe_info *: run in turn, amplified */
	unsigned duration_s;		/* of each probe's run; 0: 5 s, 15 s with minutes */
	unsigned minutes;		/* go on for so long, under each CPU model in turn;
					 * 0: a quick proof, and only if none is cached */
	bool again;			/* forget what is cached */
};

struct engine_proof {
	bool sound;
	bool cached;		/* nothing was run now */
	/* Without a fault: */
	unsigned boots;
	double stress_s;
	struct engine_proof_model {
		char *name;	/* CPU model */
		unsigned boots;
		double stress_s;
	} models[ENGINE_PROOF_MODELS_MAX];
	unsigned n_models;
	/* Jobs that told nothing: the emulator failed in a way that is known by its looks (such jobs are
	 * infra, no verdict), or the host did. */
	unsigned weather;
	char *kernel;		/* release that it was proved with */
	char *when;		/* of the last trial, ISO 8601 */
	char *trouble;		/* not sound: why, one sentence */
};
void engine_proof_clear(struct engine_proof *proof);

/*
 * Look a proof up, make it (about half a minute), or extend it. Kept per engine build, accelerator,
 * host, kernel and guest agent; every trial is kept as it ends. An engine that fails is a result
 * (sound is false, and stays so until `again`), not an error.
 */
bool engine_prove(const struct engine *e, const struct engine_prove_params *params,
		  const struct progress *progress, struct engine_proof *ret, GError **error);

/*
 * What it is worth, for result.json; the caller owns it: counts, and upper limits at
 * ENGINE_PROOF_CONFIDENCE that hold together (stats/rate.h: fault_per_job_upper) of faults per
 * boot, per minute of stress, and in a job of a boot and job_stress_s.
 */
json_t *engine_proof_json(const struct engine_proof *proof, double job_stress_s);

#endif
