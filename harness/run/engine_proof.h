/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine is on trial too: an emulator's bug looks exactly like a kernel's. An engine is trusted
 * on this host once it has run amplified stress of a kernel believed clean without a splat.
 */
#ifndef KLAB_RUN_ENGINE_PROOF_H
#define KLAB_RUN_ENGINE_PROOF_H

#include "base/progress.h"
#include "conf/probes.h"
#include "guest/engine.h"
#include "kernel/kernel.h"

struct engine_prove_params {
	const struct kernel *kernel;	/* believed clean */
	const char *accel;
	GPtrArray *probes;		/* of struct probe_info *: each is run once, amplified */
	unsigned duration_s;		/* of each probe's run; 0: 5 s */
	bool again;			/* even if a proof is cached */
};

struct engine_proof {
	bool sound;
	bool cached;
	unsigned boots;
	double stress_s;
	char *kernel;		/* release that it was proved with */
	char *when;		/* ISO 8601 */
	char *trouble;		/* not sound: why, one sentence */
};
void engine_proof_clear(struct engine_proof *proof);

/* Look a proof up, or make it (about half a minute). Cached per engine build, accelerator and host.
 * An engine that fails is a result (sound is false), not an error. */
bool engine_prove(const struct engine *e, const struct engine_prove_params *params,
		  const struct progress *progress, struct engine_proof *ret, GError **error);

#endif
