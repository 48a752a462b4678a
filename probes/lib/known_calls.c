// SPDX-License-Identifier: GPL-2.0-or-later
/* System calls with known results: see known_calls.h. */
#include "probes/lib/known_calls.h"
#include "probes/lib/util.h"
#include "probes/lib/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GROUPS 5 /* of this process */
#define KNOB_PATH "/proc/sys/vm/swappiness"

static char buffer[WIRE_CPUS_MAX][1024] __attribute__((aligned(64)));
/* Stand for what only a run knows. */
#define BUF (-1000000L)   /* the caller's buffer */
#define FD (-1000001L)    /* a file of ours */
#define KNOB (-1000002L)  /* an integer of /proc/sys with limits */
#define EVENT (-1000003L) /* an eventfd, which is written to and read by ways of its own */
#define SCORE (-1000004L) /* a file of /proc likewise */
#define TEXT(text) ((long)(uintptr_t)(text))

/* Calls whose results do not depend on when and on which CPU they are made. */
static const struct call {
	const char *name; /* as the kernel's functions for it are called, after their prefixes */
	long number;
	long args[3];
	bool opens; /* the result is a descriptor, or an error */
} calls[] = {
	{ "epoll_create", SYS_epoll_create, { 0 }, true },
	{ "epoll_create", SYS_epoll_create, { -7 }, true },
	{ "epoll_create", SYS_epoll_create, { 1 }, true },
	{ "getgroups", SYS_getgroups, { 3, BUF } },
	{ "getgroups", SYS_getgroups, { GROUPS, BUF } },
	{ "getgroups", SYS_getgroups, { 9, BUF } },
	{ "getgroups", SYS_getgroups, { -1, BUF } },
	{ "readlink", SYS_readlink, { TEXT("/proc/mounts"), BUF, 0 } },
	{ "readlink", SYS_readlink, { TEXT("/proc/mounts"), BUF, -3 } },
	{ "readlink", SYS_readlink, { TEXT("/proc/mounts"), BUF, 64 } },
	{ "proc_dointvec_minmax", SYS_pwrite64, { KNOB, TEXT("-1\n"), 3 } },
	{ "proc_dointvec_minmax", SYS_pwrite64, { KNOB, TEXT("40\n"), 3 } },
	{ "proc_dointvec_minmax", SYS_pwrite64, { KNOB, TEXT("999\n"), 4 } },
	{ "vfs_write", SYS_write, { EVENT, TEXT("\377\377\377\377\377\377\377\377"), 8 } },
	{ "vfs_write", SYS_write, { EVENT, TEXT("short"), 4 } },
	{ "vfs_read", SYS_pread64, { SCORE, BUF, 64 } },
	{ "lseek", SYS_lseek, { FD, 12345, SEEK_SET } },
	{ "lseek", SYS_lseek, { FD, -1, SEEK_SET } },
	{ "lseek", SYS_lseek, { FD, 7, SEEK_END } },
	{ "lseek", SYS_lseek, { FD, 0, 77 } },
	{ "setpriority", SYS_setpriority, { PRIO_PROCESS, 0, 0 } },
	{ "setpriority", SYS_setpriority, { 9, 0, 0 } },
	{ "getpriority", SYS_getpriority, { PRIO_PROCESS, 0 } },
	{ "getpriority", SYS_getpriority, { 9, 0 } },
	{ "sched_get_priority_max", SYS_sched_get_priority_max, { 1 } },
	{ "sched_get_priority_max", SYS_sched_get_priority_max, { 77 } },
	{ "sched_get_priority_min", SYS_sched_get_priority_min, { 1 } },
	{ "sched_get_priority_min", SYS_sched_get_priority_min, { 77 } },
	{ "sched_getscheduler", SYS_sched_getscheduler, { 0 } },
	{ "sched_getscheduler", SYS_sched_getscheduler, { -1 } },
	{ "sched_getparam", SYS_sched_getparam, { 0, BUF } },
	{ "sched_rr_get_interval", SYS_sched_rr_get_interval, { -1, BUF } },
	{ "sched_rr_get_interval", SYS_sched_rr_get_interval, { 0, BUF } },
	{ "fdatasync", SYS_fdatasync, { FD } },
	{ "ioctl", SYS_ioctl, { FD, 9999, 0 } },
	{ "getpgid", SYS_getpgid, { 0 } },
	{ "getsid", SYS_getsid, { 0 } },
	{ "getuid", SYS_getuid, { 0 } },
	{ "getegid", SYS_getegid, { 0 } },
	{ "getresuid", SYS_getresuid, { BUF, BUF, BUF } },
	{ "getresgid", SYS_getresgid, { BUF, BUF, BUF } },
	{ "personality", SYS_personality, { 0xffffffff } },
	{ "dup", SYS_dup, { 99999 }, true },
	{ "dup", SYS_dup, { FD }, true },
	{ "fcntl", SYS_fcntl, { FD, F_GETFD } },
	{ "fcntl", SYS_fcntl, { FD, 9999 } },
	{ "access", SYS_access, { TEXT("/proc"), R_OK } },
	{ "access", SYS_access, { TEXT("/none"), R_OK } },
	{ "access", SYS_access, { TEXT("/proc"), 99 } },
	{ "getrlimit", SYS_getrlimit, { RLIMIT_CORE, BUF } },
	{ "getrlimit", SYS_getrlimit, { 99, BUF } },
	{ "sysinfo", SYS_sysinfo, { BUF } },
	{ "getrusage", SYS_getrusage, { RUSAGE_SELF, BUF } },
	{ "getrusage", SYS_getrusage, { 77, BUF } },
	{ "newuname", SYS_uname, { BUF } },
	{ "clock_getres", SYS_clock_getres, { CLOCK_MONOTONIC, BUF } },
	{ "clock_getres", SYS_clock_getres, { 77, BUF } },
	{ "mincore", SYS_mincore, { 1, 1, BUF } },
	{ "msync", SYS_msync, { 0, 0, 99 } },
	{ "munlock", SYS_munlock, { 0, 0 } },
	{ "sigaltstack", SYS_sigaltstack, { 0, BUF } },
	{ "capget", SYS_capget, { 0, 0 } },
	{ "prctl", SYS_prctl, { 9999 } },
	{ "ioprio_get", SYS_ioprio_get, { 9, 0 } },
	{ "timerfd_create", SYS_timerfd_create, { 99, 0 }, true },
	{ "timerfd_create", SYS_timerfd_create, { CLOCK_MONOTONIC, 0 }, true },
	{ "eventfd2", SYS_eventfd2, { 0, 99 }, true },
	{ "eventfd2", SYS_eventfd2, { 3, 0 }, true },
	{ "getitimer", SYS_getitimer, { 77, BUF } },
	{ "statfs", SYS_statfs, { TEXT("/proc"), BUF } },
	{ "getdents64", SYS_getdents64, { 99999, BUF, 64 } },
	{ "pipe2", SYS_pipe2, { BUF, 99 } },
	{ "shutdown", SYS_shutdown, { FD, 0 } },
	{ "flock", SYS_flock, { FD, 77 } },
	{ "umask", SYS_umask, { 022 } },
};
#define CALLS (sizeof(calls) / sizeof(*calls))

