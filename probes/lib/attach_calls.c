// SPDX-License-Identifier: GPL-2.0-or-later
/* What a worker can make the kernel run, and what must come back: see attach_calls.h. */
#include "probes/lib/attach_calls.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

int attach_pgid, attach_sid;

static pthread_mutex_t tell = PTHREAD_MUTEX_INITIALIZER;
static char wrong[PROBE_REASON_MAX];
static long priority;

void attach_found(const char *format, ...)
{
	va_list ap;

	pthread_mutex_lock(&tell);
	va_start(ap, format);
	if (!wrong[0])
		text_vformat(wrong, sizeof(wrong), format, ap);
	va_end(ap);
	pthread_mutex_unlock(&tell);
}

const char *attach_finding(void)
{
	return wrong[0] ? wrong : NULL;
}

int attach_calls_init(struct attach_seat *seats, unsigned n)
{
	attach_pgid = getpgid(0);
	attach_sid = getsid(0);
	priority = syscall(SYS_getpriority, PRIO_PROCESS, 0);
	for (unsigned i = 0; i < n; i++) {
		seats[i].page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (seats[i].page == MAP_FAILED)
			return -errno;
	}
	return 0;
}

void call_getpgid(struct attach_seat *seat)
{
	if (syscall(SYS_getpgid, 0) != attach_pgid)
		attach_found(FAIL_CORRUPTION "getpgid() gave another result under a program");
	seat->calls[CALL_GETPGID]++;
}

void call_getegid(struct attach_seat *seat)
{
	if (syscall(SYS_getegid) != 0)
		attach_found(FAIL_CORRUPTION "getegid() gave another result under a program");
	seat->calls[CALL_GETEGID]++;
}

void call_getuid(struct attach_seat *seat)
{
	if (syscall(SYS_getuid) != 0)
		attach_found(FAIL_CORRUPTION "getuid() gave another result under a program");
	seat->calls[CALL_GETUID]++;
}

void call_rename(struct attach_seat *seat)
{
	prctl(PR_SET_NAME, "klab-attach");
	seat->calls[CALL_RENAME]++;
}

/* A page that the kernel did not take back does not fault. */
void call_fault(struct attach_seat *seat)
{
	bool gone = !madvise(seat->page, PAGE, MADV_DONTNEED);

	*(volatile char *)seat->page = 1;
	seat->calls[CALL_FAULT] += gone;
}

void call_getsid(struct attach_seat *seat)
{
	if (syscall(SYS_getsid, 0) != attach_sid)
		attach_found(FAIL_CORRUPTION "getsid() gave another result under a program");
}

void call_geteuid(struct attach_seat *seat)
{
	if (syscall(SYS_geteuid) != 0)
		attach_found(FAIL_CORRUPTION "geteuid() gave another result under a program");
}

void call_getpriority(struct attach_seat *seat)
{
	if (syscall(SYS_getpriority, PRIO_PROCESS, 0) != priority)
		attach_found(FAIL_CORRUPTION "getpriority() gave another result under a program");
}

void call_wait(struct attach_seat *seat)
{
	waitpid(-1, NULL, WNOHANG); /* no children: the tracepoint and ECHILD */
}

/* Locks that all threads of a process share. */
static void call_sigmask(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void attach_calls_burst(struct attach_seat *seat)
{
	for (int i = 0; i < ATTACH_BURST; i++) {
		call_getpgid(seat);
		call_getegid(seat);
		call_getuid(seat);
		call_rename(seat);
		call_sigmask();
		if (i % 4 == 0)
			call_fault(seat);
	}
}
