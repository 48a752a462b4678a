// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run/jitter_host on a program of ours in place of an engine: its threads count, and tell of no
 * interruption but by standing still. What a host forbids is skipped, with its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run/jitter_host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREADS 4
#define LIMIT_US (20 * G_USEC_PER_SEC) /* of anything: a slow host, not a wrong one */

struct worker {
	pid_t tid;
	uint64_t count;   /* goes up every 100 us or so */
	uint64_t signals; /* taken */
	uint64_t lost;    /* raised, and not taken when that returned */
	bool raises, leave;
};

struct engine {
	pid_t pid;
	struct worker *worker; /* shared */
	pid_t tid[THREADS];
};

static int linger_us; /* between seizing a thread and stopping it */

/* In place of libc's: a signal can come first, which is rare otherwise. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t tid;
	void *addr, *data;

	va_start(ap, request);
	tid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_INTERRUPT)
		g_usleep(linger_us);
	return syscall(SYS_ptrace, (long)request, (long)tid, addr, data);
}

static __thread struct worker *self;

static void on_signal(int unused)
{
	__atomic_add_fetch(&self->signals, 1, __ATOMIC_RELAXED);
}

/* A signal that a thread sends itself is there before that returns. */
static void raise_one(struct worker *w)
{
	uint64_t before = w->signals;

	raise(SIGUSR1);
	w->lost += __atomic_load_n(&w->signals, __ATOMIC_RELAXED) == before;
}

static void *work(void *arg)
{
	self = arg;
	__atomic_store_n(&self->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&self->leave, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&self->count, 1, __ATOMIC_RELAXED);
		if (__atomic_load_n(&self->raises, __ATOMIC_RELAXED))
			raise_one(self);
		usleep(50);
	}
	return NULL;
}

static void run_engine(struct worker *worker)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, work, &worker[i]))
			_exit(1);
	for (;;)
		pause();
}

static uint64_t counted(const struct engine *e, int i)
{
	return __atomic_load_n(&e->worker[i].count, __ATOMIC_RELAXED);
}

static bool start_engine(struct engine *e)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;

	e->worker = mmap(NULL, THREADS * sizeof(*e->worker), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	e->pid = fork();
	if (e->pid == 0)
		run_engine(e->worker);
	for (int i = 0; i < THREADS; i++) {
		while (!counted(e, i) && g_get_monotonic_time() < until_us)
			g_usleep(1000);
		e->tid[i] = __atomic_load_n(&e->worker[i].tid, __ATOMIC_ACQUIRE);
	}
	return counted(e, THREADS - 1) > 0;
}

/* Reaped by its number from this thread, as guest/qemu.c does it; false: it hangs. */
static bool end_engine(struct engine *e)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;
	int status = 0;
	bool reaped;

	kill(e->pid, SIGKILL);
	while (!(reaped = waitpid(e->pid, &status, WNOHANG) == e->pid) &&
	       g_get_monotonic_time() < until_us)
		g_usleep(1000);
	munmap(e->worker, THREADS * sizeof(*e->worker));
	return reaped && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* The state's letter of a thread; '\0': it is gone. */
static char state_of(const struct engine *e, int i)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/stat", e->pid, e->tid[i]);
	g_autofree char *text = NULL;
	const char *at;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !(at = strrchr(text, ')')))
		return '\0';
	return at[2];
}

/* -1: none is stopped; -2: more than one. */
static int stopped_one(const struct engine *e)
{
	int found = -1;

	for (int i = 0; i < THREADS; i++)
		if (state_of(e, i) == 't')
			found = found == -1 ? i : -2;
	return found;
}

/* In the middle of a stop: of one that has lasted for a while, unlike the first one, which is a
 * try. */
static bool is_in_stop(const struct engine *e)
{
	int one = stopped_one(e);

	g_usleep(300);
	return one >= 0 && stopped_one(e) == one;
}

/* All count on, and none is as it was not before. */
static bool all_run(const struct engine *e)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;

	for (int i = 0; i < THREADS; i++) {
		uint64_t before = counted(e, i);

		while (counted(e, i) < before + 10)
			if (g_usleep(1000), g_get_monotonic_time() > until_us)
				return false;
	}
	return true;
}

/* NULL, with the test skipped unless it can do without: `kind` does not work here. */
static struct jitter_host *start(const struct engine *e, uint64_t seed, const char *kind)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *cannot = NULL;
	struct jitter_host *h = NULL;

	if (!jitter_host_start(e->tid, THREADS, seed, &h, &cannot, &error))
		print_message("%s\n", error->message);
	else if (cannot)
		print_message("not on this host: %s\n", cannot);
	if (h && cannot && kind && strstr(cannot, kind))
		g_clear_pointer(&h, jitter_host_stop);
	return h;
}

