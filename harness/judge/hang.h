/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlock rules over register samples of a guest that has gone silent. Pure. */
#ifndef KLAB_JUDGE_HANG_H
#define KLAB_JUDGE_HANG_H

#include "base/lab.h"

#define HANG_SAMPLES_MAX 64
#define HANG_CPUS_MAX 128

struct hang_sample_cpu {
	uint64_t rip, rsp, rdi, rflags;
	bool halted;
	unsigned cpl;
	bool pauses;		/* a PAUSE instruction within 16 bytes of rip */
	const char *symbol;	/* of rip, without offset, or NULL; outlives the window */
};

struct hang_sample {
	int64_t at_us;		/* wall time less the run delay of the vCPU threads */
	int64_t wall_us;	/* wall time */
	int64_t run_us;		/* time that the vCPU threads had so far; 0 in all samples: unknown */
	uint64_t jiffies;	/* the kernel's own count of ticks, if jiffies_known */
	bool jiffies_known;
	bool paused;		/* the engine keeps the vCPUs from running */
	bool talks;		/* the console said something since the last sample */
	struct hang_sample_cpu cpu[HANG_CPUS_MAX];
};

enum hang_rule {
	HANG_NONE,	/* nothing certain yet */
	HANG_D1,	/* every vCPU spins on a lock with an unmoving stack: spin deadlock */
	HANG_D2,	/* a silent vCPU spins with interrupts off or in NMI: lost unlock or
			 * self-deadlock; not while the console talks on and on: so may the holder */
	HANG_D3,	/* a vCPU is halted with interrupts off: dead CPU */
	HANG_D4,	/* a vCPU waits for a cross call to one that has interrupts off and does not
			 * come out of where it is: IPI deadlock */
	HANG_D5,	/* all vCPUs are idle, jiffies advance, and no beat comes for HANG_SLEEP_US:
			 * those who beat sleep on something that nobody gives back */
	HANG_D6,	/* a silent vCPU runs in the kernel, and jiffies stand still: nobody takes the
			 * timer's interrupt any more */
	HANG_D7,	/* nothing moves as nothing may: paused, or vCPU threads that want to run get no
			 * time of a host CPU. No fault of the kernel; to be watched anew */
};
/* Numbers are stored in journals: new rules come at the end. */

#define HANG_SLEEP_US (5 * G_USEC_PER_SEC)

/* What is judged: samples in order, and what the status pages said meanwhile. */
struct hang_window {
	const struct hang_sample *samples;
	unsigned n, ncpus;
	const uint64_t *silent;	/* mask of CPUs whose heartbeat stopped */
	int64_t silent_us;	/* the longest counted silence among them */
};

/*
 * The rule that holds in each of the newest samples that span 2 s, 0.8 s of which the vCPUs really
 * had: where they are twice as many as the host's CPUs and all spin they have hardly more, and a
 * lock's holder that the host keeps from running is kept for milliseconds. (D7: a pause has no such time, two samples
 * do.) Where several hold, the one that explains most: D7, D4, D1, D2, D3, D6, D5.
 */
enum hang_rule hang_judge(const struct hang_window *w);
/* The first of these newest samples: what lies before it is of no account. */
unsigned hang_window_start(const struct hang_window *w);
/* "IPI deadlock", ...: a few words for reasons; NULL for HANG_NONE and numbers of no rule. */
const char *hang_rule_words(int rule);
/* Is this a lock's waiting loop (queued_spin_lock_slowpath, smp_call_function_many_cond, ...)? */
bool hang_symbol_spins(const char *symbol);
/* Is this a frame that says nothing about who waits for what (lock internals, entry code)? */
bool hang_symbol_is_noise(const char *symbol);

#endif
