/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instances of tracefs: ring buffers of their own, with their own tracer, filters and events. What
 * only one workload writes to can be counted exactly.
 * Functions that return int return 0 or a negative errno.
 */
#ifndef KLAB_PROBE_TRACE_INSTANCE_H
#define KLAB_PROBE_TRACE_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

struct trace_instance {
	char dir[96]; /* ""; none */
	bool top;     /* tracefs itself */
};

struct trace_counts {
	uint64_t written, lost; /* lost: by the kernel's own account */
};

/* A small ring buffer, and no comm records: those are made by a probe in the scheduler. */
int trace_instance_make(struct trace_instance *t, const char *name, unsigned kib_per_cpu);
/* The instance that is always there. */
int trace_instance_top(struct trace_instance *t, unsigned kib_per_cpu);
void trace_instance_remove(struct trace_instance *t);

bool trace_instance_has(const struct trace_instance *t, const char *file);
int trace_instance_write(const struct trace_instance *t, const char *file, const char *text);
/* Add a word to a file that holds a set, or, with '!' in front, take it out. */
int trace_instance_append(const struct trace_instance *t, const char *file, const char *text);
int trace_instance_read(const struct trace_instance *t, const char *file, char *buf, unsigned size);
/* What CPUs 0..ncpus-1 have ever written. */
int trace_instance_counts(const struct trace_instance *t, unsigned ncpus, struct trace_counts *ret);

#endif
