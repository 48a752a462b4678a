/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every file of the harness stands on: errors, cleanup attributes, the clock.
 *
 * Errors are sentences for the user: one, in single-quoted values, without a full stop; what to do
 * next follows on a second line ("hint: ..."). Each layer prefixes its noun with lab_prefix().
 */
#ifndef KLAB_BASE_LAB_H
#define KLAB_BASE_LAB_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum lab_error {
	LAB_ERROR_INFRA,	/* the lab failed: never a statement on a kernel */
	LAB_ERROR_USAGE,	/* command line or configuration */
	LAB_ERROR_INPUT,	/* bytes from outside are not what they should be */
	LAB_ERROR_UNAVAILABLE,	/* a thing could not be had; the rest goes on */
	LAB_ERROR_UNSUPPORTED,	/* asked for something this backend or host cannot do */
	LAB_ERROR_TIMEOUT,
	LAB_ERROR_INTERRUPTED,
	LAB_ERROR_NO_SPACE,	/* a disk or a quota is full: the work is still to be done */
};

#define LAB_ERROR lab_error_quark()
GQuark lab_error_quark(void);

/* Set *error (unless NULL or already set) and return false, so that `return lab_fail(...)` reads well. */
bool lab_fail(GError **error, enum lab_error code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* As lab_fail(LAB_ERROR_INFRA, or _NO_SPACE where errno says so), followed by ": strerror(errno)". */
bool lab_fail_errno(GError **error, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Put "prefix: " before the message of *error; does nothing if there is none. Returns false. */
bool lab_prefix(GError **error, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static inline void lab_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
/* A descriptor that closes with its scope; -1 is none. */
#define auto_fd __attribute__((cleanup(lab_fd_close))) int

static inline int lab_fd_steal(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

/* Time for pure code and tests: monotonic microseconds. */
struct clock {
	int64_t (*now_us)(const struct clock *clock);
};
extern const struct clock clock_monotonic;

static inline int64_t clock_now_us(const struct clock *clock)
{
	return clock->now_us(clock);
}

#endif
