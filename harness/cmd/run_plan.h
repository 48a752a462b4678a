/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that `klab run` and `klab plan` share, and the planned run that they describe. */
#ifndef KLAB_CMD_RUN_PLAN_H
#define KLAB_CMD_RUN_PLAN_H

#include "cmd/lab.h"

struct run_request {
	char **kernels, **probes, **params;
	char *config, *hazards, *console_rules, *qemu, *accel, *amplify, *out, *json, *connect;
	int smp, memory, duration, boot_timeout, timeout, jobs;
	gint64 seed;
	double confidence;
	gboolean resume, trust_engine, full_duration, no_selftest, dump;
	struct amplify delays;	/* what `amplify` means */
	bool selftest;	/* run is about to follow: see that the detectors detect */
};
void run_request_clear(struct run_request *req);

/* Parse the command line; false with *ret_exit set when there is nothing more to do. */
bool run_request_parse(struct run_request *req, const char *command, int argc, char **argv,
		       int *ret_exit);
/* Load everything, fetch kernels, plan, save run.json. Kernels that cannot be had are in the run's
 * `unavailable`; a bad image named on the command line is LAB_ERROR_USAGE. */
bool run_request_plan(const struct run_request *req, struct lab **ret_lab, struct run **ret_run,
		      GError **error);

#endif
