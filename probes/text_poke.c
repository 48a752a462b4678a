// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Takes kernel int3 traps on all CPUs but one while that one patches kernel code.
 *
 * x86 patches live code by putting an int3 over it first. Any int3, also one that is not being
 * patched, asks poke_int3_handler() whether it belongs to the patch under way; 5.3 to 5.5 let that
 * handler read a list that was being taken away, 5.6 to 5.19 let it take a reference to one that
 * was gone. The trap is a kprobe behind the entry of getppid (at the entry it would be an ftrace
 * call), kept from being optimised into a jump. The patches are static keys, switched in every way
 * that user space has, and kprobes armed and disarmed.
 *
 * A call of getppid must be one hit or one reported miss.
 */
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRIAL_CALLS 32
#define TRAP_BURST 64             /* calls between two naps */
#define TRAP_NAP_US 1000          /* at most */
#define COUNTS_PER_CPU_SINCE 4012 /* kprobe hits were one plain counter for all CPUs before */

enum counter { COUNT_TRAPPING, COUNT_POKES, COUNT_TRAPS };

enum poke_kind { POKE_SCHEDSTATS, POKE_PERF, POKE_TRACEPOINT, POKE_KPROBE, POKE__COUNT };

/*
 * How often each kind is chosen. Nearly always perf's key: it is the fastest, and its one site is
 * cold. Sites that all CPUs run all the time, as the dozens of schedstats, are what an emulator
 * gets wrong: clean kernels of 6.12 and 7.2 under QEMU 10.0.2 oopsed there, on an int3 that memory
 * did not hold any more (a block translated while another vCPU wrote is kept). So schedstats is the
 * last resort of kernels without perf events. Tracepoint and kprobe take other ways through the
 * patching code.
 */
static const unsigned poke_weight[POKE__COUNT] = { 1, 120, 6, 2 };

static struct {
	struct kprobe_site trap, other;
	int fd[POKE__COUNT]; /* -1: not there; perf's is the open event */
	bool can[POKE__COUNT];
	bool on[POKE__COUNT];
	unsigned poker; /* the CPU that patches */
	struct {
		uint64_t calls;
	} __attribute__((aligned(64))) trapper[WIRE_CPUS_MAX];
	uint64_t pokes, trapping, failed;
	struct kprobe_counts before;
} state = { .trap = { .name = "trap" }, .other = { .name = "other" } };

static uint64_t calls_total(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
		sum += __atomic_load_n(&state.trapper[cpu].calls, __ATOMIC_RELAXED);
	return sum;
}

static int perf_flip(bool on)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
	};

	if (!on) {
		close(state.fd[POKE_PERF]);
		state.fd[POKE_PERF] = -1;
		return 0;
	}
	/* A CPU's event: a task's would also switch perf's key in the scheduler, a hot site. */
	state.fd[POKE_PERF] = perf_open(&attr, -1, state.poker);
	return state.fd[POKE_PERF] < 0 ? state.fd[POKE_PERF] : 0;
}

static int poke_flip(enum poke_kind kind, bool on)
{
	if (kind == POKE_PERF)
		return perf_flip(on);
	return pwrite(state.fd[kind], on ? "1\n" : "0\n", 2, 0) == 2 ? 0 : -EIO;
}

/* One flip, counted as exposure if somebody trapped meanwhile. */
static void poke_once(enum poke_kind kind)
{
	uint64_t before = calls_total();

	if (poke_flip(kind, !state.on[kind])) {
		state.failed++;
		return;
	}
	state.on[kind] = !state.on[kind];
	__atomic_store_n(&state.pokes, state.pokes + 1, __ATOMIC_RELAXED);
	if (calls_total() != before)
		__atomic_store_n(&state.trapping, state.trapping + 1, __ATOMIC_RELAXED);
}

static enum poke_kind poke_choose(uint64_t *rand)
{
	unsigned sum = 0, at;

	for (int k = 0; k < POKE__COUNT; k++)
		sum += state.can[k] ? poke_weight[k] : 0;
	at = rand_next(rand) % sum;
	for (int k = 0;; k++) {
		unsigned weight = state.can[k] ? poke_weight[k] : 0;

		if (at < weight)
			return k;
		at -= weight;
	}
}

/* Where CPUs share fewer host CPUs, a poke waits for each trapper to get a host CPU and answer its
 * IPI; napping trappers answer at once. Measured: ten times the pokes for half the traps. */
static void nap_us(unsigned us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	uint64_t rand = (run->seed + cpu) * 2 + 1;
	int burst = probe_param(run, 0, TRAP_BURST);

	while (cpu == state.poker && !probe_stopped(run))
		poke_once(poke_choose(&rand));
	while (!probe_stopped(run)) {
		for (int i = 0; i < burst; i++) {
			syscall(SYS_getppid);
			__atomic_store_n(&state.trapper[cpu].calls, state.trapper[cpu].calls + 1,
					 __ATOMIC_RELAXED);
		}
		nap_us(rand_next(&rand) % TRAP_NAP_US);
	}
}

/* The site must be on the path of every call, exactly once. */
static bool trap_accepts(const struct kprobe_site *site)
{
	struct kprobe_counts a, b;

	if (kprobe_site_counts(site, &a))
		return false;
	for (int i = 0; i < TRIAL_CALLS; i++)
		syscall(SYS_getppid);
	return !kprobe_site_counts(site, &b) && b.hits - a.hits == TRIAL_CALLS;
}

