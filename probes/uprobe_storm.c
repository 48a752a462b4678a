// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hits user probes from all CPUs while they are armed and disarmed.
 *
 * A program of known functions (lib/target.h) is called by threads, by forked children, by children
 * that execute it, from signal handlers, through fresh mappings that are protected and unmapped, by
 * children under seccomp (6.11 to 6.14 returned from a uretprobe by a system call that seccomp
 * killed), by children that are killed, that exit or jump out of probed functions. Meanwhile a
 * thread on each CPU arms and disarms probes and return probes: some for one CPU, some for a thread
 * or for its children too. A slow sampler of user stacks walks what the return probes leave on
 * them.
 *
 * Functions must return what they return without probes, with all registers unharmed; nobody may
 * die; and probes that stay armed must count each call.
 */
#include "probes/lib/dynprobe.h"
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/storm.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 12 /* probes that come and go, a CPU */
#define SLOTS 3
#define NAP_US 2000 /* at most, between two flips */
#define SAMPLE_HZ 97

enum counter { COUNT_FLIPS_HIT, COUNT_FLIPS, COUNT_CALLS, COUNT_CHILDREN, COUNT_SIGNALS };

/* Probes that stay. All calls of these functions of page 1 are counted by the caller. */
static const struct {
	enum target_fn fn;
	unsigned delta;
	bool ret;
} standing[] = {
	{ TARGET_NOP, 0, false },
	{ TARGET_NOP5, 0, false },
	{ TARGET_PUSH, 0, false },
	{ TARGET_RECURSE, 0, false },
	{ TARGET_NOP5, 0, true },
	{ TARGET_PUSH, 0, true },
	{ TARGET_RECURSE, 0, true },
	{ TARGET_RIP, 0, false },
	{ TARGET_JCC, TARGET_JCC_FIRST, false },
};
#define STANDING (sizeof(standing) / sizeof(*standing))

/* One a CPU, its flipper's. */
struct seat {
	uint64_t rand, flips, flips_hit, failed;
	int fd[SLOTS_MAX]; /* PMU: the event, or -1; tracefs: the switch */
	bool on[SLOTS_MAX];
} __attribute__((aligned(64)));

static struct {
	struct probe_run *run;
	struct seat seats[WIRE_CPUS_MAX];
	unsigned slots; /* in use, a CPU */
	int pmu; /* negative: none */
	bool stands[STANDING];
	int count_fd[STANDING][WIRE_CPUS_MAX];
	int sampler_fd[WIRE_CPUS_MAX];
} state;

#define COUNT(what) __atomic_store_n(&(what), (what) + 1, __ATOMIC_RELAXED)

/* Sites of page 1 only where a probe stays: its text must not flip under all CPUs, for which an
 * emulator is not sound enough (text_poke.c). */
static struct dyn_site site_random(uint64_t *rand)
{
	uint64_t r = rand_next(rand);
	struct dyn_site site = { .kind = DYN_UPROBE, .target = STORM_FILE, .ret = r & 1 };
	unsigned i = (r >> 8) % STANDING, jcc = (r >> 16) % TARGET_JCCS;
	enum target_fn fn = (r >> 24) % TARGET__COUNT;

	if ((r >> 40) % 3 == 0) {
		site.offset = target_offset(1, standing[i].fn) + standing[i].delta;
		site.ret = site.ret && !standing[i].delta;
		return site;
	}
	site.offset = target_offset(2 + (r >> 48) % (STORM_PAGES - 1), fn);
	if (fn == TARGET_JCC && (r >> 41) % 4) {
		site.offset += TARGET_JCC_FIRST + jcc * TARGET_JCC_STEP;
		site.ret = false;
	}
	return site;
}

static struct dyn_scope scope_random(uint64_t *rand)
{
	uint64_t r = rand_next(rand);

	if (r % 2)
		return (struct dyn_scope){ .pid = -1, .cpu = (r >> 8) % state.run->ncpus };
	/* A thread that is gone is 0: this one, which hits nothing. */
	return (struct dyn_scope){
		.pid = storm_tid((r >> 8) % state.run->ncpus),
		.cpu = -1,
		.inherit = (r >> 20) % 2,
	};
}

static int slot_flip(struct seat *seat, unsigned slot)
{
	int *fd = &seat->fd[slot];
	struct dyn_site site;

	if (state.pmu < 0)
		return pwrite(*fd, seat->on[slot] ? "0\n" : "1\n", 2, 0) == 2 ? 0 : -EIO;
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	site = site_random(&seat->rand);
	*fd = dyn_perf_open(state.pmu, &site, scope_random(&seat->rand));
	return *fd < 0 ? *fd : 0;
}