static struct jitter_totals totals_of(struct jitter_host *h)
{
	struct jitter_totals t;

	jitter_host_read(h, &t);
	return t;
}

/* --- stops ----------------------------------------------------------------------------------- */

struct seen {
	unsigned stops, moved; /* one stood still; it did not */
	uint64_t others;       /* counted by the others meanwhile */
};

/* Look once. What took long is no look: that stop may be over and another one on. */
static void look(const struct engine *e, struct seen *seen)
{
	uint64_t before[THREADS], after[THREADS];
	int64_t begin_us = g_get_monotonic_time();
	int one = stopped_one(e), still;

	for (int i = 0; i < THREADS; i++)
		before[i] = counted(e, i);
	g_usleep(400);
	for (int i = 0; i < THREADS; i++)
		after[i] = counted(e, i);
	still = stopped_one(e);
	if (one == -1 || still != one || g_get_monotonic_time() - begin_us > 3000)
		return;
	assert_int_not_equal(one, -2);
	seen->stops++;
	seen->moved += before[one] != after[one];
	for (int i = 0; i < THREADS; i++)
		seen->others += i == one ? 0 : after[i] - before[i];
}

static void stops_one(void **state)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US, begin_us;
	struct jitter_totals t = { 0 };
	struct engine e;
	struct seen seen = { 0 };
	struct jitter_host *h;

	assert_true(start_engine(&e));
	begin_us = g_get_monotonic_time();
	h = start(&e, 1, "stop:");
	while (h && (seen.stops < 15 || t.actions[JITTER_STOP] < 5) &&
	       g_get_monotonic_time() < until_us) {
		look(&e, &seen);
		t = totals_of(h);
	}
	jitter_host_stop(h);
	assert_true(all_run(&e));
	assert_int_equal(stopped_one(&e), -1);
	begin_us = g_get_monotonic_time() - begin_us;
	assert_true(end_engine(&e));
	if (!h)
		skip();
	assert_true(seen.stops >= 15);
	assert_int_equal(seen.moved, 0);
	assert_true(seen.others > 15);
	assert_int_equal(t.failed, 0);
	assert_true(t.stopped_us >= 1000 && t.stopped_us <= begin_us / 5 + 100000);
}

static uint64_t actions_of(struct jitter_host *h)
{
	struct jitter_totals t = totals_of(h);

	return t.actions[JITTER_STOP] + t.actions[JITTER_SQUEEZE] + t.actions[JITTER_IDLE];
}

/* A rest begins nothing, and ends. */
static void rests(void **state)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;
	struct engine e;
	struct jitter_host *h;
	uint64_t before = 0;

	assert_true(start_engine(&e));
	h = start(&e, 1, NULL);
	if (h) {
		jitter_host_rest(h, true);
		g_usleep(50000);	/* what was being decided on */
		before = actions_of(h);
		g_usleep(300000);
		assert_int_equal(actions_of(h), before);
		jitter_host_rest(h, false);
		while (actions_of(h) == before && g_get_monotonic_time() < until_us)
			g_usleep(10000);
		assert_true(actions_of(h) > before);
	}
	jitter_host_stop(h);
	assert_true(end_engine(&e));
	if (!h)
		skip();
}

static uint64_t signals_of(const struct engine *e, int i)
{
	return __atomic_load_n(&e->worker[i].signals, __ATOMIC_RELAXED);
}

/* Stops that begin with a signal on its way to the thread: none is lost. */
static void signals_arrive(void **state)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;
	struct engine e;
	struct jitter_host *h;

	assert_true(start_engine(&e));
	for (int i = 0; i < THREADS; i++)
		e.worker[i].raises = true;
	linger_us = 1000;
	h = start(&e, 2, "stop:");
	while (h && totals_of(h).actions[JITTER_STOP] < 10 && g_get_monotonic_time() < until_us)
		g_usleep(5000);
	jitter_host_stop(h);
	linger_us = 0;
	for (int i = 0; i < THREADS; i++) {
		assert_true(signals_of(&e, i) > 0);
		assert_int_equal(e.worker[i].lost, 0);
	}
	assert_true(end_engine(&e));
	if (!h)
		skip();
}

/* And soon: a kick that waits is a vCPU that hangs. */
static void signals_in_time(void **state)
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US, longest_us = 0;
	struct engine e;
	struct jitter_host *h;

	assert_true(start_engine(&e));
	h = start(&e, 2, "stop:");
	for (unsigned sent = 0; h && sent < 200; sent++) {
		int64_t begin_us = g_get_monotonic_time();

		assert_int_equal(syscall(SYS_tgkill, e.pid, e.tid[0], SIGUSR1), 0);
		while (signals_of(&e, 0) == sent && g_get_monotonic_time() < until_us)
			g_usleep(100);
		longest_us = MAX(longest_us, g_get_monotonic_time() - begin_us);
	}
	jitter_host_stop(h);
	assert_true(end_engine(&e));
	if (!h)
		skip();
	assert_true(longest_us < G_USEC_PER_SEC);
}

