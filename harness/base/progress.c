// SPDX-License-Identifier: GPL-2.0-or-later
/* Format one line of progress and hand it to whoever shows it. */
#include "base/progress.h"

#include <stdarg.h>

void progress_say(const struct progress *progress, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (!progress || !progress->say)
		return;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	progress->say(progress, text);
}
