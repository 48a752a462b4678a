/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlock rules over register samples of a guest that has gone silent. Pure. */
#ifndef KLAB_JUDGE_HANG_H
#define KLAB_JUDGE_HANG_H

#include "base/lab.h"

#define HANG_SAMPLES_MAX 16
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
	struct hang_sample_cpu cpu[HANG_CPUS_MAX];
};

enum hang_rule {
	HANG_NONE,	/* nothing certain yet */
	HANG_D1,	/* every vCPU spins on a lock with an unmoving stack: spin deadlock */
	HANG_D2,	/* a silent vCPU spins with interrupts off or in NMI: lost unlock or self-deadlock */
	HANG_D3,	/* a vCPU is halted with interrupts off: dead CPU */
};

/*
 * The rule that holds in every sample of the window, which must span at least 2 s of time that the
 * vCPUs really had; `silent` is the mask of CPUs whose heartbeat stopped, `n` samples, `ncpus` vCPUs.
 */
enum hang_rule hang_judge(const struct hang_sample *samples, unsigned n, unsigned ncpus,
			  const uint64_t *silent);
/* Is this a lock's waiting loop (queued_spin_lock_slowpath, smp_call_function_many_cond, ...)? */
bool hang_symbol_spins(const char *symbol);
/* Is this a frame that says nothing about who waits for what (lock internals, entry code)? */
bool hang_symbol_is_noise(const char *symbol);

#endif