/* SIGSTOP of the whole engine holds, and SIGCONT ends it, whatever we do to its threads. */
static void group_stop(void **state)
{
	struct engine e;
	struct jitter_host *h;
	uint64_t sum[2] = { 0 };

	assert_true(start_engine(&e));
	h = start(&e, 3, "stop:");
	for (int round = 0; h && round < 2; round++) {
		kill(e.pid, SIGSTOP);
		for (int i = 0; i < THREADS; i++)
			while (!strchr("Tt", state_of(&e, i)))
				g_usleep(1000);
		g_usleep(10000); /* a stop of ours in which SIGSTOP came is over */
		for (int look = 0; look < 2; look++, g_usleep(look ? 100000 : 0))
			for (int i = 0; i < THREADS; i++)
				sum[look] += counted(&e, i);
		kill(e.pid, SIGCONT);
		assert_true(all_run(&e));
	}
	jitter_host_stop(h);
	assert_true(all_run(&e));
	assert_true(end_engine(&e));
	if (!h)
		skip();
	assert_int_equal(sum[0], sum[1]);
}

/* The engine is killed in the middle of a stop: it can be reaped, and we end. */
static void engine_dies(void **state)
{
	bool any = false;

	for (int round = 0; round < 5; round++) {
		int64_t until_us = g_get_monotonic_time() + LIMIT_US;
		struct engine e;
		struct jitter_host *h;

		assert_true(start_engine(&e));
		h = start(&e, 10 + round, "stop:");
		while (h && !is_in_stop(&e))
			assert_true(g_get_monotonic_time() < until_us);
		any = h != NULL;
		if (round % 2) { /* whoever comes first */
			jitter_host_stop(h);
			assert_true(end_engine(&e));
		} else {
			assert_true(end_engine(&e));
			jitter_host_stop(h);
		}
		assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
	if (!any)
		skip();
}

/* Threads end one by one, the others are jittered on; at last there is none. */
static void threads_leave(void **state)
{
	struct engine e;
	struct jitter_host *h;
	struct jitter_totals t = { 0 };

	assert_true(start_engine(&e));
	h = start(&e, 4, NULL);
	for (int i = 0; h && i < THREADS; i++) {
		uint64_t before = totals_of(h).actions[JITTER_STOP];
		int64_t until_us = g_get_monotonic_time() + 300000;

		e.worker[i].leave = true;
		while (state_of(&e, i))
			g_usleep(1000);
		while (i < THREADS - 1 && totals_of(h).actions[JITTER_STOP] < before + 3 &&
		       g_get_monotonic_time() < until_us)
			g_usleep(1000);
	}
	if (h)
		t = totals_of(h);
	jitter_host_stop(h);
	assert_int_equal(waitpid(e.pid, NULL, WNOHANG), 0);
	assert_true(end_engine(&e));
	if (!h)
		skip();
	assert_int_equal(t.failed, 0);
}

/* --- squeezes and idle stretches ------------------------------------------------------------- */

struct look {
	cpu_set_t cpus;
	int policy, nice;
};

static void look_at(pid_t tid, struct look *ret)
{
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(sched_getaffinity(tid, sizeof(ret->cpus), &ret->cpus), 0);
	ret->policy = sched_getscheduler(tid);
	ret->nice = getpriority(PRIO_PROCESS, tid);
}

/* Two share a host CPU that they did not before. */
static bool is_squeezed(const struct look *was, const struct look *is)
{
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < i; j++)
			if (CPU_COUNT(&is[i].cpus) == 1 && CPU_COUNT(&was[i].cpus) > 1 &&
			    CPU_EQUAL(&is[i].cpus, &is[j].cpus))
				return true;
	return false;
}

static bool is_idle(const struct look *was, const struct look *is)
{
	for (int i = 0; i < THREADS; i++)
		if ((is[i].policy & ~SCHED_RESET_ON_FORK) == SCHED_IDLE)
			return true;
	return false;
}

