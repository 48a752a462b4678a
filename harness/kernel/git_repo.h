/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repository of ours below the cache, and one working folder beside it. What a remote has is
 * fetched one commit at a time; a repository on this host is read where it lies. git(1) does it
 * all.
 *
 * DIR/repo.git has the objects (of a local remote: only the way to them), DIR/src the files, with
 * no .git in it: a kernel's Makefile would ask that for its version. Checking out another commit
 * leaves files alone that are the same in both. Runs child programs: main thread only.
 */
#ifndef KLAB_KERNEL_GIT_REPO_H
#define KLAB_KERNEL_GIT_REPO_H

#include "base/lab.h"
#include "base/progress.h"

struct git_repo {
	char *git_dir, *work;
	char *remote; /* URL, or absolute path */
	bool is_local;
	const char *what; /* for progress */
	const struct progress *progress;
};
typedef struct git_repo git_repo;
void git_repo_clear(struct git_repo *repo);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_repo, git_repo_clear)

struct git_ref {
	char *commit; /* 40 or 64 hex digits */
	char *name;   /* "refs/tags/v6.2", or NULL: it was named by its number */
	bool is_tag;
};
typedef struct git_ref git_ref;
void git_ref_clear(struct git_ref *ref);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_ref, git_ref_clear)

/* A path or a URL that git may be given; LAB_ERROR_USAGE. *ret_path (caller frees) is the absolute
 * path of what lies on this host, NULL for a URL. */
bool git_remote_check(const char *remote, char **ret_path, GError **error);
bool git_ref_check(const char *ref, GError **error);

/* Open, or make, below `dir` (which exists and is locked by the caller); nothing is fetched. `what`
 * and `progress` are borrowed. */
bool git_repo_open(struct git_repo *repo, const char *dir, const char *remote, const char *what,
		   const struct progress *progress, GError **error);
/* Which commit is `ref` now: a tag, a branch, a commit? LAB_ERROR_UNAVAILABLE: no such ref, or the
 * remote does not answer. */
bool git_repo_resolve(struct git_repo *repo, const char *ref, struct git_ref *ret, GError **error);
/* Have the commit here. */
bool git_repo_fetch(struct git_repo *repo, const struct git_ref *ref, GError **error);
/* Make the working folder that commit and nothing else. */
bool git_repo_checkout(struct git_repo *repo, const char *commit, GError **error);
/* "Sun Feb 19 22:24:22 UTC 2023", when it was committed; the caller frees. */
char *git_repo_date(struct git_repo *repo, const char *commit, GError **error);

/* Remove what a killed git left in a repository of ours; the caller's lock says that none is at work. */
void git_drop_locks(const char *git_dir);
/*
 * What git(1) prints when it is asked in the repository at `path`, with nothing of ours beside it; the
 * caller frees. LAB_ERROR_INPUT with git's own words if it refuses, or if it prints more than
 * `output_max` bytes.
 */
char *git_ask(const char *path, const char *const *args, size_t output_max, GError **error);
/* The same, said in full. */
struct git_question {
	const char *path;
	const char *const *args;	/* NULL-terminated */
	size_t output_max;
	unsigned timeout_s;	/* 0: as git_ask() */
	const char *index;	/* file that serves as the index, or NULL: the repository's */
};
char *git_ask_with(const struct git_question *question, GError **error);
/* Does the repository know what rev-parse(1) is given? */
bool git_has(const char *path, const char *what);

/* Find `ref` in the answer of `git ls-remote`: a tag before a branch, what an annotated tag points
 * to instead of the tag. False: it is not there. Pure. */
bool git_refs_find(const char *text, const char *ref, struct git_ref *ret);

#endif
