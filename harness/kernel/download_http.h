/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP transfer into a file that may hold the beginning already. Used by download.c alone. */
#ifndef KLAB_KERNEL_DOWNLOAD_HTTP_H
#define KLAB_KERNEL_DOWNLOAD_HTTP_H

#include "kernel/download.h"

enum download_end {
	DOWNLOAD_WHOLE,
	DOWNLOAD_WHOLE_RESUMED, /* it began with what an earlier transfer left */
	DOWNLOAD_CUT,           /* the part is good, and longer than before: worth another try */
	DOWNLOAD_START_OVER,    /* the part is of no use */
	DOWNLOAD_REFUSED,       /* nor would another be */
	DOWNLOAD_FAILED,
};

/* *error is set unless the file is whole. */
enum download_end download_http(const struct download *d, const char *part, GError **error);
/* The path of the file that says what a part is of; the caller frees. */
char *download_http_meta(const char *part);

/* The first byte's offset of "bytes FIRST-LAST/TOTAL", a Content-Range. Pure. */
bool download_range_parse(const char *text, uint64_t *ret_first);

#endif