/* Seen by others while it lasts, and all as it was afterwards. */
static void check_stretches(enum jitter_kind kind, const char *name,
			    bool (*is_so)(const struct look *was, const struct look *is))
{
	int64_t until_us = g_get_monotonic_time() + LIMIT_US;
	struct look was[THREADS], is[THREADS];
	struct engine e;
	struct jitter_host *h;
	struct jitter_totals t = { 0 };
	unsigned seen = 0;

	assert_true(start_engine(&e));
	/* a thread with a nice of its own, and one that is batch: both are to be so afterwards */
	setpriority(PRIO_PROCESS, e.tid[1], 15);
	sched_setscheduler(e.tid[2], SCHED_BATCH | SCHED_RESET_ON_FORK, &(struct sched_param){ 0 });
	for (int i = 0; i < THREADS; i++)
		look_at(e.tid[i], &was[i]);
	h = start(&e, 5, name);
	while (h && (seen < 5 || t.actions[kind] < 5) && g_get_monotonic_time() < until_us) {
		for (int i = 0; i < THREADS; i++)
			look_at(e.tid[i], &is[i]);
		seen += is_so(was, is);
		g_usleep(2000);
		t = totals_of(h);
	}
	jitter_host_stop(h);
	for (int i = 0; i < THREADS; i++) {
		look_at(e.tid[i], &is[i]);
		assert_memory_equal(&is[i], &was[i], sizeof(was[i]));
	}
	assert_true(end_engine(&e));
	if (!h)
		skip();
	assert_true(seen >= 5);
	assert_true(t.actions[kind] >= 5);
	assert_int_equal(t.failed, 0);
}

static void squeezes(void **state)
{
	check_stretches(JITTER_SQUEEZE, "squeeze:", is_squeezed);
}

static void idles(void **state)
{
	check_stretches(JITTER_IDLE, "idle:", is_idle);
}

/* --- hosts that forbid it -------------------------------------------------------------------- */

/* As a user that is neither root nor the engine's: nothing works, and it is said. */
static int try_foreign(const struct engine *e)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *cannot = NULL;
	struct jitter_host *h = NULL;

	if (geteuid() != 0 || setresuid(65534, 65534, 65534) < 0)
		return 77;
	if (jitter_host_start(e->tid, THREADS, 1, &h, &cannot, &error))
		return 1;
	return strstr(error->message, "stop: ") && strstr(error->message, "squeeze: ") &&
			       strstr(error->message, "idle: ") && !h && !cannot
		       ? 0
		       : 2;
}

/* As a user without privileges on an engine of his own: what cannot be undone is not begun. */
static int try_unprivileged(const struct engine *unused)
{
	const struct rlimit no_nice = { 0 };
	g_autoptr(GError) error = NULL;
	g_autofree char *cannot = NULL;
	struct jitter_host *h = NULL;
	struct engine e;
	bool idle = false, none;

	/* a caller's own policy (chrt) is inherited: then idle is left out for another reason */
	if (sched_getscheduler(0) != SCHED_OTHER)
		return 77;
	if ((geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) ||
	    setrlimit(RLIMIT_NICE, &no_nice) < 0)
		return 77;
	prctl(PR_SET_DUMPABLE, 1);
	if (!start_engine(&e))
		return 3;
	none = !jitter_host_start(e.tid, THREADS, 1, &h, &cannot, &error);
	for (int i = 0; !none && i < 50; i++, g_usleep(5000))
		for (int j = 0; j < THREADS; j++)
			idle |= sched_getscheduler(e.tid[j]) == SCHED_IDLE;
	jitter_host_stop(h);
	if (!end_engine(&e))
		return 4;
	if (none)
		return 77;
	return idle || !cannot || !strstr(cannot, "idle: no permission") ? 5 : 0;
}

static void as_other(int (*what)(const struct engine *e))
{
	struct engine e;
	pid_t pid;
	int status;

	assert_true(start_engine(&e));
	pid = fork();
	if (pid == 0)
		_exit(what(&e));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(end_engine(&e));
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("not as this user, or under a scheduling policy of its own\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void foreign(void **state)
{
	as_other(try_foreign);
}

static void unprivileged(void **state)
{
	as_other(try_unprivileged);
}

static void nobody_there(void **state)
{
	const pid_t none = 0x7ffffff0;
	g_autoptr(GError) error = NULL;
	g_autofree char *cannot = NULL;
	struct jitter_host *h = NULL;

	assert_false(jitter_host_start(NULL, 0, 1, &h, &cannot, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED));
	assert_false(jitter_host_start(&none, 1, 1, &h, &cannot, NULL));
	assert_null(h);
	assert_null(cannot);
	jitter_host_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rests), cmocka_unit_test(stops_one),       cmocka_unit_test(signals_arrive),
		cmocka_unit_test(signals_in_time), cmocka_unit_test(group_stop),
		cmocka_unit_test(engine_dies),     cmocka_unit_test(threads_leave),
		cmocka_unit_test(squeezes),        cmocka_unit_test(idles),
		cmocka_unit_test(foreign),         cmocka_unit_test(unprivileged),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
