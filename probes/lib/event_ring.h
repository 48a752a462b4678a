/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf events and rings that live apart, for probes that pass rings from event to event (perf.h
 * ties a ring to its event and suffices for all others). One thread reads a ring. Functions that
 * return int return a value >= 0 or a negative errno.
 */
#ifndef KLAB_PROBE_EVENT_RING_H
#define KLAB_PROBE_EVENT_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_RECORD_MAX 65536 /* header.size has 16 bits */

/* A descriptor. The caller sets attr->size. */
int event_open(const struct perf_event_attr *attr, int pid, int cpu, int group_fd);
/* attr.config of the tracepoint "SYSTEM/NAME", or a negative errno. */
int64_t event_tracepoint(const char *name);

struct event_ring {
	struct perf_event_mmap_page *page; /* NULL: not mapped */
	unsigned char *data;
	size_t size; /* of data, a power of two */
};

/* Map a ring of 2^order pages behind fd, which stays the caller's. */
int event_ring_map(struct event_ring *ring, int fd, unsigned order);
void event_ring_unmap(struct event_ring *ring);

/* Copy the oldest record out and free its place; buf has EVENT_RECORD_MAX bytes, 8-aligned. Returns
 * its size, 0 if the ring is empty, -EBADMSG if the kernel wrote no whole record. */
int event_ring_next(struct event_ring *ring, void *buf);

#endif
