// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets, moves and removes hardware breakpoints while they are hit, from all sides at once: a task's
 * own, a peer's on it, those of a CPU for whoever runs there, and ptrace's on a traced child.
 *
 * They all share four registers a CPU, which the scheduler loads at each switch. What must hold:
 *
 *	- a hit is at an address that this breakpoint had: each target is one instruction that
 *	  writes one word, so the word and the place behind its instruction belong together
 *	- who sets a breakpoint on itself and passes it n times gets n records and a count of n
 *	- a traced child stops where ptrace said, with the breakpoint's bit in its DR6
 *
 * More than four at a time is refused by the kernel, and counted.
 */
#include "probes/lib/bp_target.h"
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PERF_EVENT_IOC_MODIFY_ATTRIBUTES /* 4.17 */
#define PERF_EVENT_IOC_MODIFY_ATTRIBUTES _IOW('$', 11, struct perf_event_attr *)
#endif

#define PASSES_MAX 32 /* records of these fit a ring of one page */
#define PEERS_MAX 3
#define PEERS 1       /* breakpoints on others that a worker keeps */
#define TRACED_REGS 2 /* ptrace keeps those that it used: more would leave none to others */
#define TRACED_ROUNDS 64
#define TRACED_WAIT_MS 10000
#define TRACED_NAP_US 500
#define NAP_US 1000    /* at most */
#define RECORD_ROOM 64 /* more than a record takes */

enum counter {
	COUNT_HITS,
	COUNT_MOVES,
	COUNT_TRACED,
	COUNT_PEERS,
	COUNT_REFUSED,
	COUNT_MISSED,
	COUNT_WRONG
};

/* --- a breakpoint of perf's ------------------------------------------------------------------- */

struct bp {
	struct perf_ring ring;
	struct bp_aim aim, before; /* where it is, where it was */
	uint32_t tid;              /* 0: anybody's hits count */
	bool choked;               /* the kernel may have dropped hits without a word so far */
	uint64_t hits;
};

struct hitter {
	uint32_t tid;
	struct bp peer[PEERS_MAX];
	int traced; /* pid, 0: none */
	unsigned traced_rounds;
	uint64_t rand;
	uint64_t hits, moves, traced_hits, peer_hits, refused, missed, wrong;
	char what[200];   /* the first wrong one */
	const char *kind; /* of it: FAIL_... */
	struct bp *now;   /* whose records are taken */
} __attribute__((aligned(64)));

static struct {
	struct hitter cpu[WIRE_CPUS_MAX];
	uint64_t *passed; /* per CPU: how often its traced child has passed all targets; shared */
	bool can_move;
} state;

static void wrong(struct hitter *h, const char *kind, const char *what, uint64_t got,
		  uint64_t wanted)
{
	if (h->wrong++)
		return;
	h->kind = kind;
	text_format(h->what, sizeof(h->what), "%s %#llx instead of %#llx", what,
		    (unsigned long long)got, (unsigned long long)wanted);
}

static struct perf_event_attr aim_attr(struct bp_aim a)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_BREAKPOINT,
		.size = PERF_ATTR_SIZE_VER3,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_ADDR,
		.disabled = 1,
		.pinned = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.bp_type = a.write ? HW_BREAKPOINT_W : HW_BREAKPOINT_X,
		.bp_addr = bp_aim_address(a),
		.bp_len = a.write ? HW_BREAKPOINT_LEN_4 : sizeof(long),
	};
}

static int bp_open(struct bp *bp, struct bp_aim a, int pid, int cpu)
{
	struct perf_event_attr attr = aim_attr(a);
	int fd = perf_open(&attr, pid, cpu);

	*bp = (struct bp){ .ring = PERF_RING_NONE, .aim = a, .before = a };
	return fd < 0 ? fd : perf_ring_map(&bp->ring, fd, 1);
}

