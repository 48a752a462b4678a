// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opens, enables, redirects and closes perf events on every CPU while they sample with callchains
 * and user stacks into mapped rings, from interrupts and from NMIs.
 *
 * A profiler's life, without its pauses: events of CPUs, of threads and of groups come and go while
 * others fire; rings are shared, moved to another event, unmapped while written; children exec and
 * exit under the events that watch them; CPUs go offline with all that is on them. The NMIs are a
 * PMU's, or else the host's, which the tracepoint nmi:nmi_handler turns into samples.
 *
 * Each record must be well formed and belong to an event of its ring and of its CPU. And trials
 * with page faults, each of which is one sample, must come out even: faults = samples + lost.
 */
#include "probes/lib/engine.h"
#include "probes/lib/hotplug.h"
#include "probes/lib/event_slot.h"
#include "probes/lib/nmi_source.h"
#include "probes/lib/probe.h"
#include "probes/lib/tiny_exec.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 16          /* events of a worker */
#define SLOTS 6
#define RING_ORDER_MAX 3      /* pages, as a power of two */
#define TRIAL_FAULTS 48       /* fewer than perf's limit for a tick, 100 at 1000 Hz ... */
#define TRIAL_RATE_MIN 100000 /* ... and this rate, which the kernel lowers if sampling is slow */
#define TRIAL_STACK 256       /* bytes: a lost record and a sample must fit into one page */
#define PERIOD_NS 50000       /* of clock events */
#define NAP_US 200            /* at most, between two rounds */
#define HOTPLUG_MS 400        /* between two */
/* An emulated sample costs 50 us and more, and emulated CPUs share few host CPUs. For each CPU: */
#define PERIOD_EMULATED_NS 250000
#define NAP_EMULATED_US 1000
#define HOTPLUG_EMULATED_MS 100

enum counter {
	COUNT_SAMPLES,
	COUNT_LOST,
	COUNT_IN_NMI,
	COUNT_OPENED,
	COUNT_WATCHED,
	COUNT_TRIALS,
	COUNT_MIXED,
	COUNT_OFFLINED
};

enum kind {
	KIND_CPU_CLOCK,
	KIND_OTHER_CPU,
	KIND_TASK_CLOCK,
	KIND_FAULTS,
	KIND_SWITCHES,
	KIND_NMI,
	KIND_CYCLES,
	KIND__COUNT
};

struct seat {
	uint64_t opened, watched, trials;
	uint64_t rand;
	struct event_slot slot[SLOTS_MAX];
	struct event_judge judge; /* watches events on NMIs */
	unsigned char *pages;     /* for faults */
} __attribute__((aligned(64)));

static struct {
	struct seat seat[WIRE_CPUS_MAX];
	unsigned slots; /* in use, a worker */
	int64_t nmi_config; /* of the tracepoint; negative: not there */
	bool pmu, can_exec, can_park;
	uint64_t format; /* attr.read_format */
	unsigned period_ns, nap_us, hotplug_ms;
	int hold[5];
	pthread_rwlock_t grouping; /* a CPU that goes offline writes, who joins a group reads */
	unsigned cycle;            /* moves when a CPU goes offline */
	uint64_t offlined, next_ns, last_ns;
	bool stuck; /* a CPU did not come back */
} state = { .grouping = PTHREAD_RWLOCK_INITIALIZER };

static unsigned pick(struct seat *seat, unsigned n)
{
	return (rand_next(&seat->rand) >> 32) % n;
}

