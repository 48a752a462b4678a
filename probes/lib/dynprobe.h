/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel and user probes, armed in the two ways that the kernel has: an event of tracefs, and
 * perf's own PMUs (4.17 and later). Functions that return int return a descriptor or 0, or a
 * negative errno.
 */
#ifndef KLAB_PROBE_DYNPROBE_H
#define KLAB_PROBE_DYNPROBE_H

#include <stdbool.h>
#include <stdint.h>

enum dyn_kind { DYN_KPROBE, DYN_UPROBE };

struct dyn_site {
	enum dyn_kind kind;
	const char *target; /* symbol of the kernel, or path of a file */
	uint64_t offset;
	bool ret; /* at the function's return */
};

/* Whom perf's PMU probes: exactly one of pid and cpu is -1. */
struct dyn_scope {
	int pid, cpu;
	bool inherit; /* also the children of pid */
};

/* Type of the PMU; -ENOENT where there is none. */
int dyn_pmu_type(enum dyn_kind kind);
/* Arm a probe: it stays until the descriptor is closed. */
int dyn_perf_open(int pmu_type, const struct dyn_site *site, struct dyn_scope scope);

/* Define the event klab/NAME, not enabled. */
int dyn_event_define(const char *name, const struct dyn_site *site);
void dyn_event_remove(const char *name, enum dyn_kind kind);
/* Enable file of klab/NAME, for writing. */
int dyn_event_switch(const char *name);
/* Count the hits of klab/NAME on one CPU, exactly: its read(2) gives 8 bytes. While such a counter
 * is open, tracefs must leave the event alone (old kernels give a user probe to one user). */
int dyn_event_count(const char *name, int cpu);

#endif
