// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carry out a schedule of jitter on the threads of an engine. See jitter_host.h.
 *
 * A vCPU is attached to for one stop and let go after it, so that between stops its signals (kicks
 * under KVM) go their usual way. Whatever stop comes first will do: in a signal's delivery-stop the
 * signal waits as the thread does and goes on with PTRACE_DETACH; in a group-stop the kernel
 * restores that on PTRACE_DETACH. ptrace(2) listens to one thread, so one thread does all of this.
 *
 * Nothing here waits for a thread other than by polling: a vCPU that gets no host CPU cannot stop
 * either, and a traced thread that died keeps its whole process from being reaped until it is
 * waited for. When the tracer ends, however that comes, the kernel lets go of everything for it.
 */
#include "run/jitter_host.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STOP_SHARE 5   /* as measured, too: after a stop of t none for 5 t */
#define LATE_US 20000  /* actions that we are late for by more are left out */
#define POLL_MIN_US 50 /* for a stop that was asked for */
#define POLL_MAX_US 2000

static const char *const kind_names[] = {
	[JITTER_STOP] = "stop",
	[JITTER_SQUEEZE] = "squeeze",
	[JITTER_IDLE] = "idle",
};

struct vcpu {
	pid_t tid;
	bool gone;
	/* as found */
	cpu_set_t cpus;
	int policy; /* with SCHED_RESET_ON_FORK */
	struct sched_param param;
	/* when that is to be restored; 0: nothing is */
	int64_t squeezed_until_us, idle_until_us;
	int64_t stoppable_us; /* not before */
	int64_t stopped_us;   /* in all */
};

enum hold_state { HOLD_NONE, HOLD_ASKED, HOLD_STOPPED };

/* The one thread that is attached to. */
struct hold {
	enum hold_state state;
	struct vcpu *vcpu;
	int64_t us;       /* how long; 0: let go at once, this one does not count */
	int64_t since_us; /* of the state */
	int signal;       /* that is to be delivered when it goes on */
};

struct jitter_host {
	GThread *thread;
	GMutex lock;
	GCond cond;
	bool ready, quit;            /* under the lock */
	bool rests;                  /* atomic: actions that fall due are left out */
	struct jitter_totals totals; /* likewise */
	/* the thread's alone; `cannot` stays as it is once ready */
	char *cannot[JITTER__COUNT];
	pid_t engine; /* the thread group */
	unsigned n;
	struct vcpu *vcpu;
	struct jitter schedule;
	cpu_set_t cpus; /* that all vCPUs may use */
	unsigned squeezes;
	struct hold hold;
};

static void count(struct jitter_host *h, uint64_t *what)
{
	g_mutex_lock(&h->lock);
	(*what)++;
	g_mutex_unlock(&h->lock);
}

/* Is it still that thread? Its number may be another program's by now, and we may be root. */
static bool is_there(struct jitter_host *h, struct vcpu *v)
{
	if (!v->gone && syscall(SYS_tgkill, h->engine, v->tid, 0) < 0 && errno == ESRCH)
		v->gone = true;
	return !v->gone;
}

/* A call on a thread failed: that it is gone is no failure. */
static void note_failure(struct jitter_host *h, struct vcpu *v)
{
	if (errno == ESRCH)
		v->gone = true;
	else
		count(h, &h->totals.failed);
}

/* --- stops ----------------------------------------------------------------------------------- */

static void hold_enter(struct jitter_host *h, enum hold_state state)
{
	h->hold.state = state;
	h->hold.since_us = g_get_monotonic_time();
}

static bool hold_ask(struct jitter_host *h, struct vcpu *v, int64_t us)
{
	if (ptrace(PTRACE_SEIZE, v->tid, NULL, NULL) < 0)
		return false;
	h->hold = (struct hold){ .vcpu = v, .us = us };
	hold_enter(h, HOLD_ASKED);
	/* This fails if it has died: then it is there to be reaped, see hold_await(). */
	ptrace(PTRACE_INTERRUPT, v->tid, NULL, NULL);
	return true;
}

