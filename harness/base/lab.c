// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors and the real clock. */
#include "base/lab.h"

#include <errno.h>
#include <stdarg.h>

G_DEFINE_QUARK(lab-error-quark, lab_error)

static void set_error(GError **error, enum lab_error code, char *message)
{
	if (error && !*error)
		*error = g_error_new_literal(LAB_ERROR, code, message);
	g_free(message);
}

bool lab_fail(GError **error, enum lab_error code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(error, code, g_strdup_vprintf(fmt, ap));
	va_end(ap);
	return false;
}

bool lab_fail_errno(GError **error, const char *fmt, ...)
{
	int saved = errno;
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	set_error(error, saved == ENOSPC || saved == EDQUOT ? LAB_ERROR_NO_SPACE : LAB_ERROR_INFRA,
		  g_strdup_printf("%s: %s", what, g_strerror(saved)));
	return false;
}

bool lab_prefix(GError **error, const char *fmt, ...)
{
	g_autofree char *prefix = NULL;
	va_list ap;

	if (!error || !*error)
		return false;
	va_start(ap, fmt);
	prefix = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_prefix_error(error, "%s: ", prefix);
	return false;
}

static int64_t monotonic_now_us(const struct clock *clock)
{
	return g_get_monotonic_time();
}

const struct clock clock_monotonic = { .now_us = monotonic_now_us };
