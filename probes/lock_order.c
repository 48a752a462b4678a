// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two CPUs take two locks in opposite orders. It measures what delays are worth: on a kernel that takes
 * them as told (guests/controls/futex-lock-order.cocci), how soon the two deadlock. Sound kernels put
 * the locks in order first.
 *
 * The locks are those of two buckets of the futex hash; a requeue from one futex to another takes both,
 * though nobody waits there. Some words share a bucket, and then nothing can happen: another pair has
 * its turn every second.
 */
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 16
#define PAIR_NS 1000000000ull
#define PAUSE_US 10000
#define PHASE_LOOPS 1000000 /* a few ms in an emulator */

static struct {
	uint32_t word[PAIRS][2];
	struct {
		uint64_t requeues;
	} __attribute__((aligned(64))) cpu[WIRE_CPUS_MAX];
} state;

static long requeue(uint32_t *from, uint32_t *to)
{
	return syscall(SYS_futex, from, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 1l, to, 0);
}

/* Half as long to half as long again: who pauses alike never meets. A young kernel's timers fire at
 * ticks, which all CPUs have at once: without the work, these two would meet at nearly each. */
static void rest(uint64_t *rand, unsigned us)
{
	uint64_t ns = (us / 2 + rand_next(rand) % us) * 1000ull;
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	nanosleep(&ts, NULL);
	for (unsigned loops = rand_next(rand) % PHASE_LOOPS; loops; loops--)
		__asm__ volatile("" ::: "memory");
}

/* The last two CPUs: the first one has the guest's interrupts. */
static void worker(struct probe_run *run, unsigned cpu)
{
	unsigned side = cpu % 2, us = probe_param(run, 0, PAUSE_US);
	uint64_t rand = (run->seed + cpu) * 2 + 1;

	while (cpu + 2 >= run->ncpus && !probe_stopped(run)) {
		uint32_t *pair = state.word[clock_ns() / PAIR_NS % PAIRS];

		requeue(&pair[side], &pair[!side]);
		__atomic_store_n(&state.cpu[cpu].requeues, state.cpu[cpu].requeues + 1,
				 __ATOMIC_RELAXED);
		rest(&rand, us);
	}
}

static enum probe_result setup(struct probe_run *run)
{
	if (requeue(&state.word[0][0], &state.word[0][1]) < 0)
		return probe_skip(run, "CONFIG_FUTEX is off: a requeue says '%s'", strerror(errno));
	run->rung = "futex";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		sum += __atomic_load_n(&state.cpu[cpu].requeues, __ATOMIC_RELAXED);
	probe_count(run, 0, sum);
}

PROBE(lock_order) = {
	.name = "lock-order",
	.summary = "two CPUs take two locks crosswise: measures amplification, on a kernel made for that",
	.kconfig = LIST("CONFIG_FUTEX=y"),
	.amplify = LIST("double_lock_hb", "futex_requeue"),
	.counters = LIST("requeues"),
	.params = PARAMS({ "pause", "us between two requeues of a CPU (10000)", 1, 1000000 }),
	.min_cpus = 2,
	.duration_s = 30,
	.by_name = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
};
