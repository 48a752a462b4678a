/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things that probes and the agent share: files of /proc and /sys, CPUs, time, randomness.
 * Functions that return int return 0 (or a count) or a negative errno.
 */
#ifndef KLAB_PROBE_UTIL_H
#define KLAB_PROBE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write a string to a file in one write(2). */
int file_write(const char *path, const char *text);
int file_append(const char *path, const char *text);
/* Read at most size - 1 bytes, NUL-terminated; returns the number of bytes. */
int file_read(const char *path, char *buf, size_t size);
/* The first unsigned number of a file, in decimal. */
int file_read_u64(const char *path, uint64_t *ret);

int cpu_pin(unsigned cpu);
unsigned cpu_count(void);

uint64_t clock_ns(void); /* CLOCK_MONOTONIC */
void sleep_ms(unsigned ms);

/* xorshift64*: same seed, same numbers. The state must not be 0. */
uint64_t rand_next(uint64_t *state);

/* Release of the running kernel as major * 1000 + minor, e.g. 6001. */
unsigned kernel_version(void);

/* A page of user memory, zeroed and locked, for the life of the process; NULL: errno says why. */
void *user_page_make(void);

/* Cut at the buffer's end, always NUL-terminated. */
void text_format(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void text_vformat(char *buf, size_t size, const char *format, va_list ap);

#endif