static void flip_once(struct seat *seat)
{
	unsigned slot = rand_next(&seat->rand) % state.slots;
	uint64_t before = storm_total(STORM_CALLS);

	if (slot_flip(seat, slot)) {
		COUNT(seat->failed);
		return;
	}
	seat->on[slot] = !seat->on[slot];
	COUNT(seat->flips);
	if (storm_total(STORM_CALLS) != before)
		COUNT(seat->flips_hit);
}

/* A thread of its own: arming waits for RCU, and who waits does not hit. */
static void *flipper_main(void *arg)
{
	struct seat *seat = arg;
	struct timespec nap = { 0 };

	while (!probe_stopped(state.run)) {
		flip_once(seat);
		nap.tv_nsec = rand_next(&seat->rand) % NAP_US * 1000;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct seat *seat = &state.seats[cpu];
	pthread_t flipper;
	bool flips;

	seat->rand = ~(run->seed + cpu) * 2 + 1;
	flips = !pthread_create(&flipper, NULL, flipper_main, seat);
	storm_run(run, cpu);
	if (flips)
		pthread_join(flipper, NULL);
}

static void standing_disarm(struct probe_run *run, unsigned i)
{
	char name[16];

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		if (state.count_fd[i][cpu] > 0)
			close(state.count_fd[i][cpu]);
	text_format(name, sizeof(name), "stay%u", i);
	dyn_event_remove(name, DYN_UPROBE);
}

static int standing_arm_one(struct probe_run *run, unsigned i)
{
	struct dyn_site site = {
		.kind = DYN_UPROBE,
		.target = STORM_FILE,
		.ret = standing[i].ret,
		.offset = target_offset(1, standing[i].fn) + standing[i].delta,
	};
	char name[16];
	int err;

	text_format(name, sizeof(name), "stay%u", i);
	err = dyn_event_define(name, &site);
	for (unsigned cpu = 0; !err && cpu < run->ncpus; cpu++) {
		state.count_fd[i][cpu] = dyn_event_count(name, cpu);
		if (state.count_fd[i][cpu] < 0)
			err = state.count_fd[i][cpu];
	}
	return err;
}

/* Old kernels refuse some instructions. */
static enum probe_result standing_arm(struct probe_run *run)
{
	unsigned n = 0;
	int err = 0;

	for (unsigned i = 0; i < STANDING; i++) {
		int e = standing_arm_one(run, i);

		state.stands[i] = !e;
		n += !e;
		if (!e)
			continue;
		err = e;
		standing_disarm(run, i);
		run->limits[2] = "the kernel refuses user probes at some of the instructions";
	}
	if (!n)
		return probe_skip(run,
				  "CONFIG_UPROBES or CONFIG_PERF_EVENTS is off: no user probe "
				  "is counted, '%s'",
				  strerror(-err));
	return PROBE_PASS;
}

/* Without the PMU each slot is an event of tracefs that is switched. */
static void slots_make(struct probe_run *run)
{
	uint64_t rand = run->seed * 2 + 1;
	char name[16];

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		for (unsigned i = 0; i < state.slots; i++) {
			struct dyn_site site = site_random(&rand);

			state.seats[cpu].fd[i] = -1;
			text_format(name, sizeof(name), "go%u_%u", cpu, i);
			if (state.pmu < 0 && !dyn_event_define(name, &site))
				state.seats[cpu].fd[i] = dyn_event_switch(name);
		}
}

/* Walks user stacks, also where return probes changed them (the kernel undoes that since 6.12). */
static void samplers_open(struct probe_run *run)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = SAMPLE_HZ,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN,
	};

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		state.sampler_fd[cpu] = perf_open(&attr, -1, cpu);
		if (state.sampler_fd[cpu] < 0)
			run->limits[1] = "no perf clock: user stacks are not sampled";
	}
}

static enum probe_result setup(struct probe_run *run)
{
	struct rlimit files = { 8192, 8192 };
	enum probe_result r;
	int err;

	state.run = run;
	state.slots = probe_param(run, 0, SLOTS);
	setrlimit(RLIMIT_NOFILE, &files);
	if (!tracefs_root())
		return probe_skip(run, "CONFIG_FTRACE is off: no tracefs");
	tracefs_write("tracing_on", "0\n");         /* the hits count, not their records */
	tracefs_write("options/record-cmd", "0\n"); /* or each event patches the scheduler */
	if (tracefs_write("uprobe_events", "\n") == -ENOENT)
		return probe_skip(run, "CONFIG_UPROBE_EVENTS (CONFIG_UPROBE_EVENT below 4.11) is "
				       "off: no 'uprobe_events'");
	state.pmu = dyn_pmu_type(DYN_UPROBE);
	run->rung = state.pmu < 0 ? "tracefs" : "perf";
	err = storm_make(run->ncpus);
	if (err)
		return probe_error(run, "no target in a ramfs: '%s'", strerror(-err));
	run->limits[0] = storm_missing();
	r = standing_arm(run);
	if (r != PROBE_PASS)
		return r;
	slots_make(run);
	samplers_open(run);
	return PROBE_PASS;
}

