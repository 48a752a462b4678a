/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf events and the rings that the kernel writes their records to. One thread reads a ring.
 * Functions that return int return 0 (or a descriptor) or a negative errno.
 *
 *	fd = perf_open(&attr, -1, cpu);
 *	perf_ring_map(&ring, fd, 8);
 *	perf_ring_drain(&ring, take, ctx);	every few ms
 *	perf_ring_close(&ring);			closes fd too
 */
#ifndef KLAB_PROBE_PERF_H
#define KLAB_PROBE_PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* perf_event_open(2), close-on-exec, without a group. Sets attr->size to the oldest that fits. */
int perf_open(struct perf_event_attr *attr, int pid, int cpu);

/* What a kernel without perf events lacks: for probe_skip(). */
#define PERF_MISSING "CONFIG_PERF_EVENTS is off: perf_event_open(2) says ENOSYS"

struct perf_ring {
	int fd; /* -1: none */
	struct perf_event_mmap_page *page;
	size_t size;   /* of the data, in bytes */
	char *record;  /* one that wraps is put together here */
	uint64_t lost; /* records that the kernel says it dropped */
	uint64_t torn; /* records that cannot be: the ring is not well formed */
};

#define PERF_RING_NONE ((struct perf_ring){ .fd = -1 })

/* Map a ring of `pages` (a power of two) pages of data; owns fd from now on, also on failure. */
int perf_ring_map(struct perf_ring *ring, int fd, unsigned pages);
/* Hand every whole record to take(); lost ones are counted here and handed over all the same. */
void perf_ring_drain(struct perf_ring *ring,
		     void (*take)(void *ctx, const struct perf_event_header *record), void *ctx);
void perf_ring_close(struct perf_ring *ring);

#endif
