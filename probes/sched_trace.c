// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Traces the scheduler while threads wake each other up across CPUs, as fast as they can.
 *
 * BPF programs on sched_switch and sched_wakeup read memory, take stacks and send signals under the
 * run queue's lock (sched_trace.bpf.c): from 5.3 on until 1bc7896e9ef4 bpf_send_signal() took that
 * lock once more. Without BPF, perf samples the two tracepoints with the stacks of both sides.
 *
 * A worker and its partner on the next CPU play ping-pong, by futex and by pipe in turns. No wakeup
 * may be lost: who waits for seconds for what was there all the time was not woken. Bytes that the
 * programs read must be those that are there, and of the signals some must arrive.
 */
#include "sched_trace.skel.h"
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"
#include "probes/sched_trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 10      /* for a wakeup, at most */
#define WAIT_SURE_S 9  /* before that no wait has ended by itself */
#define BURST_MAX 64   /* rounds between two naps */
#define NAP_US 2000    /* at most */
#define SIGNALS_MIN 16 /* so many were sent: one must have arrived */
#define TAKER_MS 100   /* between two looks at the stop flag */
#define RING_PAGES 16
#define STACK_DUMP 256

enum counter {
	COUNT_SWITCHES,
	COUNT_WAKEUPS,
	COUNT_ROUNDS,
	COUNT_COMPARED,
	COUNT_WRONG,
	COUNT_STACKS,
	COUNT_SENT,
	COUNT_RECEIVED
};

/* One direction of a pair. */
struct lane {
	uint32_t turn;   /* the futex: tokens passed by it */
	uint32_t taken;  /* of these, by the one who waits */
	uint32_t called; /* of these, whose waiter was woken: FUTEX_WAKE is over */
	uint64_t called_ns;
	int pipe[2];
};

struct pair {
	struct lane to, back; /* of the partner: what it waits for, what it answers by */
	unsigned partner_cpu;
	uint64_t seed;
	bool end; /* the partner's turn to leave */
	uint64_t rounds, lost, samples;
	struct perf_ring ring[2]; /* sched_switch and sched_wakeup, without BPF */
} __attribute__((aligned(64)));

static struct {
	struct sched_trace *skel; /* NULL: perf's rung */
	uint64_t *words;
	struct pair pair[WIRE_CPUS_MAX];
	pthread_t taker;
	bool has_taker;
	uint32_t taker_tid;
	pthread_barrier_t taker_known;
	uint64_t received;
} state;

/* --- ping-pong -------------------------------------------------------------------------------- */

