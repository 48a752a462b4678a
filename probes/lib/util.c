// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of /proc and /sys, CPUs, time, randomness: see util.h. No allocation, no stdio streams. */
#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int write_flags(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

int file_write(const char *path, const char *text)
{
	return write_flags(path, text, 0);
}

int file_append(const char *path, const char *text)
{
	return write_flags(path, text, O_APPEND);
}

int file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		len += n;
	}
	close(fd);
	buf[len] = '\0';
	return len;
}

int file_read_u64(const char *path, uint64_t *ret)
{
	char buf[64], *end;
	int n = file_read(path, buf, sizeof(buf));
	uint64_t value;

	if (n < 0)
		return n;
	errno = 0;
	value = strtoull(buf, &end, 10);
	if (end == buf || errno)
		return -EINVAL;
	*ret = value;
	return 0;
}

int cpu_pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

unsigned cpu_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n;
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void sleep_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	nanosleep(&ts, NULL);
}

uint64_t rand_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

unsigned kernel_version(void)
{
	struct utsname u;
	char *end;
	unsigned long major, minor = 0;

	if (uname(&u))
		return 0;
	major = strtoul(u.release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	return major * 1000 + minor;
}

void text_vformat(char *buf, size_t size, const char *format, va_list ap)
{
	if (vsnprintf(buf, size, format, ap) < 0)
		buf[0] = '\0';
}

void text_format(char *buf, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	text_vformat(buf, size, format, ap);
	va_end(ap);
}

void *user_page_make(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	mlock(page, 4096);
	return page;
}
