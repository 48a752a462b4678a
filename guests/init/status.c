// SPDX-License-Identifier: GPL-2.0-or-later
/* The status page and the threads that beat in it: see status.h. */
#include "status.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_PFN ((1ull << 55) - 1)
#define BEAT_PRIORITY 50

static struct wire_status *page;

static void nonce_parse(const char *hex)
{
	for (int i = 0; hex && i < WIRE_NONCE_LEN; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return;
		page->nonce[i] = byte;
	}
}

int status_init(unsigned ncpus, const char *nonce_hex)
{
	void *p = mmap(NULL, WIRE_STATUS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	memset(p, 0, WIRE_STATUS_SIZE);
	/* mlock() alone does not keep a page where it is. */
	file_write("/proc/sys/vm/compact_unevictable_allowed", "0\n");
	mlock(p, WIRE_STATUS_SIZE);
	page = p;
	if (nonce_hex && strlen(nonce_hex) >= 2 * WIRE_NONCE_LEN)
		nonce_parse(nonce_hex);
	page->version = WIRE_VERSION;
	page->ncpus = ncpus > WIRE_CPUS_MAX ? WIRE_CPUS_MAX : ncpus;
	__atomic_store_n(&page->magic, WIRE_STATUS_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

struct wire_status *status_page(void)
{
	return page;
}

static bool is_parked(unsigned cpu)
{
	return __atomic_load_n(&page->parked[cpu / 64], __ATOMIC_SEQ_CST) >> cpu % 64 & 1;
}

/*
 * Our CPU is about to go offline. Below 5.11 a real-time thread that may run anywhere can be pulled
 * onto a CPU that is on its way out, and lost there: so be pinned elsewhere before it goes. The
 * order (last_ns, then parked; who parks does it the other way round) lets nobody take an old zero
 * for an answer.
 */
static void step_aside(struct wire_cpu *cpu, unsigned self)
{
	while (is_parked(self)) {
		if (!cpu_pin(0))
			__atomic_store_n(&cpu->last_ns, 0, __ATOMIC_SEQ_CST);
		sleep_ms(WIRE_BEAT_MS);
	}
}

static void *beat(void *arg)
{
	struct wire_cpu *cpu = arg;
	struct sched_param fifo = { .sched_priority = BEAT_PRIORITY };
	unsigned self = cpu - page->cpu;

	cpu_pin(self);
	/* Refused is fine: then it beats as a fair task. */
	sched_setscheduler(0, SCHED_FIFO, &fifo);
	for (;;) {
		__atomic_store_n(&cpu->last_ns, clock_ns(), __ATOMIC_SEQ_CST);
		if (is_parked(self)) {
			step_aside(cpu, self);
			continue;
		}
		/* A beat on another CPU proves nothing about ours. */
		if (sched_getcpu() == (int)self || !cpu_pin(self))
			__atomic_store_n(&cpu->beats, cpu->beats + 1, __ATOMIC_RELAXED);
		sleep_ms(WIRE_BEAT_MS);
	}
	return NULL;
}

void status_beat_start(void)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 4 * PTHREAD_STACK_MIN);
	for (unsigned i = 0; i < page->ncpus; i++)
		pthread_create(&t, &attr, beat, &page->cpu[i]);
	pthread_attr_destroy(&attr);
}

uint64_t status_phys(void)
{
	long size = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;
	off_t at = (uintptr_t)page / size * sizeof(entry);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry) || !(entry & PAGEMAP_PRESENT))
		entry = 0;
	close(fd);
	return (entry & PAGEMAP_PFN) * size;
}

void status_phase(enum wire_phase phase)
{
	__atomic_store_n(&page->phase, phase, __ATOMIC_RELAXED);
}