static void bp_on(struct bp *bp, bool on)
{
	ioctl(bp->ring.fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

/* The kind cannot change with the address on every kernel: execution's length differs. */
static int bp_move(struct bp *bp, unsigned target)
{
	struct bp_aim to = { .write = bp->aim.write, .target = target };
	struct perf_event_attr attr = aim_attr(to);

	attr.disabled = 0;
	if (ioctl(bp->ring.fd, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &attr))
		return -errno;
	bp->before = bp->aim;
	bp->aim = to;
	return 0;
}

static void record_take(void *ctx, const struct perf_event_header *header)
{
	struct hitter *h = ctx;
	struct bp *bp = h->now;
	struct {
		struct perf_event_header header;
		uint64_t ip;
		uint32_t pid, tid;
		uint64_t addr;
	} r;
	struct bp_aim a;

	bp->choked |= header->type == PERF_RECORD_THROTTLE;
	if (header->type != PERF_RECORD_SAMPLE)
		return;
	if (header->size != sizeof(r)) {
		wrong(h, FAIL_CORRUPTION, "a record's size is", header->size, sizeof(r));
		return;
	}
	memcpy(&r, header, sizeof(r));
	if (!bp_aim_of_ip(r.ip, &a) || a.write != bp->aim.write)
		wrong(h, FAIL_CORRUPTION, "a hit at IP", r.ip, bp_aim_ip(bp->aim));
	else if (r.addr != bp_aim_address(a))
		wrong(h, FAIL_CORRUPTION, "a hit at its IP with the address", r.addr,
		      bp_aim_address(a));
	else if (a.target != bp->aim.target && a.target != bp->before.target)
		wrong(h, FAIL_CORRUPTION, "a hit at address", r.addr, bp_aim_address(bp->aim));
	if (!bp->tid || r.tid == bp->tid)
		bp->hits++;
}

/* Who is told late of what a full ring has lost, or never, must not count. */
static bool ring_is_full(const struct perf_ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);

	return head - ring->page->data_tail + RECORD_ROOM > ring->size;
}

static void bp_drain(struct hitter *h, struct bp *bp)
{
	h->now = bp;
	bp->choked |= ring_is_full(&bp->ring);
	perf_ring_drain(&bp->ring, record_take, h);
	if (bp->ring.torn)
		wrong(h, FAIL_CORRUPTION, "torn records:", bp->ring.torn, 0);
}

/* --- what a worker does ----------------------------------------------------------------------- */

/* What read(2) gives. */
struct bp_count {
	uint64_t count, enabled_ns, running_ns;
};

/* Zeros if the kernel could not put a pinned breakpoint on the CPU: read(2) then gives nothing. */
static struct bp_count bp_count(const struct bp *bp)
{
	struct bp_count c;

	if (read(bp->ring.fd, &c, sizeof(c)) != sizeof(c))
		return (struct bp_count){ 0 };
	return c;
}

/* Pass the target n times under the breakpoint; other targets must not count. */
static void passes_check(struct hitter *h, struct bp *bp, bool own)
{
	unsigned n = 1 + rand_next(&h->rand) % PASSES_MAX;
	struct bp_count before = bp_count(bp), after;
	uint64_t hits = bp->hits;

	bp->choked = false;
	for (unsigned i = 0; i < n; i++) {
		bp_target_pass(bp->aim.target);
		bp_target_pass((bp->aim.target + 1 + i % (BP_TARGETS - 1)) % BP_TARGETS);
	}
	after = bp_count(bp);
	bp_drain(h, bp);
	if (bp->choked || bp->ring.lost || after.running_ns != after.enabled_ns ||
	    !after.running_ns) {
		h->missed++; /* as the kernel says itself */
		return;
	}
	if (bp->hits - hits != n)
		wrong(h, FAIL_LOST_EVENTS,
		      own ? "hits of a task's own breakpoint" : "hits of a CPU's breakpoint",
		      bp->hits - hits, n);
	else if (own && after.count - before.count != n)
		wrong(h, FAIL_LOST_EVENTS, "count of a task's own breakpoint",
		      after.count - before.count, n);
	h->hits += n;
}

/* A breakpoint on this thread, or on this CPU, where nobody else passes the targets meanwhile. */
static void own_round(struct hitter *h, unsigned cpu, bool task)
{
	struct bp bp;

	if (bp_open(&bp, bp_aim_choose(&h->rand, BP_OWNER_SELF), task ? 0 : -1,
		    task ? -1 : (int)cpu)) {
		h->refused++;
		return;
	}
	bp.tid = h->tid;
	bp_on(&bp, true);
	passes_check(h, &bp, task);
	for (int i = 0; i < 2 && state.can_move; i++) {
		if (bp_move(&bp, bp_target_choose(&h->rand, BP_OWNER_SELF, bp.aim.write))) {
			h->refused++;
			break;
		}
		h->moves++;
		passes_check(h, &bp, task);
		bp_on(&bp, false);
		bp_target_pass(bp.aim.target);
		bp_on(&bp, true);
	}
	perf_ring_close(&bp.ring);
}

/* A task of somebody else's: another worker, or its traced child. */
static int peer_choose(const struct probe_run *run, struct hitter *h)
{
	uint64_t n = rand_next(&h->rand) >> 8;
	const struct hitter *other = &state.cpu[(n >> 2) % run->ncpus];
	int pid = __atomic_load_n(&other->traced, __ATOMIC_RELAXED);

	return n % 4 == 0 && pid ? pid : (int)__atomic_load_n(&other->tid, __ATOMIC_RELAXED);
}

static void peer_round(const struct probe_run *run, struct hitter *h)
{
	struct bp *bp = &h->peer[rand_next(&h->rand) % probe_param(run, 0, PEERS)];
	int tid;

	if (bp->ring.fd >= 0) {
		uint64_t hits = bp->hits;

		bp_drain(h, bp);
		h->peer_hits += bp->hits - hits;
		if (state.can_move && rand_next(&h->rand) & 256 &&
		    !bp_move(bp, bp_target_choose(&h->rand, BP_OWNER_PEER, bp->aim.write)))
			h->moves++;
		else
			perf_ring_close(&bp->ring);
		return;
	}
	tid = peer_choose(run, h);
	if (!tid || bp_open(bp, bp_aim_choose(&h->rand, BP_OWNER_PEER), tid, -1)) {
		h->refused++;
		return;
	}
	bp_on(bp, true);
}

/* --- ptrace ----------------------------------------------------------------------------------- */

/* The traced child: passes all targets again and again. No libc: it was forked among threads. */
static void traced_main(uint64_t *passed)
{
	const struct timespec nap = { .tv_nsec = TRACED_NAP_US * 1000 };

	syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
	for (;;) {
		for (unsigned i = 0; i < BP_TARGETS; i++)
			bp_target_pass(i);
		__atomic_fetch_add(passed, 1, __ATOMIC_RELAXED);
		syscall(SYS_nanosleep, &nap, NULL);
	}
}

/*
 * Wait until the child stops; 0, or -ECHILD if it is gone. Whether it has missed its breakpoint is
 * no question of time: -ENOMSG if it has since passed all targets twice. -ETIMEDOUT says nothing.
 */
static int traced_wait(const struct probe_run *run, const struct hitter *h, int *ret_signal)
{
	const uint64_t *passed = &state.passed[h - state.cpu];
	uint64_t end = clock_ns() + TRACED_WAIT_MS * 1000000ull;
	uint64_t before = __atomic_load_n(passed, __ATOMIC_RELAXED);
	int status, missed;

	for (;;) {
		/* Looked at first: a child that stopped meanwhile has not missed. */
		missed = __atomic_load_n(passed, __ATOMIC_ACQUIRE) - before > 2;
		if (waitpid(h->traced, &status, __WALL | WNOHANG))
			break;
		if (missed)
			return -ENOMSG;
		if (clock_ns() > end)
			return -ETIMEDOUT;
		if (probe_stopped(run))
			return -EINTR;
		usleep(200);
	}
	if (!WIFSTOPPED(status))
		return -ECHILD;
	*ret_signal = WSTOPSIG(status);
	return 0;
}

static void traced_end(struct hitter *h)
{
	int pid = h->traced;

	if (!pid)
		return;
	__atomic_store_n(&h->traced, 0, __ATOMIC_RELAXED);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

static bool traced_start(const struct probe_run *run, struct hitter *h)
{
	/* With our descriptors, not copies: those would keep breakpoints that were closed. */
	int sig, pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		traced_main(&state.passed[h - state.cpu]);
	if (pid < 0)
		return false;
	h->traced_rounds = 0;
	__atomic_store_n(&h->traced, pid, __ATOMIC_RELAXED);
	if (!traced_wait(run, h, &sig) && sig == SIGSTOP)
		return true;
	traced_end(h);
	return false;
}

static int poke(int pid, unsigned reg, uint64_t value)
{
	long err = ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[reg]), value);

	return err ? -errno : 0;
}

