// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Work for the engine's proof: what an emulator gets wrong about signals, page faults and fork
 * shows as a register, a page or a count that is not what it was. It looks for no bug of a kernel,
 * so it is in no list of probes: nobody runs it who does not ask for it by name.
 */
#include "init.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US 2000	  /* a signal for some worker */
#define STEPS 20000	  /* of the computation that signals interrupt */
#define PAGE 4096
#define CHILD_CODE 42

struct lane {
	uint64_t *page;	/* written, protected, written again, shared with children until written */
	uint64_t rounds, sent;
	volatile uint64_t ticks, got, faults; /* by handlers of the lane's own thread */
	const char *wrong;
} __attribute__((aligned(64)));

static struct lane lanes[WIRE_CPUS_MAX];
static __thread struct lane *mine;
static double expected;

/* Clobbers what a handler may: the interrupted computation must not see it. */
static void clobber(void)
{
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm7, %%xmm7\n\t"
			 "pcmpeqd %%xmm15, %%xmm15\n\tmov $-1, %%r11\n\tmov $-1, %%rcx\n\tstd\n\tcld"
			 ::: "xmm0", "xmm7", "xmm15", "r11", "rcx", "cc");
}

static void on_tick(int sig)
{
	clobber();
	if (mine)
		mine->ticks++;
}

static void on_sent(int sig)
{
	clobber();
	mine->got++;
}

/* The one fault that is wanted opens the page; any other is fatal, as it would be. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	char *at = info->si_addr;

	clobber();
	if (!mine || at < (char *)mine->page || at >= (char *)mine->page + PAGE ||
	    mprotect(mine->page, PAGE, PROT_READ | PROT_WRITE)) {
		signal(SIGSEGV, SIG_DFL);
		return;
	}
	mine->faults++;
}

/* Integer and floating point registers, live over the whole loop. */
static __attribute__((noinline)) double compute(uint64_t seed)
{
	uint64_t x = seed | 1, y = ~seed;
	double a = 1, b = 0.5;

	for (int i = 0; i < STEPS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		y = y * 6364136223846793005ull + x;
		a = a * 0.999 + (double)(x & 0xff);
		b += a * 1e-6 + (double)(y >> 60);
	}
	return a + b + (double)(uint32_t)(x ^ y);
}

static const char *round_fault(struct lane *lane)
{
	uint64_t before = lane->faults, word = lane->rounds + 1;
	volatile uint64_t *at = &lane->page[lane->rounds % (PAGE / 8)];

	if (mprotect(lane->page, PAGE, PROT_READ))
		return NULL;
	*at = word;
	if (lane->faults != before + 1)
		return "a write to a protected page did not fault once";
	return *at == word ? NULL : "a write that faulted is not there";
}

static const char *round_signal(struct lane *lane)
{
	int tid = syscall(SYS_gettid);

	for (int i = 0; i < 4; i++, lane->sent++)
		syscall(SYS_tgkill, getpid(), tid, SIGUSR2);
	/* a signal to oneself is there when the call returns */
	return lane->got == lane->sent ? NULL : "a signal to itself did not come, or came twice";
}

static const char *round_fork(struct lane *lane)
{
	uint64_t word = ~lane->rounds;
	int status, pid;

	lane->page[0] = word;
	pid = fork();
	if (pid == 0) {
		bool same = lane->page[0] == word;

		lane->page[0] = 1; /* a copy's */
		_exit(same ? CHILD_CODE : 1);
	}
	if (pid < 0)
		return NULL;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_CODE)
		return "a child did not end as it had to";
	return lane->page[0] == word ? NULL : "a child's write is in its parent's page";
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct lane *lane = &lanes[cpu];
	sigset_t tick;

	mine = lane;
	sigemptyset(&tick);
	sigaddset(&tick, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &tick, NULL);
	while (!probe_stopped(run) && !lane->wrong) {
		if (compute(run->seed) != expected)
			lane->wrong = "a computation that signals interrupt came out wrong";
		lane->wrong = lane->wrong ?: round_fault(lane);
		lane->wrong = lane->wrong ?: round_signal(lane);
		lane->wrong = lane->wrong ?: round_fork(lane);
		__atomic_store_n(&lane->rounds, lane->rounds + 1, __ATOMIC_RELAXED);
	}
	pthread_sigmask(SIG_BLOCK, &tick, NULL);
}

/* Ticks are for workers: the thread that sets up keeps them blocked, and they inherit that. */
static enum probe_result setup(struct probe_run *run)
{
	const struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct sigaction other = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (unsigned i = 0; i < run->ncpus; i++) {
		lanes[i].page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (lanes[i].page == MAP_FAILED)
			return probe_error(run, "mmap: %s", strerror(errno));
	}
	expected = compute(run->seed);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGALRM, &other, NULL);
	other.sa_handler = on_sent;
	sigaction(SIGUSR2, &other, NULL);
	if (setitimer(ITIMER_REAL, &tick, NULL))
		return probe_error(run, "setitimer: %s", strerror(errno));
	run->rung = "signals";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t rounds = 0, ticks = 0;

	for (unsigned i = 0; i < run->ncpus; i++) {
		rounds += __atomic_load_n(&lanes[i].rounds, __ATOMIC_RELAXED);
		ticks += __atomic_load_n(&lanes[i].ticks, __ATOMIC_RELAXED);
	}
	probe_count(run, 0, rounds);
	probe_count(run, 1, ticks);
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	for (unsigned i = 0; i < run->ncpus; i++)
		if (lanes[i].wrong)
			return probe_fail(run, FAIL_CORRUPTION "%s (CPU %u, round %llu)",
					  lanes[i].wrong, i,
					  (unsigned long long)lanes[i].rounds);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	const struct itimerval off = { 0 };

	setitimer(ITIMER_REAL, &off, NULL);
}

static PROBE(engine_signals) = {
	.name = "engine-signals",
	.summary = "signals, page faults and fork, checked word for word",
	.hazards = LIST(NULL),
	.counters = LIST("rounds", "ticks"),
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};

const struct probe *engine_stress_find(const char *name)
{
	return strcmp(name, probe_engine_signals.name) ? NULL : &probe_engine_signals;
}
