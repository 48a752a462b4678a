/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads and their children that call the program of target.h in every way in which a process can
 * come to a user probe, and judge each call. Counts are exact: what is counted has been called.
 *
 *	storm_make(ncpus)
 *	storm_run(run, cpu)	in each worker
 *	storm_wrecked(...)	did anything go wrong?
 *	storm_destroy()
 */
#ifndef KLAB_PROBE_STORM_H
#define KLAB_PROBE_STORM_H

#include "probes/lib/probe.h"
#include "probes/lib/target.h"

#define STORM_DIR "/klab-storm"
#define STORM_FILE STORM_DIR "/target"
#define STORM_PAGES 6 /* of functions: calls of page 1 are counted one by one */

enum storm_what {
	STORM_CALLS,
	STORM_CHILDREN,
	STORM_SIGNALS,
	STORM_FORKS_FAILED,
	STORM_CHILDREN_LOST, /* to a lack of memory: calls cannot be told by then */
	STORM__COUNT
};

/* Put the program into a file system of its own, and its seats into shared memory. 0 or a negative
 * errno. */
int storm_make(unsigned seats);
/* Call until the run's time has come or something went wrong. */
void storm_run(struct probe_run *run, unsigned seat);
/* The thread of a seat, 0 while there is none. */
int storm_tid(unsigned seat);
/* Of all seats. */
uint64_t storm_total(enum storm_what what);
/* Calls of a function of page 1. */
uint64_t storm_counted(enum target_fn fn);
/* The first thing that went wrong, of any process; NULL: nothing. ret_killed: somebody died of it.
 */
const char *storm_wrecked(bool *ret_killed);
/* What seccomp lacks, or NULL. Static. */
const char *storm_missing(void);
void storm_destroy(void);

#endif
