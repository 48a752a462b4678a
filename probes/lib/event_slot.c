// SPDX-License-Identifier: GPL-2.0-or-later
/* Events with shared rings, and what may lie in them: see event_slot.h. */
#include "probes/lib/event_slot.h"
#include "probes/lib/perf_sample.h"

#include <string.h>
#include <unistd.h>

#define DRAIN_MAX 256 /* records at once */
#define LOST_SIZE 24  /* of a record of lost ones */
#define TYPE_MAX 63   /* of records: three times as many as there are */
#define WATCHED (sizeof(((struct event_judge *)0)->watched_ids) / sizeof(uint64_t))

struct perf_event_attr event_slot_attr(uint64_t read_format, unsigned stack_bytes)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.size = PERF_ATTR_SIZE_VER3,
		.sample_type = PERF_SAMPLE_WHOLE,
		.sample_regs_user = PERF_SAMPLE_REGS,
		.sample_stack_user = stack_bytes,
		.sample_period = 1,
		.read_format = read_format,
	};
}

bool event_slot_read(int fd, struct event_slot_count *ret)
{
	*ret = (struct event_slot_count){ 0 };
	return read(fd, ret, sizeof(*ret)) >= (ssize_t)(2 * sizeof(uint64_t));
}

bool event_slot_admit(struct event_slot *slot, uint64_t id)
{
	if (slot->ids_len == EVENT_SLOT_IDS)
		return false;
	slot->ids[slot->ids_len++] = id;
	return true;
}

bool event_slot_learn(struct event_slot *slot)
{
	struct event_slot_count c;

	if (!event_slot_read(slot->fd, &c))
		return false;
	slot->id = c.id;
	return event_slot_admit(slot, c.id);
}

void event_slot_watch(struct event_judge *judge, uint64_t id)
{
	judge->watched_ids[judge->watched_at++ % WATCHED] = id;
}

static void bump(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

void event_judge_wrong(struct event_judge *judge, const char *what, uint64_t got, uint64_t wanted)
{
	if (judge->wrong)
		return;
	judge->wrong = what;
	judge->got = got;
	judge->wanted = wanted;
}

static bool id_among(const uint64_t *ids, unsigned n, uint64_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Ids count up over the life of the kernel: that of a new event is the largest. */
static uint64_t id_newest(void)
{
	struct perf_event_attr attr = event_slot_attr(PERF_FORMAT_ID, 64);
	struct event_slot_count c;
	uint64_t id = UINT64_MAX; /* unknown */
	int fd;

	attr.config = PERF_COUNT_SW_DUMMY;
	fd = event_open(&attr, 0, -1, -1);
	if (fd < 0)
		return id;
	if (event_slot_read(fd, &c))
		id = c.id;
	close(fd);
	return id;
}

/*
 * Is it the id of an event whose records may lie in the ring? Since perf remembers which fields of
 * a sample it has filled (about 6.2), a second software event that sees the same moment keeps the
 * id that was filled in for the first; tracepoints were cured by 1d953111b648 (6.4), software
 * events do it in 6.12 and 7.2. So that is counted; only the id of no event at all is judged.
 */
static bool id_judge(struct event_judge *judge, const struct event_slot *slot, uint64_t id)
{
	if (id_among(slot->ids, slot->ids_len, id))
		return true;
	bump(&judge->mixed, 1);
	if (!id || id > id_newest())
		event_judge_wrong(judge, "a record with the id of no event", id, slot->id);
	return false;
}

static void sample_judge(struct event_judge *judge, const struct event_slot *slot)
{
	const struct perf_event_header *header = judge->record;
	struct perf_sample s;
	const char *bad = perf_sample_parse(judge->record, &s);

	bump(&judge->samples, 1);
	if (bad) {
		event_judge_wrong(judge, bad, header->size, s.id);
		return;
	}
	if (id_judge(judge, slot, s.id) &&
	    (s.cpu >= judge->ncpus || (slot->cpu >= 0 && s.cpu != (unsigned)slot->cpu)))
		event_judge_wrong(judge, "a sample of another CPU than its event's", s.cpu,
				  slot->cpu);
	if (id_among(judge->watched_ids, WATCHED, s.id))
		bump(&judge->watched, 1);
}

static void lost_judge(struct event_judge *judge, const struct event_slot *slot)
{
	const struct perf_event_header *header = judge->record;
	const uint64_t *words = (const uint64_t *)(header + 1);

	if (header->size != LOST_SIZE) {
		event_judge_wrong(judge, "a record of lost samples with a wrong size", header->size,
				  LOST_SIZE);
		return;
	}
	id_judge(judge, slot, words[0]);
	bump(&judge->lost, words[1]);
}

static void record_judge(struct event_judge *judge, const struct event_slot *slot)
{
	const struct perf_event_header *header = judge->record;

	if (header->type == PERF_RECORD_SAMPLE) {
		sample_judge(judge, slot);
	} else if (header->type == PERF_RECORD_LOST) {
		lost_judge(judge, slot);
	} else {
		if (!header->type || header->type > TYPE_MAX)
			event_judge_wrong(judge, "a record of an unknown type", header->type,
					  header->size);
		bump(&judge->others, 1);
	}
}

void event_slot_drain(struct event_slot *slot, struct event_judge *judge)
{
	int n = 1;

	for (int i = 0; i < DRAIN_MAX && slot->ring.page; i++) {
		n = event_ring_next(&slot->ring, judge->record);
		if (n <= 0)
			break;
		record_judge(judge, slot);
	}
	if (n >= 0)
		return;
	event_judge_wrong(judge, "a ring that holds no whole record", slot->ring.page->data_head,
			  slot->ring.page->data_tail);
	event_ring_unmap(&slot->ring);
}

void event_slot_close(struct event_slot *slot, bool ring_first)
{
	if (ring_first)
		event_ring_unmap(&slot->ring);
	close(slot->fd);
	event_ring_unmap(&slot->ring);
	*slot = (struct event_slot){ .fd = -1 };
}