/* DR7 with only register `reg` on: enable bits in pairs from 0, condition and length from 16. */
static uint64_t dr7(unsigned reg, struct bp_aim a)
{
	return 1ull << reg * 2 | (a.write ? 0xdull : 0) << (16 + reg * 4);
}

static void traced_check(struct hitter *h, unsigned reg, struct bp_aim a)
{
	long dr6 = ptrace(PTRACE_PEEKUSER, h->traced, offsetof(struct user, u_debugreg[6]), 0);
	long ip = ptrace(PTRACE_PEEKUSER, h->traced, offsetof(struct user, regs.rip), 0);

	if ((uint64_t)ip != bp_aim_ip(a))
		wrong(h, FAIL_CORRUPTION, "a traced child stopped at", ip, bp_aim_ip(a));
	else if (!(dr6 & 1 << reg))
		wrong(h, FAIL_CORRUPTION, "a traced child stopped with DR6", dr6, 1 << reg);
	h->traced_hits++;
}

/* Set one of its registers, let it run into it, look where it is. */
static void traced_round(const struct probe_run *run, struct hitter *h)
{
	struct bp_aim a = bp_aim_choose(&h->rand, BP_OWNER_PTRACE);
	unsigned reg = (rand_next(&h->rand) >> 8) % TRACED_REGS;
	int sig = 0, err;

	if ((!h->traced || h->traced_rounds++ >= TRACED_ROUNDS) &&
	    (traced_end(h), !traced_start(run, h)))
		return;
	if (poke(h->traced, reg, bp_aim_address(a)) || poke(h->traced, 7, dr7(reg, a))) {
		h->refused++; /* no slot is free */
		poke(h->traced, 7, 0);
		return;
	}
	poke(h->traced, 6, 0);
	ptrace(PTRACE_CONT, h->traced, 0, 0);
	err = traced_wait(run, h, &sig);
	if (!err && sig == SIGTRAP)
		traced_check(h, reg, a);
	else if (err == -ETIMEDOUT)
		h->missed++;
	else if (err == -ENOMSG)
		wrong(h, FAIL_LOST_EVENTS, "stops of a traced child at its breakpoint", 0, 1);
	else if (err == -ECHILD)
		wrong(h, FAIL_KILLED_TASK, "traced children that live on:", 0, 1);
	else if (!err)
		wrong(h, FAIL_CORRUPTION, "a traced child got signal", sig, SIGTRAP);
	if (err)
		traced_end(h);
	else
		poke(h->traced, 7, 0);
}