static void lane_pass(struct lane *l, bool by_pipe)
{
	if (by_pipe) {
		while (write(l->pipe[1], "", 1) < 0 && errno == EINTR)
			;
		return;
	}
	__atomic_fetch_add(&l->turn, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &l->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	__atomic_store_n(&l->called_ns, clock_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&l->called, l->called + 1, __ATOMIC_RELEASE);
}

/*
 * Who slept to the end of the limit although FUTEX_WAKE was over before that end could come was not
 * woken. A wait that was woken and came back late, on a CPU that others kept, returns 0 and is not
 * one; who passes a token and is kept from waking for long is none either.
 */
static void lane_wait(struct pair *p, struct lane *l)
{
	const struct timespec limit = { .tv_sec = WAIT_S };
	uint64_t sure_ns = clock_ns() + WAIT_SURE_S * 1000000000ull;

	if (!syscall(SYS_futex, &l->turn, FUTEX_WAIT_PRIVATE, l->taken, &limit, NULL, 0) ||
	    errno != ETIMEDOUT)
		return;
	if (__atomic_load_n(&l->called, __ATOMIC_ACQUIRE) == l->taken + 1 &&
	    __atomic_load_n(&l->called_ns, __ATOMIC_RELAXED) < sure_ns)
		__atomic_fetch_add(&p->lost, 1, __ATOMIC_RELAXED);
}

/* A pipe's reader has no limit: if it is not woken its worker never comes back, which the library
 * tells. */
static void lane_take(struct pair *p, struct lane *l, bool by_pipe)
{
	char c;

	while (by_pipe) {
		if (read(l->pipe[0], &c, 1) >= 0 || errno != EINTR)
			return;
	}
	while (__atomic_load_n(&l->turn, __ATOMIC_ACQUIRE) == l->taken)
		lane_wait(p, l);
	l->taken++;
}

/* Both sides draw the same bursts from the same seed. */
struct burst {
	bool by_pipe;
	unsigned rounds, nap_us;
};

static struct burst burst_next(uint64_t *rand)
{
	uint64_t n = rand_next(rand) >> 8;

	return (struct burst){
		.by_pipe = n & 1,
		.rounds = 1 + (n >> 1) % BURST_MAX,
		.nap_us = (n >> 16) % NAP_US,
	};
}

static void *partner_main(void *arg)
{
	struct pair *p = arg;
	uint64_t rand = p->seed;

	cpu_pin(p->partner_cpu);
	for (;;) {
		struct burst b = burst_next(&rand);

		for (unsigned i = 0; i < b.rounds; i++) {
			lane_take(p, &p->to, b.by_pipe);
			if (__atomic_load_n(&p->end, __ATOMIC_ACQUIRE))
				return NULL;
			lane_pass(&p->back, b.by_pipe);
		}
	}
}

static void sample_take(void *ctx, const struct perf_event_header *h)
{
	struct pair *p = ctx;

	if (h->type == PERF_RECORD_SAMPLE)
		__atomic_store_n(&p->samples, p->samples + 1, __ATOMIC_RELAXED);
}

static void rings_drain(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		perf_ring_drain(&p->ring[i], sample_take, p);
}

/* False at the end: then the partner has been told, by this burst's way. */
static bool burst_play(const struct probe_run *run, struct pair *p, struct burst b)
{
	for (unsigned i = 0; i < b.rounds; i++) {
		bool end = probe_stopped(run);

		__atomic_store_n(&p->end, end, __ATOMIC_RELEASE);
		lane_pass(&p->to, b.by_pipe);
		if (end)
			return false;
		lane_take(p, &p->back, b.by_pipe);
		__atomic_store_n(&p->rounds, p->rounds + 1, __ATOMIC_RELAXED);
	}
	return true;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct pair *p = &state.pair[cpu];
	uint64_t rand = p->seed;
	pthread_t partner;
	struct burst b;

	if (pthread_create(&partner, NULL, partner_main, p))
		return;
	for (b = burst_next(&rand); burst_play(run, p, b); b = burst_next(&rand)) {
		struct timespec nap = { .tv_nsec = b.nap_us * 1000 };

		rings_drain(p);
		nanosleep(&nap, NULL);
	}
	pthread_join(partner, NULL);
}

/* --- setup ------------------------------------------------------------------------------------ */

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SCHED_SIGNAL);
}

