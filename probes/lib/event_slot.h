/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event and a ring that others may write to as well, and the judging of what lies in it: each
 * record must be well formed, of the slot's CPU, and of an event that there is.
 *
 *	slot.fd = event_open(&attr, ...);
 *	event_slot_learn(&slot);		its id
 *	event_ring_map(&slot.ring, ...);
 *	event_slot_drain(&slot, &judge);	every few ms
 *	event_slot_close(&slot);
 *
 * All events that write to one ring have an attr as event_slot_attr() makes it. One thread at a
 *time for a slot and for a judge.
 */
#ifndef KLAB_PROBE_EVENT_SLOT_H
#define KLAB_PROBE_EVENT_SLOT_H

#include "probes/lib/event_ring.h"

#define EVENT_SLOT_IDS 24 /* events that may have written to a ring; then it must be closed */
#define EVENT_FORMAT_LOST (1u << 4) /* PERF_FORMAT_LOST, 6.0 */

struct event_slot {
	int fd;  /* -1: free */
	int cpu; /* -1: a task's */
	struct event_ring ring;
	uint64_t id;
	uint64_t ids[EVENT_SLOT_IDS]; /* whose records may lie in the ring */
	unsigned ids_len;
	unsigned cycle; /* the caller's */
};

/* What came of all records so far. */
struct event_judge {
	void *record; /* EVENT_RECORD_MAX bytes, 8-aligned */
	unsigned ncpus;
	uint64_t samples, lost, others;
	uint64_t mixed;   /* records with the id of an event that has no business in the ring */
	uint64_t watched; /* samples of watched_ids */
	uint64_t watched_ids[8];
	unsigned watched_at; /* the next that is replaced */
	const char *wrong; /* NULL, or the first thing that cannot be (a static string), and ... */
	uint64_t got, wanted;
};

/* A software event that samples each time, with all that a sample can hold. */
struct perf_event_attr event_slot_attr(uint64_t read_format, unsigned stack_bytes);

/* Value, id and, with EVENT_FORMAT_LOST, how many were lost; that is 0 without. */
struct event_slot_count {
	uint64_t value, id, lost;
};
bool event_slot_read(int fd, struct event_slot_count *ret);

/* Ask for the id of slot->fd and note it. */
bool event_slot_learn(struct event_slot *slot);
/* From now on the event `id` may write to the ring. False: the ring has had too many. */
bool event_slot_admit(struct event_slot *slot, uint64_t id);
void event_slot_watch(struct event_judge *judge, uint64_t id);

/* Note what cannot be; the first stays. */
void event_judge_wrong(struct event_judge *judge, const char *what, uint64_t got, uint64_t wanted);

/* Judge what lies in the ring. */
void event_slot_drain(struct event_slot *slot, struct event_judge *judge);
/* Close it, the ring before the event or behind it: two ways through the kernel. */
void event_slot_close(struct event_slot *slot, bool ring_first);

#endif
