/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Execute a run's open cells: each job is a child process `klab exec-job DIR/spec.json`, so that a
 * crash of one is no crash of all, and a Slurm task is the same thing. Children die with us.
 */
#ifndef KLAB_RUN_SCHED_H
#define KLAB_RUN_SCHED_H

#include "run/run.h"

struct sched_params {
	const char *self;		/* path of the klab binary */
	unsigned jobs;			/* at once, 1.. */
	unsigned limit_s;		/* of the whole, 0: none */
	/* Judge's table for the cell's hazards. */
	const struct judge_params *(*judge_params)(const struct cell *cell, void *user);
	void (*on_start)(const struct cell *cell, const struct job *job, void *user);
	void (*on_done)(const struct cell *cell, void *user);	/* cell->verdict is valid */
	void *user;
};

enum sched_end { SCHED_DONE, SCHED_INTERRUPTED, SCHED_TIMEOUT };

/* SIGINT and SIGTERM stop it: children get SIGTERM and time to write their last record. */
bool sched_run(struct run *r, const struct sched_params *params, enum sched_end *ret_end,
	       GError **error);

#endif
