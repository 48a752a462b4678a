/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocate and free vmalloc areas in every way that user space has, so that their lock is held as
 * often as can be:
 *
 *	maps		BPF arrays, whose memory comes from vmalloc
 *	stacks		fork and exit: kernel stacks are vmalloc memory under VMAP_STACK
 *	programs	BPF programs, whose code is module memory where it is compiled
 *	walk		/proc/vmallocinfo, which holds the lock for a whole chunk of its text
 */
#ifndef KLAB_PROBE_VMALLOC_CHURN_H
#define KLAB_PROBE_VMALLOC_CHURN_H

#include "probes/lib/probe.h"

/* Find out what the kernel takes. 0, or a negative errno: there are no BPF maps, and churning goes
 * without them. */
int vmalloc_churn_setup(void);

struct vmalloc_churn {
	int walk_fd;
	uint64_t rounds;
};

/* One churn a thread. */
void vmalloc_churn_open(struct vmalloc_churn *churn);
void vmalloc_churn_round(struct vmalloc_churn *churn, const struct probe_run *run);
void vmalloc_churn_close(struct vmalloc_churn *churn);

#endif
