/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the guest alive? From readings of the status page, dated by the host. Pure. Told apart:
 *
 * - Starvation: a CPU's silence counts as wall time minus the run delay of the vCPU threads (second
 *   field of /proc/PID/task/TID/schedstat) over the same span.
 * - A pause: while the engine keeps all vCPUs from running nothing counts. Nor does it while nobody
 *   looks (a stopped lab, a slow monitor): the span between two readings counts at most
 *   suspect_us / 2, so no verdict of silence rests on fewer than three readings. A suspended host
 *   stops CLOCK_MONOTONIC, by which all of this is dated.
 * - A slow guest: one that has come back from a long silence may do so again. A silence is suspect
 *   only once it is LIVE_SLOW_FACTOR times as long as any from which this guest has come back.
 * - A talking guest: the kernel prints with interrupts off over a slow UART, and a flood silences the
 *   CPU that prints. While bytes come a silence counts 1 / LIVE_TALK_SHARE.
 * - Parked CPUs: those that a probe took offline on purpose never count.
 */
#ifndef KLAB_JUDGE_LIVENESS_H
#define KLAB_JUDGE_LIVENESS_H

#include "probes/lib/wire.h"

#include <stdbool.h>

enum liveness_state {
	LIVE_OK,
	LIVE_STARVED,	/* silent, but the host gave it no time */
	LIVE_PAUSED,	/* the engine keeps all vCPUs from running */
	LIVE_SLOW,	/* silent for suspect_us, which this guest is known to come back from */
	LIVE_SUSPECT,	/* some CPU silent for suspect_us: take registers */
	LIVE_SILENT,	/* some CPU silent for silent_us */
};
/* "ok", "starved", ...: for journals. */
const char *liveness_state_name(enum liveness_state state);

#define LIVE_SLOW_FACTOR 2
#define LIVE_TALK_SHARE 3

/* What the host saw at one time. */
struct liveness_reading {
	int64_t at_us;			/* wall time */
	const struct wire_status *page;
	int64_t run_delay_us;		/* cumulated, of the vCPU threads */
	bool paused;
	bool talks;			/* the console said something since the last reading */
};

struct liveness_limits {
	int64_t suspect_us, silent_us;	/* of counted silence */
};

struct liveness_cpu {
	uint64_t beats;
	int64_t since_us;	/* wall time of the last change */
	int64_t delay_us;	/* cumulated run delay at that time */
	int64_t counted_us;	/* silence that counts, so far */
};

struct liveness {
	struct liveness_limits limits;
	bool started;
	struct liveness_cpu cpu[WIRE_CPUS_MAX];
	unsigned ncpus;
	uint64_t silent[WIRE_CPUS_MAX / 64];	/* CPUs behind the last state */
	int64_t longest_us;	/* longest counted silence now */
	int64_t recovered_us;	/* longest counted silence that ended by itself */
	int64_t last_us, last_delay_us;	/* of the last reading */
};

void liveness_init(struct liveness *l, struct liveness_limits limits);
/* A page that is not valid (magic, version, ncpus) counts as one without progress. */
enum liveness_state liveness_feed(struct liveness *l, const struct liveness_reading *reading);

#endif
