// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adds to one counter from all CPUs, and counts what is missing. It measures what delays are worth:
 * on a kernel that loses updates now and then (guests/controls/eventfd-lost-update.cocci), how much
 * more is lost with them. Sound kernels lose nothing.
 *
 * The counter is an eventfd: each write(2) adds to it under a lock. Between two writes a CPU works in
 * user space, so that writers seldom meet by themselves. Several times a second they pause, and the
 * counter must hold what was written.
 */
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROUND_MS 200
#define BURST 32 /* writes between two looks at the clock, which may cost more than they */
#define WORK 10000

enum counter { COUNT_INCREMENTS, COUNT_LOST };

static struct {
	int fd;
	pthread_barrier_t meeting; /* of all workers */
	uint64_t round_ends_ns;
	bool over;
	uint64_t written, read; /* as of the last pause */
	struct {
		uint64_t writes;
	} __attribute__((aligned(64))) writer[WIRE_CPUS_MAX];
} state;

static void work(unsigned loops)
{
	while (loops--)
		__asm__ volatile("" ::: "memory");
}

static void write_for_a_round(const struct probe_run *run, unsigned cpu)
{
	const uint64_t one = 1;
	unsigned loops = probe_param(run, 0, WORK);

	do {
		for (unsigned i = 0; i < BURST && !probe_stopped(run); i++) {
			if (write(state.fd, &one, sizeof(one)) == sizeof(one))
				state.writer[cpu].writes++;
			work(loops);
		}
	} while (!probe_stopped(run) && clock_ns() < state.round_ends_ns);
}

/* Nobody writes now. */
static void settle(const struct probe_run *run)
{
	uint64_t written = 0, value;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		written += state.writer[cpu].writes;
	if (read(state.fd, &value, sizeof(value)) == sizeof(value))
		__atomic_store_n(&state.read, state.read + value, __ATOMIC_RELAXED);
	__atomic_store_n(&state.written, written, __ATOMIC_RELAXED);
	state.over = probe_stopped(run);
	state.round_ends_ns = clock_ns() + ROUND_MS * 1000000ull;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	do {
		write_for_a_round(run, cpu);
		pthread_barrier_wait(&state.meeting);
		if (!cpu)
			settle(run);
		pthread_barrier_wait(&state.meeting);
	} while (!state.over);
}

static enum probe_result setup(struct probe_run *run)
{
	int err = pthread_barrier_init(&state.meeting, NULL, run->ncpus);

	if (err)
		return probe_error(run, "no barrier for %u workers: %s", run->ncpus, strerror(err));
	state.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (state.fd < 0)
		return probe_skip(run, "CONFIG_EVENTFD is off: eventfd says '%s'", strerror(errno));
	run->rung = "eventfd";
	return PROBE_PASS;
}

/* A sample between the two stores of a pause may find more read than written. */
static void sample(struct probe_run *run)
{
	uint64_t written = __atomic_load_n(&state.written, __ATOMIC_RELAXED);
	uint64_t read = __atomic_load_n(&state.read, __ATOMIC_RELAXED);

	probe_count(run, COUNT_INCREMENTS, written);
	probe_count(run, COUNT_LOST, written > read ? written - read : 0);
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	if (state.read > state.written)
		return probe_fail(run, FAIL_CORRUPTION "the counter held %llu, %llu were written",
				  (unsigned long long)state.read,
				  (unsigned long long)state.written);
	if (state.read < state.written)
		return probe_fail(run, FAIL_LOST_EVENTS "lost %llu of %llu increments",
				  (unsigned long long)(state.written - state.read),
				  (unsigned long long)state.written);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	if (state.fd > 0)
		close(state.fd);
}

PROBE(shared_counter) = {
	.name = "shared-counter",
	.summary = "all CPUs add to one counter: measures amplification, on a kernel made for that",
	.kconfig = LIST("CONFIG_EVENTFD=y"),
	.amplify = LIST("eventfd_add"),
	.counters = LIST("increments", "lost"),
	.params = PARAMS({ "work", "loops in user space between two writes (10000)", 1, 1000000 }),
	.min_cpus = 2,
	.duration_s = 15,
	.by_name = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