_Static_assert(CALLS <= KNOWN_CALLS_MAX, "callers have that much room");

static struct {
	int fd, knob, event, score;
	char knob_was[32];
	long want[CALLS];
	bool usable[CALLS];
} state;

static long argument(long arg, unsigned cpu)
{
	return arg == BUF     ? TEXT(buffer[cpu])
	       : arg == FD    ? state.fd
	       : arg == KNOB  ? state.knob
	       : arg == EVENT ? state.event
	       : arg == SCORE ? state.score
			      : arg;
}

/* The result or a negative errno; all descriptors are one. */
static long call_make(const struct call *c, unsigned cpu)
{
	long r = syscall(c->number, argument(c->args[0], cpu), argument(c->args[1], cpu),
			 argument(c->args[2], cpu), 0, 0, 0);

	if (r < 0)
		return -errno;
	if (!c->opens)
		return r;
	close(r);
	return 0;
}

static void files_open(void)
{
	gid_t groups[GROUPS] = { 11, 12, 13, 14, 15 };

	syscall(SYS_setgroups, GROUPS, groups);
	umask(022);
	state.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	state.knob = open(KNOB_PATH, O_RDWR | O_CLOEXEC);
	state.event = eventfd(0, EFD_CLOEXEC);
	state.score = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	if (file_read(KNOB_PATH, state.knob_was, sizeof(state.knob_was)) < 0)
		state.knob_was[0] = '\0';
}

static void *learner_main(void *arg)
{
	for (unsigned i = 0; i < CALLS; i++) {
		state.want[i] = call_make(&calls[i], 0);
		/* What is not the same twice is not known. */
		state.usable[i] = call_make(&calls[i], 0) == state.want[i];
	}
	return NULL;
}

/* By a thread like the workers: the one that sets a probe up has a priority that they have not. */
int known_learn(void)
{
	pthread_t learner;
	int err;

	files_open();
	err = pthread_create(&learner, NULL, learner_main, NULL);
	if (!err)
		pthread_join(learner, NULL);
	return -err;
}

unsigned known_count(void)
{
	return CALLS;
}

const char *known_name(unsigned i)
{
	return calls[i].name;
}

long known_want(unsigned i)
{
	return state.want[i];
}

/* A machine that is full says so, whatever is being probed. */
static bool says_full(long result)
{
	return result == -ENOMEM || result == -EMFILE || result == -ENFILE;
}

bool known_check(unsigned i, unsigned cpu, long *ret_got)
{
	if (!state.usable[i])
		return true;
	*ret_got = call_make(&calls[i], cpu);
	return *ret_got == state.want[i] || says_full(*ret_got);
}

void known_forget(void)
{
	const int fds[] = { state.fd, state.knob, state.event, state.score };

	if (state.knob_was[0])
		file_write(KNOB_PATH, state.knob_was);
	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] > 0)
			close(fds[i]);
}
