// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded, writes down what a program asks its host: a line "open PATH" or "uname" in the file
 * KLAB_TEST_ASKED for each call that goes through the C library. What the loader does before is not
 * seen.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void note(const char *what, const char *path)
{
	int (*really)(const char *, int, ...) = next("open");
	const char *log = getenv("KLAB_TEST_ASKED");
	char line[4200];
	int n, fd;

	if (!log || !really || !path)
		return;
	fd = really(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	n = snprintf(line, sizeof(line), "%s %s\n", what, path);
	if (n >= (int)sizeof(line) || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define WATCH_OPEN(name)                                                                           \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		int (*really)(const char *, int, ...) = next(#name);                               \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		note("open", path);                                                                \
		return really(path, flags, mode);                                                  \
	}
WATCH_OPEN(open)
WATCH_OPEN(open64)

#define WATCH_OPENAT(name)                                                                         \
	int name(int dir, const char *path, int flags, ...)                                        \
	{                                                                                          \
		int (*really)(int, const char *, int, ...) = next(#name);                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		note("open", path);                                                                \
		return really(dir, path, flags, mode);                                             \
	}
WATCH_OPENAT(openat)
WATCH_OPENAT(openat64)

#define WATCH_FOPEN(name)                                                                          \
	FILE *name(const char *path, const char *mode)                                             \
	{                                                                                          \
		FILE *(*really)(const char *, const char *) = next(#name);                         \
		note("open", path);                                                                \
		return really(path, mode);                                                         \
	}
WATCH_FOPEN(fopen)
WATCH_FOPEN(fopen64)

int uname(struct utsname *name)
{
	int (*really)(struct utsname *) = next("uname");

	note("uname", "");
	return really(name);
}