static void bump(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static struct perf_event_attr attr_of(struct seat *seat, enum kind kind)
{
	static const unsigned stacks[] = { 64, 512, 2048, 8192 };
	struct perf_event_attr attr = event_slot_attr(state.format, stacks[pick(seat, 4)]);

	attr.disabled = pick(seat, 2);
	attr.mmap = attr.comm = attr.task = pick(seat, 4) == 0;
	attr.exclude_callchain_user = pick(seat, 4) == 0;
	attr.exclude_callchain_kernel = pick(seat, 8) == 0;
	attr.wakeup_events = pick(seat, 8);
	switch (kind) {
	case KIND_FAULTS:
		attr.config = PERF_COUNT_SW_PAGE_FAULTS;
		break;
	case KIND_SWITCHES:
		attr.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
		break;
	case KIND_NMI:
		attr.type = PERF_TYPE_TRACEPOINT;
		attr.config = state.nmi_config;
		break;
	case KIND_CYCLES:
		attr.type = PERF_TYPE_HARDWARE;
		attr.config = PERF_COUNT_HW_CPU_CYCLES;
		attr.sample_period = 20000 << pick(seat, 4);
		break;
	case KIND_TASK_CLOCK:
		attr.config = PERF_COUNT_SW_TASK_CLOCK;
		attr.sample_period = (uint64_t)state.period_ns << pick(seat, 3);
		break;
	default:
		attr.config = PERF_COUNT_SW_CPU_CLOCK;
		attr.sample_period = (uint64_t)state.period_ns << pick(seat, 3);
	}
	return attr;
}

static bool kind_possible(enum kind kind)
{
	return kind == KIND_NMI ? state.nmi_config >= 0 : kind != KIND_CYCLES || state.pmu;
}

/*
 * An event, perhaps in the group of another. A leader that lived while its CPU went offline is left
 * alone: the kernel has cut it from its group for good, and yet takes a sibling for it, which then
 * points to it when it is closed and freed. (Seen on 6.12: list_del corruption in
 * __perf_remove_from_context; by its code in all kernels that cut groups at hotplug.)
 */
static int slot_join(struct seat *seat, struct event_slot *slot, const struct perf_event_attr *attr)
{
	const struct event_slot *leader = &seat->slot[pick(seat, state.slots)];
	bool task = slot->cpu < 0, locked;
	int group = -1, fd;

	slot->cycle = __atomic_load_n(&state.cycle, __ATOMIC_SEQ_CST);
	locked = pick(seat, 3) == 0 && !pthread_rwlock_tryrdlock(&state.grouping);
	if (locked && leader->cpu == slot->cpu && (task || leader->cycle == state.cycle))
		group = leader->fd;
	fd = event_open(attr, task ? 0 : -1, slot->cpu, group);
	if (locked)
		pthread_rwlock_unlock(&state.grouping);
	return fd;
}

static void slot_open(struct seat *seat, struct event_slot *slot, unsigned cpu, unsigned ncpus)
{
	enum kind kind = pick(seat, KIND__COUNT);
	bool task = kind == KIND_TASK_CLOCK || (kind == KIND_FAULTS && pick(seat, 2)), elsewhere;
	struct perf_event_attr attr = attr_of(seat, kind);

	if (!kind_possible(kind))
		return;
	/* An event of another CPU is closed while that one may be sampling it. */
	elsewhere = kind == KIND_OTHER_CPU || pick(seat, 4) == 0;
	slot->cpu = task ? -1 : elsewhere ? (int)pick(seat, ncpus) : (int)cpu;
	slot->fd = slot_join(seat, slot, &attr);
	if (slot->fd < 0) {
		slot->fd = -1; /* also who asks for a CPU that is offline, or a strange group */
		return;
	}
	bump(&seat->opened);
	if (!event_slot_learn(slot))
		return event_slot_close(slot, false);
	if (kind == KIND_NMI)
		event_slot_watch(&seat->judge, slot->id);
	if (pick(seat, 4))
		event_ring_map(&slot->ring, slot->fd, pick(seat, RING_ORDER_MAX + 1));
}

/* Let an event write into another's ring, which it keeps until it is moved again. */
static void slot_move(struct seat *seat, struct event_slot *from)
{
	struct event_slot *to = &seat->slot[pick(seat, state.slots)];

	if (to == from || to->fd < 0 || from->ring.page || !to->ring.page)
		return;
	/* Known before the first record may come. */
	if (!event_slot_admit(to, from->id))
		return event_slot_close(to, pick(seat, 2));
	ioctl(from->fd, PERF_EVENT_IOC_SET_OUTPUT, to->fd);
}

static void slot_tune(struct seat *seat, struct event_slot *slot)
{
	uint64_t period = (uint64_t)state.period_ns << pick(seat, 3);
	unsigned group = pick(seat, 4) ? 0 : PERF_IOC_FLAG_GROUP;

	switch (pick(seat, 6)) {
	case 0:
		ioctl(slot->fd, PERF_EVENT_IOC_DISABLE, group);
		break;
	case 1:
	case 2:
		ioctl(slot->fd, PERF_EVENT_IOC_ENABLE, group);
		break;
	case 3:
		ioctl(slot->fd, PERF_EVENT_IOC_REFRESH, 1 + pick(seat, 8));
		break;
	case 4:
		ioctl(slot->fd, PERF_EVENT_IOC_RESET, group);
		break;
	default:
		/* A shorter period of events that are no clocks changes nothing: each is one. */
		ioctl(slot->fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

static void fault_pages(struct seat *seat, unsigned n)
{
	madvise(seat->pages, TRIAL_FAULTS * 4096, MADV_DONTNEED);
	for (unsigned i = 0; i < n; i++)
		*(volatile unsigned char *)(seat->pages + i * 4096) = 1;
}

/* Who is throttled loses samples that nobody counts, and the note that says so may be lost, too. */
static bool may_throttle(void)
{
	uint64_t rate;

	return !file_read_u64("/proc/sys/kernel/perf_event_max_sample_rate", &rate) &&
	       rate < TRIAL_RATE_MIN;
}

static void trial_judge(struct seat *seat, const struct event_slot *slot,
			const struct event_judge *before)
{
	struct event_judge *now = &seat->judge;
	uint64_t samples = now->samples - before->samples, lost = now->lost - before->lost;
	struct event_slot_count c;

	if (!event_slot_read(slot->fd, &c) || now->others != before->others || may_throttle())
		return;
	if (c.value != samples + lost)
		event_judge_wrong(now,
				  "page faults are more or fewer than samples and lost samples",
				  c.value, samples + lost);
	else if ((state.format & EVENT_FORMAT_LOST) && c.lost != lost)
		event_judge_wrong(now, "read(2) and the ring differ on how many were lost", c.lost,
				  lost);
	bump(&seat->trials);
}

/* Page faults of this thread, in a ring that may be too small for them. The one at the end brings
 * the record of those that were lost before. */
static void trial(struct seat *seat)
{
	struct perf_event_attr attr = event_slot_attr(state.format, TRIAL_STACK);
	struct event_judge before = seat->judge;
	struct event_slot slot = { .cpu = -1 };

	attr.config = PERF_COUNT_SW_PAGE_FAULTS;
	attr.disabled = 1;
	slot.fd = event_open(&attr, 0, -1, -1);
	if (slot.fd < 0)
		return;
	if (event_slot_learn(&slot) &&
	    !event_ring_map(&slot.ring, slot.fd, pick(seat, RING_ORDER_MAX + 1))) {
		for (int i = 0; i < 2; i++) {
			ioctl(slot.fd, PERF_EVENT_IOC_ENABLE, 0);
			fault_pages(seat, i ? 1 : 1 + pick(seat, TRIAL_FAULTS));
			ioctl(slot.fd, PERF_EVENT_IOC_DISABLE, 0);
			event_slot_drain(&slot, &seat->judge);
		}
		trial_judge(seat, &slot, &before);
	}
	event_slot_close(&slot, true);
}

static void nap(struct seat *seat, unsigned us)
{
	struct timespec ts = { .tv_nsec = pick(seat, us) * 1000 };

	nanosleep(&ts, NULL);
}

/* Watch a child that execs and exits, from somewhere in its life to somewhere after it. */
static void child_race(struct seat *seat, unsigned cpu)
{
	static char *const argv[] = { (char *)"tiny", NULL }, *const env[] = { NULL };
	struct perf_event_attr attr = attr_of(seat, KIND_TASK_CLOCK);
	struct event_ring ring = { 0 };
	bool exec = state.can_exec && pick(seat, 4);
	/* Not fork(3): the children of a threaded process may do nothing but exec and end. */
	long pid = syscall(SYS_fork);
	int fd;

	if (pid == 0) {
		if (exec)
			syscall(SYS_execve, TINY_EXEC_PATH, argv, env);
		syscall(SYS_exit_group, 0);
	}
	if (pid < 0)
		return;
	attr.disabled = attr.enable_on_exec = pick(seat, 2);
	attr.inherit = pick(seat, 2);
	attr.read_format &= ~(uint64_t)EVENT_FORMAT_LOST;
	fd = event_open(&attr, pid, attr.inherit ? (int)cpu : -1, -1);
	if (fd >= 0) {
		event_ring_map(&ring, fd, 0);
		bump(&seat->watched);
	}
	if (pick(seat, 2))
		nap(seat, 1000);
	if (pick(seat, 2))
		waitpid(pid, NULL, __WALL), pid = 0;
	if (fd >= 0)
		close(fd);
	event_ring_unmap(&ring);
	if (pid)
		waitpid(pid, NULL, __WALL);
}

/* One worker takes CPUs away from the others and gives them back. On a slow host that may take
 * seconds, for which its end must not wait: none is taken late. */
static void hotplug(struct probe_run *run, struct seat *seat)
{
	uint64_t now = clock_ns();
	unsigned cpu;
	int err;

	if (!state.can_park || state.stuck || now < state.next_ns || now > state.last_ns)
		return;
	cpu = 1 + pick(seat, run->ncpus - 1);
	pthread_rwlock_wrlock(&state.grouping);
	/* Twice: an event that is opened meanwhile may be cut or not. */
	__atomic_fetch_add(&state.cycle, 1, __ATOMIC_SEQ_CST);
	err = hotplug_off(run->status, cpu);
	__atomic_fetch_add(&state.cycle, 1, __ATOMIC_SEQ_CST);
	pthread_rwlock_unlock(&state.grouping);
	if (!err) {
		nap(seat, 20000);
		state.stuck = hotplug_on(run->status, cpu);
		__atomic_store_n(&state.offlined, state.offlined + 1, __ATOMIC_RELAXED);
	}
	state.next_ns =
		clock_ns() + (state.hotplug_ms / 2 + pick(seat, state.hotplug_ms)) * 1000000ull;
}

static void round_once(struct probe_run *run, struct seat *seat, unsigned cpu)
{
	struct event_slot *slot = &seat->slot[pick(seat, state.slots)];

	if (slot->fd < 0)
		return slot_open(seat, slot, cpu, run->ncpus);
	switch (pick(seat, 8)) {
	case 0:
	case 1:
		event_slot_drain(slot, &seat->judge);
		return event_slot_close(slot, pick(seat, 2));
	case 2:
		return slot_move(seat, slot);
	case 3:
	case 4:
		return slot_tune(seat, slot);
	default:
		event_slot_drain(slot, &seat->judge);
	}
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct seat *seat = &state.seat[cpu];

	while (!probe_stopped(run)) {
		for (int i = 0; i < SLOTS_MAX; i++) {
			round_once(run, seat, cpu);
			if (cpu == 0)
				hotplug(run, seat);
		}
		if (pick(seat, 2))
			trial(seat);
		if (pick(seat, 4) == 0)
			child_race(seat, cpu);
		/* Who was on a CPU that went offline is somewhere else since. */
		if (sched_getcpu() != (int)cpu)
			cpu_pin(cpu);
		nap(seat, state.nap_us);
	}
	for (int i = 0; i < SLOTS_MAX; i++)
		if (seat->slot[i].fd >= 0)
			event_slot_close(&seat->slot[i], pick(seat, 2));
}

/* Events that stay. They keep perf's static keys switched on: some lie in the scheduler and in the
 * page fault handler, and patching these all the time is text-poke's trade. */
static int hold_events(void)
{
	static const unsigned configs[] = { PERF_COUNT_SW_PAGE_FAULTS,
					    PERF_COUNT_SW_CONTEXT_SWITCHES,
					    PERF_COUNT_SW_CPU_MIGRATIONS,
					    PERF_COUNT_SW_TASK_CLOCK };
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = PERF_ATTR_SIZE_VER3 };

	for (unsigned i = 0; i < 4; i++) {
		attr.config = configs[i];
		state.hold[i] = event_open(&attr, 0, -1, -1);
		if (state.hold[i] < 0)
			return state.hold[i];
	}
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = state.nmi_config;
	state.hold[4] = state.nmi_config < 0 ? -1 : event_open(&attr, -1, 0, -1);
	if (state.hold[4] < 0)
		state.nmi_config = -ENOENT;
	return 0;
}

static bool attr_works(struct perf_event_attr attr, int pid, int cpu)
{
	int fd = event_open(&attr, pid, cpu, -1);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void find_out(struct probe_run *run)
{
	struct perf_event_attr attr;
	bool emulated = engine_emulates();

	state.format = PERF_FORMAT_ID | EVENT_FORMAT_LOST;
	if (!attr_works(event_slot_attr(state.format, TRIAL_STACK), 0, -1))
		state.format = PERF_FORMAT_ID;
	attr = event_slot_attr(state.format, TRIAL_STACK);
	attr.type = PERF_TYPE_HARDWARE;
	attr.config = PERF_COUNT_HW_CPU_CYCLES;
	attr.sample_period = 1000000;
	state.pmu = attr_works(attr, -1, 0);
	state.can_exec = !tiny_exec_make();
	state.can_park = run->ncpus > 1 && hotplug_possible(1);
	state.slots = probe_param(run, 1, SLOTS);
	state.period_ns = emulated ? run->ncpus * PERIOD_EMULATED_NS : PERIOD_NS;
	state.nap_us = emulated ? run->ncpus * NAP_EMULATED_US : NAP_US;
	state.last_ns = clock_ns() + run->duration_ms / 2 * 1000000ull;
	state.hotplug_ms = emulated ? run->ncpus * HOTPLUG_EMULATED_MS : HOTPLUG_MS;
}

static enum probe_result seats_make(struct probe_run *run)
{
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		struct seat *seat = &state.seat[cpu];

		seat->rand = (run->seed + cpu) * 2 + 1;
		for (int i = 0; i < SLOTS_MAX; i++)
			seat->slot[i].fd = -1;
		seat->judge.ncpus = run->ncpus;
		seat->judge.record = aligned_alloc(8, EVENT_RECORD_MAX);
		seat->pages = mmap(NULL, TRIAL_FAULTS * 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!seat->judge.record || seat->pages == MAP_FAILED)
			return probe_error(run, "no memory for CPU %u", cpu);
	}
	return PROBE_PASS;
}

static enum probe_result setup(struct probe_run *run)
{
	int err;

	state.nmi_config = event_tracepoint("nmi/nmi_handler");
	err = hold_events();
	if (err == -ENOSYS)
		return probe_skip(run, "CONFIG_PERF_EVENTS is off: perf_event_open says ENOSYS");
	if (err)
		return probe_skip(run, "no perf software events: perf_event_open says '%s'",
				  strerror(-err));
	find_out(run);
	if (!attr_works(event_slot_attr(state.format, TRIAL_STACK), 0, -1))
		return probe_skip(run, "the kernel is older than 3.7 or not for x86-64: perf "
				       "samples no user stacks");
	run->rung = "perf_event_open";
	run->nmi_source = state.pmu ? "pmu" : state.nmi_config >= 0 ? "host" : "none";
	if (!state.pmu && state.nmi_config < 0)
		run->limits[0] = "no PMU and no event 'nmi:nmi_handler': no sample in NMI";
	if (!state.can_park)
		run->limits[1] = "no CPU can be taken offline (one CPU, or no CONFIG_HOTPLUG_CPU)";
	if (!state.can_exec)
		run->limits[2] = "/tmp takes no program: children only exit";
	return seats_make(run);
}

static void sample(struct probe_run *run)
{
	uint64_t sum[COUNT_OFFLINED + 1] = { 0 };

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		const struct seat *seat = &state.seat[cpu];
		const uint64_t *const from[COUNT_OFFLINED] = {
			[COUNT_SAMPLES] = &seat->judge.samples, [COUNT_LOST] = &seat->judge.lost,
			[COUNT_IN_NMI] = &seat->judge.watched,  [COUNT_OPENED] = &seat->opened,
			[COUNT_WATCHED] = &seat->watched,       [COUNT_TRIALS] = &seat->trials,
			[COUNT_MIXED] = &seat->judge.mixed,
		};

		for (unsigned c = 0; c < COUNT_OFFLINED; c++)
			sum[c] += __atomic_load_n(from[c], __ATOMIC_RELAXED);
	}
	sum[COUNT_OFFLINED] = __atomic_load_n(&state.offlined, __ATOMIC_RELAXED);
	for (unsigned c = 0; c <= COUNT_OFFLINED; c++)
		probe_count(run, c, sum[c]);
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	if (hotplug_restore(run->status))
		probe_note("a CPU that was taken offline did not come back");
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		const struct event_judge *judge = &state.seat[cpu].judge;

		if (judge->wrong)
			return probe_fail(run, FAIL_CORRUPTION "%s (%llu, %llu)", judge->wrong,
					  (unsigned long long)judge->got,
					  (unsigned long long)judge->wanted);
	}
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	for (int i = 0; i < 5; i++)
		if (state.hold[i] > 0)
			close(state.hold[i]);
	hotplug_restore(run->status);
	unlink(TINY_EXEC_PATH);
}

PROBE(perf_nmi) = {
	.name = "perf-nmi",
	.summary = "perf events opened, moved, closed on all CPUs while they sample into rings",
	.hazards = LIST("perf-overflow-race"),
	.kconfig = LIST("CONFIG_PERF_EVENTS=y"),
	.amplify = LIST("perf_event_release_kernel", "perf_remove_from_context",
			"__perf_remove_from_context", "perf_mmap_close", "ring_buffer_attach",
			"perf_event_exec", "perf_event_exit_task*", "perf_event_exit_event",
			"perf_install_in_context", "perf_event_exit_cpu_context"),
	.counters = LIST("samples", "lost", "samples-in-nmi", "events-opened", "children-watched",
			 "even-trials", "mixed-ids", "cpus-offlined"),
	.params = PARAMS(NMI_HZ_PARAM("10"),
			 { "slots", "events of a CPU's worker (6)", 1, SLOTS_MAX }),
	.min_cpus = 1,
	.duration_s = 15,
	.needs_nmi = true,
	.nmi_hz = 10, /* each is printed on the console, with interrupts off: see nmi_user_read.c */
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
