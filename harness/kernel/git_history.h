/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commits between two ends of a repository on this host: what each stands on, what it is about,
 * which files it touches. Runs git: main thread only.
 */
#ifndef KLAB_KERNEL_GIT_HISTORY_H
#define KLAB_KERNEL_GIT_HISTORY_H

#include "base/lab.h"
#include "base/progress.h"

#define HISTORY_COMMITS_MAX 2000000u
#define HISTORY_TEXT_MAX (512u << 20)

struct history_commit {
	char *id;	/* 40 or 64 hex digits */
	char *subject;	/* or NULL: not asked */
	bool fixes;	/* has a "Fixes:" line */
	char **files;	/* that it touches, NULL-terminated; NULL: a merge, or not asked */
};

struct history {
	char *from, *to;	/* ids of the ends; `from` is not among the commits, `to` is the last */
	char *beside;	/* what was asked for as `from`, where `to` does not come after that; or NULL */
	unsigned n;
	struct history_commit *commits;	/* parents before children, a branch's follow each other */
	unsigned *first;	/* n + 1: parents of i are parents[first[i]] .. [first[i + 1] - 1] */
	unsigned *parents;	/* those among the commits */
};
typedef struct history history;
void history_free(struct history *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(history, history_free)

struct history_params {
	const char *path;	/* of a repository or tree */
	const char *from, *to;	/* tags, branches or commits */
	bool first_parent;	/* merges are one change each */
	const char *const *paths;	/* only commits that touch these, NULL-terminated; or NULL */
};

/*
 * Read it, with subjects and files. Where `to` does not come after `from`, the history begins where the
 * two parted (git merge-base), and `beside` is set. Histories that were merged into each other have
 * several such commits, and a bug may have come from below any of them: then it begins at the newest
 * one that is below all. LAB_ERROR_USAGE: nothing lies between the ends, or they have nothing in
 * common; LAB_ERROR_INPUT: git refuses.
 */
bool git_history(const struct history_params *params, const struct progress *progress,
		 struct history **ret, GError **error);
/* Number of the commit, or -1. A name may be the beginning of an id, of 7 digits at least. */
int history_find(const struct history *h, const char *id);

/*
 * The parts, pure. `rev-list --parents --reverse --topo-order`, a line "ID PARENT..." each; parents
 * that have no line are left out. LAB_ERROR_INPUT.
 */
bool history_parse(const char *text, size_t len, struct history **ret, GError **error);
/* `log --name-only --format=%x01%H%x09%s%x02FIXES`, in any order; what it does not know is passed
 * over, and FIXES may be missing. */
void history_parse_names(struct history *h, const char *text, size_t len);

#endif
