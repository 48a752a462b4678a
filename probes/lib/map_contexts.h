/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of one kind of map in all contexts at once: in tasks (at task_rename, which a worker
 * brings about), in interrupts (a clock event per CPU) and in NMIs (at nmi_handler, for NMIs of the
 * host's or of a PMU). Raw tracepoints, because the kernel keeps other kinds of programs from
 * running over a user of maps.
 *
 *	map_contexts_attach(&contexts, &programs, run->ncpus);		setup()
 *	map_task_enter(), map_nap(&rand);				worker(), again and again
 *	map_contexts_detach(&contexts), map_settle(run->ncpus);		check(): nothing runs now
 *	map_contexts_detach(&contexts);					teardown()
 */
#ifndef KLAB_PROBE_MAP_CONTEXTS_H
#define KLAB_PROBE_MAP_CONTEXTS_H

#include "probes/lib/probe.h"

#include <bpf/libbpf.h>

struct map_programs {
	struct bpf_program *task, *irq, *nmi;
};

struct map_contexts {
	unsigned ncpus;
	struct bpf_link *task, *nmi, *irq[WIRE_CPUS_MAX];
};

/* A negative errno if there is nothing in NMIs; tasks and interrupts are as it may be. */
int map_contexts_attach(struct map_contexts *c, const struct map_programs *programs,
			unsigned ncpus);
void map_contexts_detach(struct map_contexts *c);

/* The worker's own part: run the task's programs once. */
void map_task_enter(void);
/* Sleep a while, that others get the CPU. */
void map_nap(uint64_t *rand);
/* What was called before on any CPU, in an interrupt or NMI, has returned. */
void map_settle(unsigned ncpus);

#endif
