/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the guest alive? From readings of the status page, dated by the host. Pure.
 *
 * Starvation is not a hang: a CPU's silence counts as wall time minus the run delay of the vCPU
 * threads (second field of /proc/PID/task/TID/schedstat) over the same span. The span between two
 * readings counts at most suspect_us / 2: while nobody looked (a stopped lab, a slow monitor) nothing
 * was learnt, so no verdict of silence rests on fewer than three readings.
 */
#ifndef KLAB_JUDGE_LIVENESS_H
#define KLAB_JUDGE_LIVENESS_H

#include "probes/lib/wire.h"

#include <stdbool.h>

enum liveness_state {
	LIVE_OK,
	LIVE_STARVED,	/* silent, but the host gave it no time */
	LIVE_SUSPECT,	/* some CPU silent for suspect_us: take registers */
	LIVE_SILENT,	/* some CPU silent for silent_us */
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
	int64_t last_us, last_delay_us;	/* of the last reading */
};

void liveness_init(struct liveness *l, struct liveness_limits limits);
/* One reading at host time at_us, with the cumulated run delay of the vCPU threads (us). Parked CPUs
 * never count. A page that is not valid (magic, version, ncpus) counts as one without progress. */
enum liveness_state liveness_feed(struct liveness *l, int64_t at_us, const struct wire_status *page,
				  int64_t run_delay_us);

#endif