static uint64_t total(size_t field)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < state.run->ncpus; i++)
		sum += __atomic_load_n((uint64_t *)((char *)&state.seats[i] + field),
				       __ATOMIC_RELAXED);
	return sum;
}

static void sample(struct probe_run *run)
{
	probe_count(run, COUNT_FLIPS_HIT, total(offsetof(struct seat, flips_hit)));
	probe_count(run, COUNT_FLIPS, total(offsetof(struct seat, flips)));
	probe_count(run, COUNT_CALLS, storm_total(STORM_CALLS));
	probe_count(run, COUNT_CHILDREN, storm_total(STORM_CHILDREN));
	probe_count(run, COUNT_SIGNALS, storm_total(STORM_SIGNALS));
}

static enum probe_result standing_check(struct probe_run *run, unsigned i)
{
	uint64_t calls = storm_counted(standing[i].fn), hits = 0, n;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		if (read(state.count_fd[i][cpu], &n, sizeof(n)) != sizeof(n))
			return probe_error(run, "a counter of hits cannot be read");
		hits += n;
	}
	if (hits != calls)
		return probe_fail(run,
				  FAIL_LOST_EVENTS "%llu calls of function %d, but %llu hits of "
						   "its %s probe",
				  (unsigned long long)calls, standing[i].fn,
				  (unsigned long long)hits, standing[i].ret ? "return" : "entry");
	return PROBE_PASS;
}

static enum probe_result check(struct probe_run *run)
{
	unsigned long long failed = total(offsetof(struct seat, failed));
	enum probe_result r = PROBE_PASS;
	bool killed = false;
	const char *wreck = storm_wrecked(&killed);

	sample(run);
	probe_note("%llu flips and %llu forks failed", failed,
		   (unsigned long long)storm_total(STORM_FORKS_FAILED));
	if (wreck)
		return probe_fail(run, "%s%s", killed ? FAIL_KILLED_TASK : FAIL_CORRUPTION, wreck);
	if (storm_total(STORM_CHILDREN_LOST))
		return probe_error(run,
				   "the guest has too little memory: the kernel killed %llu "
				   "targets for it",
				   (unsigned long long)storm_total(STORM_CHILDREN_LOST));
	for (unsigned i = 0; i < STANDING && r == PROBE_PASS; i++)
		if (state.stands[i])
			r = standing_check(run, i);
	if (r == PROBE_PASS && !total(offsetof(struct seat, flips)))
		return probe_error(run, "no probe could be armed, %llu tries", failed);
	return r;
}

static void teardown(struct probe_run *run)
{
	char name[16];

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		for (unsigned i = 0; i < state.slots; i++) {
			if (state.seats[cpu].fd[i] > 0 && state.pmu < 0)
				pwrite(state.seats[cpu].fd[i], "0\n", 2, 0);
			if (state.seats[cpu].fd[i] > 0)
				close(state.seats[cpu].fd[i]);
			text_format(name, sizeof(name), "go%u_%u", cpu, i);
			dyn_event_remove(name, DYN_UPROBE);
		}
		if (state.sampler_fd[cpu] > 0)
			close(state.sampler_fd[cpu]);
	}
	for (unsigned i = 0; i < STANDING; i++)
		if (state.stands[i])
			standing_disarm(run, i);
	storm_destroy();
}

PROBE(uprobe_storm) = {
	.name = "uprobe-storm",
	.summary =
		"user probes are armed and disarmed while threads, children and signals hit them",
	.hazards = LIST("uretprobe-seccomp-kill", "uprobe-callchain-uaf", "uretprobe-fork-kill",
			"uretprobe-longjmp"),
	.kconfig = LIST("CONFIG_UPROBES=y"),
	.amplify = LIST("find_uprobe*", "handle_swbp", "register_for_each_vma",
			"uprobe_write_opcode", "uprobe_free_utask", "prepare_uretprobe",
			"uprobe_munmap", "free_ret_instance*", "put_uprobe", "__update_ref_ctr"),
	.counters = LIST("flips-while-hit", "flips", "calls", "children", "signals"),
	.params = PARAMS({ "slots", "user probes that come and go, a CPU (3)", 1, SLOTS_MAX }),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
