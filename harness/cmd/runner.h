/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run kernels that are at hand the way `klab run` does: plan, boot, judge. For other commands. */
#ifndef KLAB_CMD_RUNNER_H
#define KLAB_CMD_RUNNER_H

#include "run/run.h"
#include "run/sched.h"

struct runner_kernel {
	const struct kernel *kernel;
	bool foretold; /* known to be affected: a failure needs no second CPU model */
};

struct runner_params {
	const struct runner_kernel *kernels;
	unsigned n_kernels;
	const char *const *probes; /* globs, NULL-terminated, or NULL: all */
	unsigned smp, duration_s;  /* 0: the default */
	uint64_t seed;
	enum amplify_level amplify;
	const char *connect;	   /* --connect, or NULL */
	const char *out;   /* folder of the run, which must not exist yet */
	bool uncalibrated; /* look no failure rates up: clean states no bound */
};

/*
 * Get and prove the engine, plan every kernel x probe into `out`, execute, judge; progress goes
 * where the commands' progress goes. *ret is set when the cells are judged (SCHED_DONE) or as far
 * as they got; its verdicts may be of any value. LAB_ERROR_UNAVAILABLE: no usable engine.
 */
bool runner_run(const struct runner_params *params, struct run **ret, enum sched_end *ret_end,
		GError **error);

#endif
