/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How library code says what takes long: the caller (cmd/) decides where it is printed, if at all. */
#ifndef KLAB_BASE_PROGRESS_H
#define KLAB_BASE_PROGRESS_H

#include <glib.h>

struct progress {
	/* `text` is one short line, "kernel debian-sid: downloading 13.7 MB"; never NULL. */
	void (*say)(const struct progress *progress, const char *text);
};

/* Format and hand on; a NULL progress is silence. */
void progress_say(const struct progress *progress, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
