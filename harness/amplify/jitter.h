/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --amplify host: races are widened without the emulator's help, as under KVM. Now and then one vCPU
 * thread is stopped for a moment, is moved next to another one, or may run only when nobody else
 * wants to. The schedule is seeded and pure: run/jitter_host.h carries it out.
 */
#ifndef KLAB_AMPLIFY_JITTER_H
#define KLAB_AMPLIFY_JITTER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define JITTER_STOP_MAX_US 5000	/* one stop */

enum jitter_kind {
	JITTER_STOP,	/* the thread is stopped for us */
	JITTER_SQUEEZE,	/* this vCPU and `other` share one host CPU for us */
	JITTER_IDLE,	/* SCHED_IDLE for us */
	JITTER__COUNT
};

struct jitter_action {
	enum jitter_kind kind;
	unsigned vcpu, other;	/* other: of JITTER_SQUEEZE, != vcpu */
	int64_t at_us;		/* since the arming */
	int64_t us;
};

struct jitter {
	GRand *rand;
	unsigned vcpus;
	int64_t next_us;
};
void jitter_init(struct jitter *j, unsigned vcpus, uint64_t seed);
void jitter_clear(struct jitter *j);
/* The next action; its at_us ascends. Stops take at most a fifth of any vCPU's time. */
void jitter_next(struct jitter *j, struct jitter_action *ret);

#endif