static enum probe_result trap_setup(struct probe_run *run)
{
	static const char *const trap[] = { "__x64_sys_getppid", "__do_sys_getppid", "sys_getppid",
					    "SyS_getppid", NULL };
	static const char *const other[] = { "__x64_sys_getegid", "__do_sys_getegid", "sys_getegid",
					     "SyS_getegid", NULL };

	if (kprobe_missing())
		return probe_skip(run, "%s", kprobe_missing());
	tracefs_write("tracing_on", "0\n");         /* the hits count, not their records */
	tracefs_write("options/record-cmd", "0\n"); /* or each event patches the scheduler */
	file_write("/proc/sys/debug/kprobes-optimization", "0\n");
	if (kprobe_site_find(&state.trap, trap, trap_accepts))
		return probe_skip(run, "no kprobe: the kernel takes none behind getppid's entry");
	if (kprobe_site_find(&state.other, other, NULL))
		run->limits[0] = "no second kprobe: none is armed and disarmed";
	return PROBE_PASS;
}

static bool poke_works(enum poke_kind kind)
{
	return (kind == POKE_PERF || state.fd[kind] >= 0) && !poke_flip(kind, !state.on[kind]) &&
	       !poke_flip(kind, state.on[kind]);
}

static void pokes_setup(void)
{
	const char *file[POKE__COUNT] = { [POKE_TRACEPOINT] = "events/sched/sched_wait_task/enable",
					  [POKE_KPROBE] = "events/klab/other/enable" };

	for (int k = 0; k < POKE__COUNT; k++) {
		state.fd[k] = file[k] ? tracefs_open(file[k]) : -1;
		state.on[k] = k == POKE_KPROBE;
	}
	state.fd[POKE_SCHEDSTATS] = open("/proc/sys/kernel/sched_schedstats", O_WRONLY | O_CLOEXEC);
	/* Each is switched off and on once, so that a run does not find out late; perf's first, for
	 * where it works schedstats is left alone. */
	state.can[POKE_PERF] = poke_works(POKE_PERF);
	for (int k = 0; k < POKE__COUNT; k++)
		if (k != POKE_PERF && (k != POKE_SCHEDSTATS || !state.can[POKE_PERF]))
			state.can[k] = poke_works(k);
}

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r = trap_setup(run);

	if (r != PROBE_PASS)
		return r;
	state.poker = run->seed % run->ncpus;
	pokes_setup();
	if (!state.can[POKE_PERF] && !state.can[POKE_SCHEDSTATS] && !state.can[POKE_TRACEPOINT])
		return probe_skip(run, "no static key to switch: neither perf events "
				       "(CONFIG_PERF_EVENTS) nor 'sched_schedstats' "
				       "(CONFIG_SCHEDSTATS) nor tracepoints");
	if (!state.can[POKE_PERF])
		run->limits[1] = "no perf software events (CONFIG_PERF_EVENTS): other static keys "
				 "are switched";
	if (kprobe_site_counts(&state.trap, &state.before))
		return probe_error(run, "no line for the trap in 'kprobe_profile'");
	run->rung = "tracefs";
	probe_note("trap at %s+%u, poker on CPU %u", state.trap.symbol, state.trap.offset,
		   state.poker);
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	probe_count(run, COUNT_TRAPPING, __atomic_load_n(&state.trapping, __ATOMIC_RELAXED));
	probe_count(run, COUNT_POKES, __atomic_load_n(&state.pokes, __ATOMIC_RELAXED));
	probe_count(run, COUNT_TRAPS, calls_total());
}

static enum probe_result check(struct probe_run *run)
{
	unsigned long long calls = calls_total();
	struct kprobe_counts now;

	sample(run);
	if (kprobe_site_counts(&state.trap, &now))
		return probe_error(run, "the trap is gone from 'kprobe_profile'");
	now.hits -= state.before.hits;
	now.missed -= state.before.missed;
	if (kernel_version() >= COUNTS_PER_CPU_SINCE &&
	    (now.hits > calls || kprobe_counts_lost(calls, &now, run->ncpus)))
		return probe_fail(run,
				  FAIL_LOST_EVENTS
				  "%llu calls, but %llu kprobe hits and %llu reported misses",
				  calls, (unsigned long long)now.hits,
				  (unsigned long long)now.missed);
	if (!state.pokes)
		return probe_error(run, "no poke succeeded, %llu failed",
				   (unsigned long long)state.failed);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	kprobe_site_remove(&state.trap);
	kprobe_site_remove(&state.other);
	for (int k = 0; k < POKE__COUNT; k++)
		if (state.fd[k] > 0)
			close(state.fd[k]);
	if (state.can[POKE_SCHEDSTATS])
		file_write("/proc/sys/kernel/sched_schedstats", "0\n");
	tracefs_write("events/sched/sched_wait_task/enable", "0\n");
}

PROBE(text_poke) = {
	.name = "text-poke",
	.summary = "kernel int3 traps on all CPUs while static keys and kprobes are patched",
	.hazards = LIST("text-poke-race", "text-poke-desc-race"),
	.kconfig = LIST("CONFIG_KPROBES=y", "CONFIG_JUMP_LABEL=y"),
	.amplify = LIST("poke_int3_handler", "smp_text_poke_int3_handler", "text_poke_bp*",
			"smp_text_poke_batch*", "patch_cmp", "text_poke_addr_cmp", "try_get_desc",
			"put_desc", "try_get_text_poke_array", "put_text_poke_array"),
	.counters = LIST("pokes-while-trapping", "pokes", "traps"),
	.params = PARAMS({ "burst", "trapping calls between two naps (64)", 1, 10000 }),
	.min_cpus = 2,
	.duration_s = 15,
	.proves_engine = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
