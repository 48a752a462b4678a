/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the vCPUs of a guest ran, and how long they wanted to and could not: a host's
 * starvation, which is no hang. Counters of each vCPU come from its thread on this host, or from
 * whoever knows.
 */
#ifndef KLAB_GUEST_VCPUS_H
#define KLAB_GUEST_VCPUS_H

#include "guest/guest.h"
#include "guest/qmp.h"

struct vcpu {
	pid_t tid;		/* 0: on another host */
	int64_t run_us, delay_us;	/* last reading */
};

struct vcpus {
	unsigned n;
	struct vcpu *vcpu;
	int64_t at_us;			/* of the last reading; 0: none yet */
	int64_t new_run_us, new_delay_us;	/* of the reading under way, over all vCPUs */
	int64_t run_us, delay_us;	/* sums over readings */
	int64_t steal_ticks;		/* of this host, at the last reading; 0: unknown */
};

void vcpus_init(struct vcpus *v, unsigned n);
/* Ask QEMU for the vCPUs' threads. */
bool vcpus_learn(struct vcpus *v, struct qmp *qmp, int timeout_ms, GError **error);
void vcpus_clear(struct vcpus *v);
unsigned vcpus_threads(const struct vcpus *v, pid_t *ret, unsigned n);

/* A reading: the counters of each vCPU, since its start, and then the end of it. */
void vcpus_take(struct vcpus *v, unsigned cpu, int64_t run_us, int64_t delay_us);
void vcpus_done(struct vcpus *v, int64_t now_us, struct guest_sched *ret);
/* A whole reading of threads on this host; `paused` is false. */
void vcpus_read(struct vcpus *v, struct guest_sched *ret);

#endif
