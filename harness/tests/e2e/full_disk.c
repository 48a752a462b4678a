// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A full disk for tests where nothing may be mounted (LD_PRELOAD): while the file KLAB_FULL_FLAG
 * exists, what makes or grows files below KLAB_FULL_DIR fails with ENOSPC. Files elsewhere, reading
 * and removing work as ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_full(const char *path)
{
	const char *dir = getenv("KLAB_FULL_DIR"), *flag = getenv("KLAB_FULL_FLAG");

	return dir && flag && strncmp(path, dir, strlen(dir)) == 0 && access(flag, F_OK) == 0;
}

static int fail(void)
{
	errno = ENOSPC;
	return -1;
}

ssize_t write(int fd, const void *data, size_t len)
{
	ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return is_full(path) ? fail() : next(fd, data, len);
}

int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, int);
	va_end(ap);
	if ((flags & O_CREAT) && access(path, F_OK) != 0 && is_full(path))
		return fail();
	return next(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
	int (*next)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");

	return access(path, F_OK) != 0 && is_full(path) ? fail() : next(path, mode);
}
