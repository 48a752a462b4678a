/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is bisected: the kernels between two ends, in an order that is known, and the change that each
 * adds to those before it. Commits of a repository, or a list of builds, where "the change" is
 * whatever lies between a build and the one before. Pure.
 *
 * Node i of the history (bisect/dag.h) is change i and the kernel that has it and all it stands on;
 * node n is the end that has none of them.
 */
#ifndef KLAB_BISECT_RANGE_H
#define KLAB_BISECT_RANGE_H

#include "bisect/dag.h"
#include "kernel/git_history.h"

#include <jansson.h>

struct bisect_change {
	char *id;	/* of the kernel: a commit, or a kernel of the catalogue */
	char *subject;	/* or NULL */
	bool merge;
};

struct bisect_range {
	bool commits;		/* ids are commits of one repository */
	bool fix;		/* from the kernel that is bad to the one that is good */
	unsigned n;
	struct bisect_change *changes;	/* n + 1: the last one is the other end */
	struct dag *dag;
	double *prior;		/* n */
	char *beside;		/* commit that was named as the old end and is none: changes[n] is where
				 * the two parted; or NULL */
};
typedef struct bisect_range bisect_range;
void bisect_range_free(struct bisect_range *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bisect_range, bisect_range_free)

/*
 * `suspects`: names and folders that are suspected, NULL-terminated, or NULL. LAB_ERROR_INPUT: not all
 * commits are in the history of the last one.
 */
bool bisect_range_commits(const struct history *h, bool fix, const char *const *suspects,
			  struct bisect_range **ret, GError **error);
/* Kernels in order, the first one is the other end; two at least, no id twice: LAB_ERROR_USAGE. */
bool bisect_range_kernels(const char *const *ids, bool fix, struct bisect_range **ret,
			  GError **error);

/* As JSON, and back (LAB_ERROR_INPUT). It is all that a bisection needs to go on without git. */
json_t *bisect_range_json(const struct bisect_range *r);
bool bisect_range_parse(const json_t *json, struct bisect_range **ret, GError **error);

/* The node of that id, or of the one commit that begins with it (7 digits at least); -1: none. */
int bisect_range_find(const struct bisect_range *r, const char *id);
/* For people: "1a2b3c4d5e6f", or a kernel's id. The caller frees. */
char *bisect_range_name(const struct bisect_range *r, unsigned node);

#endif
