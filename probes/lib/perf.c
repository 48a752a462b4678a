// SPDX-License-Identifier: GPL-2.0-or-later
/* perf events and their rings: see perf.h. */
#include "probes/lib/perf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORD_MAX 65536

int perf_open(struct perf_event_attr *attr, int pid, int cpu)
{
	int fd;

	/* Kernels refuse a longer record than theirs unless its tail is zero; 3.10 knows VER3. */
	attr->size = PERF_ATTR_SIZE_VER3;
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 && errno == EINVAL) /* the flag came with 3.14 */
		fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, 0);
	return fd < 0 ? -errno : fd;
}

int perf_ring_map(struct perf_ring *ring, int fd, unsigned pages)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *base = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err;

	*ring = (struct perf_ring){ .fd = fd, .size = pages * page };
	ring->record = malloc(RECORD_MAX);
	if (base != MAP_FAILED && ring->record) {
		ring->page = base;
		return 0;
	}
	err = base == MAP_FAILED ? -errno : -ENOMEM;
	if (base != MAP_FAILED)
		munmap(base, (pages + 1) * page);
	perf_ring_close(ring);
	return err;
}

/* The record at a position of the stream, put together if it wraps; NULL if none can be there. */
static const struct perf_event_header *record_at(struct perf_ring *ring, uint64_t tail,
						 uint64_t head)
{
	const char *data = (const char *)ring->page + sysconf(_SC_PAGESIZE);
	size_t at = tail & (ring->size - 1), first;
	/* Records are multiples of 8 bytes: a header never wraps. */
	const struct perf_event_header *h = (const void *)(data + at);

	if (h->size < sizeof(*h) || h->size % 8 || h->size > head - tail)
		return NULL;
	if (at + h->size <= ring->size)
		return h;
	first = ring->size - at;
	memcpy(ring->record, h, first);
	memcpy(ring->record + first, data, h->size - first);
	return (const void *)ring->record;
}

static uint64_t lost_count(const struct perf_event_header *h)
{
	struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} record;

	if (h->type != PERF_RECORD_LOST || h->size < sizeof(record))
		return 0;
	memcpy(&record, h, sizeof(record));
	return record.lost;
}

void perf_ring_drain(struct perf_ring *ring,
		     void (*take)(void *ctx, const struct perf_event_header *record), void *ctx)
{
	uint64_t head, tail;

	if (!ring->page)
		return;
	head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	tail = ring->page->data_tail;
	while (tail < head) {
		const struct perf_event_header *h = record_at(ring, tail, head);

		if (!h) {
			ring->torn++;
			tail = head;
			break;
		}
		ring->lost += lost_count(h);
		take(ctx, h);
		tail += h->size;
	}
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

void perf_ring_close(struct perf_ring *ring)
{
	if (ring->page)
		munmap(ring->page, ring->size + sysconf(_SC_PAGESIZE));
	free(ring->record);
	if (ring->fd >= 0)
		close(ring->fd);
	*ring = PERF_RING_NONE;
}