/* By its own number only: the main thread waits for the engine, the leader of that group. */
static void hold_await(struct jitter_host *h)
{
	struct hold *hold = &h->hold;
	int status;
	pid_t got = waitpid(hold->vcpu->tid, &status, __WALL | WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return;
	if (got < 0 || !WIFSTOPPED(status)) {
		hold->vcpu->gone = true;
		hold_enter(h, HOLD_NONE);
		return;
	}
	hold->signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	hold_enter(h, HOLD_STOPPED);
}

static void hold_account(struct jitter_host *h)
{
	struct vcpu *v = h->hold.vcpu;
	int64_t us = g_get_monotonic_time() - h->hold.since_us;

	v->stopped_us += us;
	v->stoppable_us = h->hold.since_us + STOP_SHARE * us;
	g_mutex_lock(&h->lock);
	h->totals.actions[JITTER_STOP] += h->hold.us > 0;
	h->totals.stopped_us = MAX(h->totals.stopped_us, v->stopped_us);
	g_mutex_unlock(&h->lock);
}

static void hold_release(struct jitter_host *h)
{
	struct hold *hold = &h->hold;
	bool dying = ptrace(PTRACE_DETACH, hold->vcpu->tid, NULL, (long)hold->signal) < 0;

	hold_account(h);
	hold->us = 0;
	hold_enter(h, dying ? HOLD_ASKED : HOLD_NONE);
}

static void hold_step(struct jitter_host *h)
{
	struct hold *hold = &h->hold;

	if (hold->state == HOLD_ASKED)
		hold_await(h);
	if (hold->state == HOLD_STOPPED && g_get_monotonic_time() >= hold->since_us + hold->us)
		hold_release(h);
}

static int64_t hold_wake_us(const struct hold *hold, int64_t now_us)
{
	if (hold->state == HOLD_STOPPED)
		return hold->since_us + hold->us;
	if (hold->state == HOLD_ASKED)
		return now_us + CLAMP((now_us - hold->since_us) / 4, POLL_MIN_US, POLL_MAX_US);
	return G_MAXINT64;
}

static void stop(struct jitter_host *h, struct vcpu *v, int64_t us, int64_t now_us)
{
	if (h->hold.state != HOLD_NONE || now_us < v->stoppable_us)
		return;
	if (!hold_ask(h, v, us))
		note_failure(h, v);
}

/* --- squeezes and idle stretches ------------------------------------------------------------- */

/* The host CPUs take turns. */
static cpu_set_t next_cpu(struct jitter_host *h)
{
	unsigned skip = h->squeezes++ % CPU_COUNT(&h->cpus);
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, &h->cpus) || skip--)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return one;
}

static bool set_cpus(struct jitter_host *h, struct vcpu *v, const cpu_set_t *cpus, int64_t until_us)
{
	if (sched_setaffinity(v->tid, sizeof(*cpus), cpus) < 0) {
		note_failure(h, v);
		return false;
	}
	v->squeezed_until_us = until_us;
	return true;
}

static void squeeze(struct jitter_host *h, struct vcpu *a, struct vcpu *b, int64_t until_us)
{
	cpu_set_t one = next_cpu(h);

	if (is_there(h, b) && set_cpus(h, a, &one, until_us) && set_cpus(h, b, &one, until_us))
		count(h, &h->totals.actions[JITTER_SQUEEZE]);
}

static int set_idle(const struct vcpu *v)
{
	const struct sched_param none = { 0 };

	return sched_setscheduler(v->tid, SCHED_IDLE | (v->policy & SCHED_RESET_ON_FORK), &none);
}

static void idle(struct jitter_host *h, struct vcpu *v, int64_t until_us)
{
	if (set_idle(v) < 0) {
		note_failure(h, v);
		return;
	}
	v->idle_until_us = until_us;
	count(h, &h->totals.actions[JITTER_IDLE]);
}

/* Is that time over? Then it is said once. */
static bool is_over(int64_t *until_us, int64_t now_us)
{
	if (!*until_us || *until_us > now_us)
		return false;
	*until_us = 0;
	return true;
}

static void restore(struct jitter_host *h, struct vcpu *v, int64_t now_us)
{
	if (is_over(&v->squeezed_until_us, now_us) && is_there(h, v))
		set_cpus(h, v, &v->cpus, 0);
	if (is_over(&v->idle_until_us, now_us) && is_there(h, v) &&
	    sched_setscheduler(v->tid, v->policy, &v->param) < 0)
		note_failure(h, v);
}

static int64_t restore_wake_us(const struct vcpu *v)
{
	return MIN(v->squeezed_until_us ?: G_MAXINT64, v->idle_until_us ?: G_MAXINT64);
}

/* --- what this host allows ------------------------------------------------------------------- */

static void cannot(struct jitter_host *h, enum jitter_kind kind, const char *why)
{
	h->cannot[kind] = g_strdup_printf("%s: %s", kind_names[kind], why);
}

/* A first stop, of no length: it tells what a stop does. */
static void try_stop(struct jitter_host *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->vcpu[i].tid == h->engine) {
			cannot(h, JITTER_STOP, "a vCPU runs in the engine's first thread");
			return;
		}
	if (hold_ask(h, &h->vcpu[0], 0))
		return;
	cannot(h, JITTER_STOP,
	       errno == EPERM ? "no permission for ptrace (kernel.yama.ptrace_scope, "
				"a container's seccomp filter, another tracer)"
			      : g_strerror(errno));
}