/* Takes the signals, each on another CPU. */
static void *taker_main(void *arg)
{
	const struct timespec limit = { .tv_nsec = TAKER_MS * 1000000 };
	struct probe_run *run = arg;
	uint64_t rand = run->seed * 2 + 1;
	sigset_t set;

	state.taker_tid = syscall(SYS_gettid);
	pthread_barrier_wait(&state.taker_known);
	signal_set(&set);
	while (!probe_stopped(run)) {
		cpu_pin(rand_next(&rand) % run->ncpus);
		if (sigtimedwait(&set, NULL, &limit) == SCHED_SIGNAL)
			__atomic_fetch_add(&state.received, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* All other threads block them: a signal would wake who was forgotten. Called before there are any
 * others, which inherit that. */
static enum probe_result taker_start(struct probe_run *run)
{
	sigset_t set;
	int err;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_barrier_init(&state.taker_known, NULL, 2);
	err = pthread_create(&state.taker, NULL, taker_main, run);
	state.has_taker = !err;
	if (!err)
		pthread_barrier_wait(&state.taker_known);
	return err ? probe_error(run, "thread: %s", strerror(err)) : PROBE_PASS;
}

/* A taker that never got a CPU has left them pending. */
static void taker_last(uint64_t sent)
{
	const struct timespec limit = { .tv_sec = 2 };
	sigset_t set;

	signal_set(&set);
	if (sent && !state.received && sigtimedwait(&set, NULL, &limit) == SCHED_SIGNAL)
		state.received++;
}

static void taker_join(void)
{
	if (state.has_taker)
		pthread_join(state.taker, NULL);
	state.has_taker = false;
}

static enum probe_result pairs_setup(struct probe_run *run)
{
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		struct pair *p = &state.pair[cpu];

		p->ring[0] = p->ring[1] = PERF_RING_NONE;
		p->partner_cpu = (cpu + 1) % run->ncpus;
		p->seed = (run->seed + cpu) * 2 + 1;
		if (pipe2(p->to.pipe, O_CLOEXEC) || pipe2(p->back.pipe, O_CLOEXEC))
			return probe_error(run, "pipe: %s", strerror(errno));
	}
	return PROBE_PASS;
}

/* Eight bytes of kernel memory that are known: "Linux ve". 0 where kallsyms has no data symbols. */
static uint64_t banner_address(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0, at;
	char line[256], name[128];

	while (f && !address && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %*c %127s", &at, name) == 2 && !strcmp(name, "linux_banner"))
			address = at;
	if (f)
		fclose(f);
	return address;
}

static int slots_arm(int fd)
{
	struct sched_slot slot = {
		.user_addr = (uintptr_t)state.words,
		.tgid = getpid(),
		.taker = state.taker_tid,
		.kernel_addr = banner_address(),
	};

	memcpy(&slot.kernel_value, "Linux ve", 8);
	for (uint32_t cpu = 0; cpu < SCHED_SLOTS; cpu++)
		if (bpf_map_update_elem(fd, &cpu, &slot, BPF_ANY))
			return -errno;
	return 0;
}

static int words_make(void)
{
	state.words = user_page_make();
	if (!state.words)
		return -errno;
	for (int i = 0; i < SCHED_WORDS; i++)
		state.words[i] = SCHED_WORD(i);
	return 0;
}

static int programs_start(bool signals)
{
	int err;

	state.skel = sched_trace__open();
	if (!state.skel)
		return -errno;
	bpf_program__set_autoload(state.skel->progs.on_switch_signal, signals);
	err = sched_trace__load(state.skel);
	if (!err)
		err = words_make();
	if (!err)
		err = slots_arm(bpf_map__fd(state.skel->maps.slots));
	if (!err)
		err = sched_trace__attach(state.skel);
	if (err) {
		sched_trace__destroy(state.skel);
		state.skel = NULL;
	}
	return err;
}

/* An event of the tracepoint on each CPU, into its worker's ring; 0, or a negative errno. */
static int tracepoint_start(struct probe_run *run, const char *name, int which)
{
	char path[256];
	uint64_t id;
	int err;

	text_format(path, sizeof(path), "%s/events/sched/%s/id", tracefs_root() ?: "", name);
	err = file_read_u64(path, &id);
	for (unsigned cpu = 0; !err && cpu < run->ncpus; cpu++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_TRACEPOINT,
			.config = id,
			.sample_period = 1,
			.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN |
				       PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
			.sample_regs_user = 0x1c0, /* BP, SP, IP */
			.sample_stack_user = STACK_DUMP,
		};
		int fd = perf_open(&attr, -1, cpu);

		err = fd < 0 ? fd : perf_ring_map(&state.pair[cpu].ring[which], fd, RING_PAGES);
	}
	return err;
}

static enum probe_result perf_start(struct probe_run *run)
{
	int err = tracepoint_start(run, "sched_switch", 0);

	if (err == -ENOSYS)
		return probe_skip(run, PERF_MISSING);
	if (err == -ENOENT)
		return probe_skip(run, "no tracepoint 'sched_switch': neither BPF programs "
				       "(CONFIG_BPF_EVENTS) nor tracefs (CONFIG_FTRACE) offer it");
	if (!err)
		err = tracepoint_start(run, "sched_wakeup", 1);
	if (err)
		return probe_skip(run, "no perf event on 'sched_switch': '%s'", strerror(-err));
	run->rung = "perf_event_open";
	run->limits[1] = "no BPF programs on raw tracepoints (CONFIG_BPF_EVENTS, 4.17): perf reads "
			 "stacks, nobody sends signals";
	return PROBE_PASS;
}

static enum probe_result setup(struct probe_run *run)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	enum probe_result r = pairs_setup(run);

	if (r != PROBE_PASS)
		return r;
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* BPF memory counts as locked below 5.11 */
	r = taker_start(run);
	if (r != PROBE_PASS)
		return r;
	run->rung = access("/sys/kernel/btf/vmlinux", R_OK) ? "bpf" : "bpf+btf";
	if (!programs_start(true))
		return PROBE_PASS;
	run->limits[0] = "no bpf_send_signal() (5.3): nobody sends signals";
	if (!programs_start(false))
		return PROBE_PASS;
	run->limits[0] = NULL;
	return perf_start(run);
}

/* --- what came of it -------------------------------------------------------------------------- */

static struct sched_slot slots_sum(const struct probe_run *run)
{
	struct sched_slot sum = { 0 }, slot;

	for (uint32_t cpu = 0; state.skel && cpu < run->ncpus; cpu++) {
		if (bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.slots), &cpu, &slot))
			continue;
		sum.switches += slot.switches;
		sum.wakeups += slot.wakeups;
		sum.compared += slot.compared;
		sum.wrong += slot.wrong;
		sum.kernel_wrong += slot.kernel_wrong;
		sum.stacks += slot.stacks;
		sum.sent += slot.sent;
	}
	return sum;
}

