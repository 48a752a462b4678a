// SPDX-License-Identifier: GPL-2.0-or-later
/* perf events and rings that live apart: see event_ring.h. */
#include "probes/lib/event_ring.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define CLOEXEC_SINCE 3014

int event_open(const struct perf_event_attr *attr, int pid, int cpu, int group_fd)
{
	unsigned flags = kernel_version() < CLOEXEC_SINCE ? 0 : PERF_FLAG_FD_CLOEXEC;
	int fd = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, flags);

	return fd < 0 ? -errno : fd;
}

int64_t event_tracepoint(const char *name)
{
	const char *root = tracefs_root();
	char path[256];
	uint64_t id;
	int err;

	if (!root)
		return -ENOENT;
	text_format(path, sizeof(path), "%s/events/%s/id", root, name);
	err = file_read_u64(path, &id);
	return err ? err : (int64_t)id;
}

int event_ring_map(struct event_ring *ring, int fd, unsigned order)
{
	size_t size = (size_t)PAGE_BYTES << order;
	void *p = mmap(NULL, PAGE_BYTES + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ring = (struct event_ring){ .page = p,
				     .data = (unsigned char *)p + PAGE_BYTES,
				     .size = size };
	return 0;
}

void event_ring_unmap(struct event_ring *ring)
{
	if (ring->page)
		munmap(ring->page, PAGE_BYTES + ring->size);
	*ring = (struct event_ring){ 0 };
}

static void ring_copy(const struct event_ring *ring, uint64_t at, void *buf, size_t len)
{
	size_t from = at & (ring->size - 1);
	size_t first = len < ring->size - from ? len : ring->size - from;

	memcpy(buf, ring->data + from, first);
	memcpy((char *)buf + first, ring->data, len - first);
}

int event_ring_next(struct event_ring *ring, void *buf)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;
	struct perf_event_header header;

	if (head == tail)
		return 0;
	if (head - tail > ring->size || head - tail < sizeof(header))
		return -EBADMSG;
	ring_copy(ring, tail, &header, sizeof(header));
	if (header.size < sizeof(header) || header.size % 8 || header.size > head - tail)
		return -EBADMSG;
	ring_copy(ring, tail, buf, header.size);
	__atomic_store_n(&ring->page->data_tail, tail + header.size, __ATOMIC_RELEASE);
	return header.size;
}