static void try_squeeze(struct jitter_host *h)
{
	CPU_ZERO(&h->cpus);
	for (unsigned i = 0; i < h->n; i++) {
		struct vcpu *v = &h->vcpu[i];

		if (sched_getaffinity(v->tid, sizeof(v->cpus), &v->cpus) < 0 ||
		    (i == 0 && sched_setaffinity(v->tid, sizeof(v->cpus), &v->cpus) < 0)) {
			cannot(h, JITTER_SQUEEZE, g_strerror(errno));
			return;
		}
		if (i == 0)
			h->cpus = v->cpus;
		CPU_AND(&h->cpus, &h->cpus, &v->cpus);
	}
	if (CPU_COUNT(&h->cpus) < 2)
		cannot(h, JITTER_SQUEEZE, "the vCPUs have no two host CPUs in common");
}

/* Without RLIMIT_NICE only privileged users leave SCHED_IDLE: tried on a thread of our own. */
static gpointer idle_and_back(gpointer unused)
{
	const struct vcpu self = { .policy = SCHED_OTHER };

	if (set_idle(&self) < 0 || sched_setscheduler(0, self.policy, &self.param) < 0)
		return GINT_TO_POINTER(errno);
	return NULL;
}

static const char *find_policies(struct jitter_host *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct vcpu *v = &h->vcpu[i];
		int policy;

		v->policy = sched_getscheduler(v->tid);
		policy = v->policy & ~SCHED_RESET_ON_FORK;
		if (v->policy < 0 || sched_getparam(v->tid, &v->param) < 0)
			return g_strerror(errno);
		if (policy != SCHED_OTHER && policy != SCHED_BATCH)
			return "the vCPUs have a scheduling policy of their own";
		if (i == 0 && sched_setscheduler(v->tid, v->policy, &v->param) < 0)
			return g_strerror(errno);
	}
	return NULL;
}

static void try_idle(struct jitter_host *h)
{
	const char *why = find_policies(h);
	GThread *thread = why ? NULL : g_thread_try_new("jitter-idle", idle_and_back, NULL, NULL);
	int code = thread ? GPOINTER_TO_INT(g_thread_join(thread)) : EAGAIN;

	if (code && !why)
		why = code == EPERM
			      ? "no permission to leave SCHED_IDLE (CAP_SYS_NICE, RLIMIT_NICE)"
			      : g_strerror(code);
	if (why)
		cannot(h, JITTER_IDLE, why);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void act(struct jitter_host *h, const struct jitter_action *a, int64_t now_us)
{
	struct vcpu *v = &h->vcpu[a->vcpu];

	if (h->cannot[a->kind] || !is_there(h, v))
		return;
	if (a->kind == JITTER_STOP)
		stop(h, v, a->us, now_us);
	else if (a->kind == JITTER_SQUEEZE)
		squeeze(h, v, &h->vcpu[a->other], now_us + a->us);
	else
		idle(h, v, now_us + a->us);
}

/* Everything that is due; when there will be more. */
static int64_t step(struct jitter_host *h, int64_t begin_us, struct jitter_action *next)
{
	int64_t now_us = g_get_monotonic_time(), wake_us;

	hold_step(h);
	for (unsigned i = 0; i < h->n; i++)
		restore(h, &h->vcpu[i], now_us);
	for (; begin_us + next->at_us <= now_us; jitter_next(&h->schedule, next))
		if (begin_us + next->at_us + LATE_US > now_us &&
		    !__atomic_load_n(&h->rests, __ATOMIC_RELAXED))
			act(h, next, now_us);
	wake_us = MIN(begin_us + next->at_us, hold_wake_us(&h->hold, now_us));
	for (unsigned i = 0; i < h->n; i++)
		wake_us = MIN(wake_us, restore_wake_us(&h->vcpu[i]));
	return wake_us;
}

/* What does not stop in time is let go by the kernel, when this thread ends. */
static void undo(struct jitter_host *h)
{
	int64_t until_us = g_get_monotonic_time() + JITTER_STOP_MAX_US;

	for (unsigned i = 0; i < h->n; i++)
		restore(h, &h->vcpu[i], G_MAXINT64);
	h->hold.us = 0;
	for (hold_step(h); h->hold.state && g_get_monotonic_time() < until_us; hold_step(h))
		g_usleep(POLL_MIN_US);
}

/* Signals are the main thread's. */
static void be_quiet(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void become_ready(struct jitter_host *h)
{
	try_squeeze(h);
	try_idle(h);
	try_stop(h);
	g_mutex_lock(&h->lock);
	h->ready = true;
	g_cond_broadcast(&h->cond);
	g_mutex_unlock(&h->lock);
}

static bool wait_until(struct jitter_host *h, int64_t until_us)
{
	bool quit;

	g_mutex_lock(&h->lock);
	while (!h->quit && g_cond_wait_until(&h->cond, &h->lock, until_us))
		;
	quit = h->quit;
	g_mutex_unlock(&h->lock);
	return !quit;
}

static gpointer jitter_thread(gpointer user)
{
	struct jitter_host *h = user;
	struct jitter_action next;
	int64_t begin_us;

	be_quiet();
	/* Ahead of the vCPUs, where that is allowed: a stop is as long as we take to end it. */
	setpriority(PRIO_PROCESS, 0, -20);
	become_ready(h);
	begin_us = g_get_monotonic_time();
	jitter_next(&h->schedule, &next);
	while (wait_until(h, step(h, begin_us, &next)))
		;
	undo(h);
	return NULL;
}

/* --- outside --------------------------------------------------------------------------------- */

/* The process that a thread is of; 0: there is no such thread. */
static pid_t engine_of(pid_t tid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)tid), *text = NULL;
	const char *line;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !(line = strstr(text, "\nTgid:")))
		return 0;
	return g_ascii_strtoll(line + strlen("\nTgid:"), NULL, 10);
}