/* Of perf's rung the samples are the switches, wakeups among them. */
static void sample(struct probe_run *run)
{
	struct sched_slot sum = slots_sum(run);
	uint64_t rounds = 0, samples = 0;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		rounds += __atomic_load_n(&state.pair[cpu].rounds, __ATOMIC_RELAXED);
		samples += __atomic_load_n(&state.pair[cpu].samples, __ATOMIC_RELAXED);
	}
	probe_count(run, COUNT_SWITCHES, state.skel ? sum.switches : samples);
	probe_count(run, COUNT_WAKEUPS, sum.wakeups);
	probe_count(run, COUNT_ROUNDS, rounds);
	probe_count(run, COUNT_COMPARED, sum.compared);
	probe_count(run, COUNT_WRONG, sum.wrong + sum.kernel_wrong);
	probe_count(run, COUNT_STACKS, state.skel ? sum.stacks : samples);
	probe_count(run, COUNT_SENT, sum.sent);
	probe_count(run, COUNT_RECEIVED, __atomic_load_n(&state.received, __ATOMIC_RELAXED));
}

static enum probe_result check(struct probe_run *run)
{
	struct sched_slot sum = slots_sum(run);
	unsigned long long lost = 0;

	taker_join();
	taker_last(sum.sent);
	sample(run);
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		lost += state.pair[cpu].lost;
	if (lost)
		return probe_fail(run, FAIL_LOST_EVENTS "%llu wakeups never came", lost);
	if (sum.wrong)
		return probe_fail(run,
				  FAIL_CORRUPTION "%llu of %llu reads of user memory are wrong",
				  (unsigned long long)sum.wrong, (unsigned long long)sum.compared);
	if (sum.kernel_wrong)
		return probe_fail(run, FAIL_CORRUPTION "%llu reads of kernel memory are wrong",
				  (unsigned long long)sum.kernel_wrong);
	if (sum.sent >= SIGNALS_MIN && !state.received)
		return probe_fail(run, FAIL_LOST_EVENTS "%llu signals were sent, and none came",
				  (unsigned long long)sum.sent);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	/* After a failed setup nobody has set the flag that the taker waits for: it ends with us.
	 */
	sched_trace__destroy(state.skel);
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		for (int i = 0; i < 2; i++)
			perf_ring_close(&state.pair[cpu].ring[i]);
}

PROBE(sched_trace) = {
	.name = "sched-trace",
	.summary =
		"programs on sched_switch and sched_wakeup read memory, take stacks, send signals",
	.hazards = LIST("bpf-signal-rq-deadlock"),
	.amplify = LIST("bpf_send_signal*", "do_bpf_send_signal", "group_send_sig_info",
			"signal_wake_up_state"),
	.counters = LIST("switches-traced", "wakeups-traced", "rounds", "compared", "wrong",
			 "stacks", "signals-sent", "signals-received"),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
