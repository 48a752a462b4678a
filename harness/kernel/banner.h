/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The banner that a kernel prints first and shows as /proc/version, found in the bytes of its
 * decompressed image: "Linux version RELEASE (builder) (compiler) #1 SMP ...". Pure and bounded:
 * any bytes may be given.
 */
#ifndef KLAB_KERNEL_BANNER_H
#define KLAB_KERNEL_BANNER_H

#include "base/lab.h"

#define BANNER_MAX 1024

/* Feed an image in pieces, however cut; zeroed is a good start, but for `kept`. */
struct banner_scan {
	GByteArray *kept;	/* the last bytes; the caller's */
	char *banner;		/* the first one found, without newline; the caller frees it */
};
void banner_scan_feed(struct banner_scan *scan, const void *data, size_t len);
/* Nothing follows. */
void banner_scan_end(struct banner_scan *scan);

/* "gcc-12 (Debian 12.2.0-14) 12.2.0" of a banner, without the linker; NULL: it names none. The
 * caller frees it. */
char *banner_compiler(const char *banner);
/* Does the banner speak of the build that a bzImage's setup header names (release, rest)? */
bool banner_fits(const char *banner, const char *release, const char *version);

#endif
