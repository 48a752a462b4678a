/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault points: the Nth of open(), write() and fdatasync() fails as told. For test programs that are
 * linked with --wrap of these (CMakeLists.txt: names that end in _faults). Include once.
 */
#ifndef KLAB_TESTS_FAULTS_H
#define KLAB_TESTS_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum fault_kind {
	FAULT_ONCE,	/* that call fails with ENOSPC, later ones work again */
	FAULT_FULL,	/* that call and all later ones fail with ENOSPC; removing still works */
	FAULT_SHORT,	/* that write takes half of its bytes, then it is as FAULT_FULL */
	FAULT_IO,	/* that call fails with EIO */
	FAULT_SIGNAL,	/* that write is interrupted (EINTR): nothing may come of it */
	FAULT__COUNT
};

static struct {
	enum fault_kind kind;
	unsigned at, calls;	/* at 0: none */
	bool fired;
} fault;

static inline void fault_set(enum fault_kind kind, unsigned at)
{
	fault.kind = kind;
	fault.at = at;
	fault.calls = 0;
	fault.fired = false;
}

/* Count a call; true: it fails, with errno set. `n` (or NULL) is how many bytes it should write. */
static inline bool fault_hits(size_t *n)
{
	bool now, after;

	if (!fault.at)
		return false;
	fault.calls++;
	now = fault.calls == fault.at;
	after = fault.calls > fault.at && (fault.kind == FAULT_FULL || fault.kind == FAULT_SHORT);
	if (now && (fault.kind == FAULT_SIGNAL || fault.kind == FAULT_SHORT) && !n) {
		fault.at++;	/* means writes alone: the next one, then */
		return false;
	}
	fault.fired |= now;
	if (now && fault.kind == FAULT_SHORT && *n > 1) {
		*n /= 2;
		return false;
	}
	errno = fault.kind == FAULT_IO ? EIO : fault.kind == FAULT_SIGNAL ? EINTR : ENOSPC;
	return now || after;
}

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n)
{
	return fault_hits(&n) ? -1 : __real_write(fd, data, n);
}

/* Thousands of rounds: what a real one costs is time, and no power is cut here. */
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	return fault_hits(NULL) ? -1 : 0;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, int);
	va_end(ap);
	if ((flags & O_CREAT) && fault_hits(NULL))
		return -1;
	return __real_open(path, flags, mode);
}

#endif
