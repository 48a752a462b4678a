/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One build tree of control kernels: unpack, configure, patch, make. Used by control.c alone, which
 * knows what is to be built and keeps the results.
 */
#ifndef KLAB_KERNEL_CONTROL_TREE_H
#define KLAB_KERNEL_CONTROL_TREE_H

#include "kernel/control.h"

struct control_tree {
	char *dir; /* the work folder; src/ and obj/ are in it */
	char *src, *obj;
	const char *compiler; /* as CC for make, e.g. "ccache gcc" */
	unsigned jobs;
	unsigned steps;       /* lines that make printed in this run */
	unsigned steps_total; /* how many a build from nothing prints, for the percentage */
	const struct progress *progress;
};
void control_tree_init(struct control_tree *tree, const char *dir, const struct progress *progress);
void control_tree_clear(struct control_tree *tree);

/* Unpack `archive` unless it was done before in this folder; keeps the files to be patched aside.
 */
bool control_tree_unpack(struct control_tree *tree, const char *archive, GError **error);
/* Write .config from allnoconfig and the fragment; LAB_ERROR_INPUT if an option did not stick. */
bool control_tree_configure(struct control_tree *tree, const char *fragment, GError **error);
/* The tree as it was unpacked. */
bool control_tree_restore(struct control_tree *tree, GError **error);
/* Apply one bug's patch; *ret_diff is what it changed, which is never nothing. */
bool control_tree_patch(struct control_tree *tree, const struct control_bug *bug, char **ret_diff,
			GError **error);
/* Make the image; `name` ("clean", "bad") is told in progress and in the kernel's version string.
 */
bool control_tree_make(struct control_tree *tree, const char *name, GError **error);

#endif
