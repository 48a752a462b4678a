/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the cache holds beside images, as gc.c collects it: downloads, folders half made, sources
 * and objects of builds. Below the cache folder:
 *
 *	downloads/KEY.part, KEY.json	half a download (kernel/download.h)
 *	downloads/SHA256.index		a repository's index
 *	kernels/download*, *.tmp-*	folders that a fetch fills
 *	git/KEY				a repository, its tree, and obj-* (kernel/git.c)
 *	controls/work-*			where controls are built (kernel/control.h)
 */
#ifndef KLAB_KERNEL_GC_OTHER_H
#define KLAB_KERNEL_GC_OTHER_H

#include "kernel/gc.h"

struct gc_place {
	const char *root; /* the cache folder */
	bool may_build;   /* no other klab builds from source: its lock is ours */
};

#define GC_TMP_MARK ".tmp-" /* kernel/store.c makes folders under such names */

/* Append to `items`. The caller holds the lock of fetches. */
void gc_other_collect(const struct gc_place *place, GPtrArray *items);
/* Remove what gc_choose() chose, or set its fate to GC_IN_USE. */
bool gc_other_remove(const struct gc_place *place, struct gc_item *item, bool dry_run,
		     GError **error);

#endif
