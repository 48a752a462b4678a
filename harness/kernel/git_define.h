/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a kernel's tree defines functions, and which commits touch the files: hints about a failure that
 * names them. Lines that git grep finds are taken for definitions if they begin in the first column, so
 * that it finds most and is no compiler: 5 s for three names in a tree of 6.1. Runs git, within a deadline:
 * main thread only.
 */
#ifndef KLAB_KERNEL_GIT_DEFINE_H
#define KLAB_KERNEL_GIT_DEFINE_H

#include "base/lab.h"

#define DEFINE_FILES_MAX 32u	/* in all */
#define DEFINE_OF_ONE_MAX 4u	/* a name that more files define tells nothing */

/* Files of the tree of `commit` that define one of `functions` (C identifiers, NULL-terminated), for
 * x86; headers only for what nothing else defines. Maybe none; the caller frees. */
bool git_define(const char *path, const char *commit, const char *const *functions, char ***ret_files,
		GError **error);
/* Ids of the commits of `to` that are not in `from` and touch one of `files`. */
bool git_touching(const char *path, const char *from, const char *to, bool first_parent,
		  const char *const *files, char ***ret_ids, GError **error);

/* The part that reads git grep's "COMMIT:FILE:LINE"; whatever it is given. Pure. */
char **git_define_parse(const char *text, const char *const *functions);

#endif