static char *join_cannot(const struct jitter_host *h, unsigned *ret_n)
{
	GPtrArray *all = g_ptr_array_new();
	char *text;

	for (unsigned i = 0; i < JITTER__COUNT; i++)
		if (h->cannot[i])
			g_ptr_array_add(all, h->cannot[i]);
	*ret_n = all->len;
	g_ptr_array_add(all, NULL);
	text = *ret_n ? g_strjoinv("; ", (char **)all->pdata) : NULL;
	g_ptr_array_free(all, TRUE);
	return text;
}

/* Without permission for anything the thread only waits for its end. */
static struct jitter_host *start_thread(const pid_t *tid, unsigned n, uint64_t seed, GError **error)
{
	struct jitter_host *h = g_new0(struct jitter_host, 1);

	g_mutex_init(&h->lock);
	g_cond_init(&h->cond);
	h->engine = engine_of(tid[0]);
	h->n = n;
	h->vcpu = g_new0(struct vcpu, n);
	for (unsigned i = 0; i < n; i++)
		h->vcpu[i].tid = tid[i];
	jitter_init(&h->schedule, n, seed);
	h->thread = g_thread_try_new("jitter", jitter_thread, h, error);
	g_mutex_lock(&h->lock);
	while (h->thread && !h->ready)
		g_cond_wait(&h->cond, &h->lock);
	g_mutex_unlock(&h->lock);
	return h;
}

bool jitter_host_start(const pid_t *tid, unsigned n, uint64_t seed, struct jitter_host **ret,
		       char **ret_cannot, GError **error)
{
	g_autoptr(jitter_host) h = NULL;
	g_autofree char *text = NULL;
	unsigned n_cannot;

	if (!n || engine_of(tid[0]) <= 0)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED, "no vCPU threads are known here");
	h = start_thread(tid, n, seed, error);
	if (!h->thread)
		return lab_prefix(error, "jitter");
	text = join_cannot(h, &n_cannot);
	if (n_cannot == JITTER__COUNT)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED,
				"this host does not let us jitter vCPU threads: %s", text);
	*ret_cannot = g_steal_pointer(&text);
	*ret = g_steal_pointer(&h);
	return true;
}

void jitter_host_read(struct jitter_host *h, struct jitter_totals *ret)
{
	g_mutex_lock(&h->lock);
	*ret = h->totals;
	g_mutex_unlock(&h->lock);
}

void jitter_host_rest(struct jitter_host *h, bool rest)
{
	__atomic_store_n(&h->rests, rest, __ATOMIC_RELAXED);
}

void jitter_host_stop(struct jitter_host *h)
{
	if (!h)
		return;
	g_mutex_lock(&h->lock);
	h->quit = true;
	g_cond_broadcast(&h->cond);
	g_mutex_unlock(&h->lock);
	if (h->thread)
		g_thread_join(h->thread);
	jitter_clear(&h->schedule);
	for (unsigned i = 0; i < JITTER__COUNT; i++)
		g_free(h->cannot[i]);
	g_free(h->vcpu);
	g_cond_clear(&h->cond);
	g_mutex_clear(&h->lock);
	g_free(h);
}