static void nap_us(unsigned us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct hitter *h = &state.cpu[cpu];

	h->rand = (run->seed + cpu) * 2 + 1;
	__atomic_store_n(&h->tid, syscall(SYS_gettid), __ATOMIC_RELAXED);
	while (!probe_stopped(run)) {
		own_round(h, cpu, true);
		peer_round(run, h);
		own_round(h, cpu, false);
		traced_round(run, h);
		nap_us(rand_next(&h->rand) % NAP_US);
	}
	for (int i = 0; i < PEERS_MAX; i++)
		perf_ring_close(&h->peer[i].ring);
	traced_end(h);
}

/* --- setup and results ------------------------------------------------------------------------ */

static enum probe_result setup(struct probe_run *run)
{
	struct bp bp;
	int err;

	state.passed = mmap(NULL, WIRE_CPUS_MAX * sizeof(*state.passed), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state.passed == MAP_FAILED)
		return probe_error(run, "mmap: %s", strerror(errno));

	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
		for (int i = 0; i < PEERS_MAX; i++)
			state.cpu[cpu].peer[i].ring = PERF_RING_NONE;
	err = bp_open(&bp, (struct bp_aim){ .write = true }, 0, -1);
	if (err == -ENOSYS)
		return probe_skip(run, PERF_MISSING);
	if (err)
		return probe_skip(run, "no hardware breakpoints: perf_event_open(2) says '%s'",
				  strerror(-err));
	bp_on(&bp, true);
	bp_target_pass(0);
	state.can_move = bp_count(&bp).count == 1 && !bp_move(&bp, 1);
	err = bp_count(&bp).count != 1;
	perf_ring_close(&bp.ring);
	if (err)
		return probe_skip(run, "the CPU does not trap at its debug registers");
	if (!state.can_move)
		run->limits[0] = "no PERF_EVENT_IOC_MODIFY_ATTRIBUTES (4.17): none is moved";
	run->rung = "perf_event_open";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t sum[COUNT_WRONG + 1] = { 0 };

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		const struct hitter *h = &state.cpu[cpu];
		const uint64_t *const from[] = {
			[COUNT_HITS] = &h->hits,          [COUNT_MOVES] = &h->moves,
			[COUNT_TRACED] = &h->traced_hits, [COUNT_PEERS] = &h->peer_hits,
			[COUNT_REFUSED] = &h->refused,    [COUNT_MISSED] = &h->missed,
			[COUNT_WRONG] = &h->wrong,
		};

		for (int i = 0; i <= COUNT_WRONG; i++)
			sum[i] += __atomic_load_n(from[i], __ATOMIC_RELAXED);
	}
	for (int i = 0; i <= COUNT_WRONG; i++)
		probe_count(run, i, sum[i]);
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		if (state.cpu[cpu].wrong)
			return probe_fail(run, "%s%s (CPU %u, %llu in all)", state.cpu[cpu].kind,
					  state.cpu[cpu].what, cpu,
					  (unsigned long long)state.cpu[cpu].wrong);
	return PROBE_PASS;
}

PROBE(hw_breakpoint) = {
	.name = "hw-breakpoint",
	.summary =
		"hardware breakpoints of tasks, CPUs and ptrace are hit, moved and removed at once",
	.hazards = LIST("ptrace-breakpoint-ignored"),
	.kconfig = LIST("CONFIG_PERF_EVENTS=y"),
	.amplify = LIST("arch_install_hw_breakpoint", "arch_uninstall_hw_breakpoint",
			"hw_breakpoint_handler", "hw_breakpoint_exceptions_notify",
			"modify_user_hw_breakpoint*", "ptrace_triggered"),
	.counters = LIST("hits-checked", "moves", "traced-hits", "peer-hits", "refused", "missed",
			 "wrong"),
	.params = PARAMS({ "peers", "breakpoints on others that a CPU's worker keeps (1)", 1, PEERS_MAX }),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
};
