/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Make room in the cache: what was not used for the longest time goes first, be it an image, a
 * package index, or the sources and objects of kernels that were built here. What was begun and
 * never ended (half a download, a folder half filled) goes before all, once it is an hour old.
 *
 * Images of the default set and imports stay unless asked for, and so does what a klab uses right
 * now (kernel/hold.h, and the locks of downloads and builds). All leaves by a rename or at once, so
 * kill -9 leaves nothing half.
 */
#ifndef KLAB_KERNEL_GC_H
#define KLAB_KERNEL_GC_H

#include "base/progress.h"
#include "conf/matrix.h"

enum gc_kind {
	GC_IMAGE,
	GC_INDEX,      /* of a repository */
	GC_UNFINISHED, /* downloads, and folders half made */
	GC_OBJECTS,    /* of a kernel that was built here */
	GC_SOURCES,    /* a git repository and its working tree, with all objects made of it */
};
const char *gc_kind_name(enum gc_kind kind); /* "image", ... */

enum gc_fate {
	GC_KEPT,	/* there is room for it */
	GC_RECENT,	/* used within keep_days; what is unfinished: within the hour */
	GC_DEFAULT,	/* of the default set */
	GC_IMPORTED,
	GC_IN_USE,	/* another klab holds it */
	GC_REMOVED,	/* or would be, on a dry run */
};
const char *gc_fate_name(enum gc_fate fate);	/* "kept", "recently used", ... */

struct gc_item {
	enum gc_kind kind;
	char *name;		/* sha256 of an image; else the path below the cache folder */
	char *label;		/* release, URL, or "?" */
	char *names;		/* ids that lead to an image, comma-separated, or "" */
	uint64_t bytes;		/* on the disk, with config and symbols */
	int64_t used_s;		/* last use, of the Unix epoch */
	bool is_default, is_import;
	enum gc_fate fate;
};

struct gc_params {
	uint64_t max_bytes;	/* what may stay; UINT64_MAX: any */
	int keep_days;		/* what was used in these days stays; alone (max_bytes is any),
				 * the rest goes; below 0: none are asked for */
	bool all;		/* the default set and imports too */
	bool dry_run;
};

/*
 * *ret is of struct gc_item *, in the order in which they would go; freed with its array.
 * LAB_ERROR_TIMEOUT: another klab fetches kernels and does not end.
 */
bool gc_run(const struct gc_params *params, const struct matrix *m,
	    const struct progress *progress, GPtrArray **ret, GError **error);
/* Sort the items and set their fates. Pure. */
void gc_choose(GPtrArray *items, const struct gc_params *params, int64_t now_s);
/* "5G", "500M", "1.5G", "1000000": bytes; powers of 1024 as du(1) and ccache(1) have them. */
bool gc_parse_size(const char *text, uint64_t *ret, GError **error);

#endif
