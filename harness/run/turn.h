/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns on this host: jobs of all klab processes of a user share it, one that must be alone has it
 * for itself. Two lock files in the cache folder "host": "turn" is held for the moment of getting
 * in, and by who waits to be alone, so that newcomers cannot keep him waiting for ever; "in" is
 * held while a guest runs, shared or alone. Locks go with their process, however it ends.
 */
#ifndef KLAB_RUN_TURN_H
#define KLAB_RUN_TURN_H

#include "base/lab.h"
#include "base/progress.h"

#include <signal.h>

#define TURN_LIMIT_S 900

struct turn {
	int turn_fd, in_fd;	/* -1: not held */
	bool alone;
	int64_t waited_ms;
	bool crowded;		/* shared, and somebody else kept the host for himself */
};
#define TURN_NONE { .turn_fd = -1, .in_fd = -1 }

/*
 * Wait for a turn, at most limit_s. Who wants to be alone and cannot is LAB_ERROR_TIMEOUT; who
 * shares goes on without (crowded): one guest more is no reason to fail. LAB_ERROR_INTERRUPTED
 * when *interrupted (may be NULL) becomes nonzero.
 */
bool turn_take(bool alone, unsigned limit_s, const struct progress *progress,
	       const volatile sig_atomic_t *interrupted, struct turn *ret, GError **error);
void turn_end(struct turn *turn);

#endif
