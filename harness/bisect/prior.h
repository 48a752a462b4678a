/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of a change before anything is run: how likely is it to have done something to a
 * running x86 kernel? By the files it touches, and by what the user suspects. Hints are wrong at times,
 * so they are bounded: a change that is held for unlikely is at most 2^5 times less likely than its
 * neighbours, but for those that cannot be in the image at all. Pure.
 */
#ifndef KLAB_BISECT_PRIOR_H
#define KLAB_BISECT_PRIOR_H

#include <stdbool.h>

#define PRIOR_SUSPECTED 8.0	/* touches what the user, or the failure's stack, points at */
#define PRIOR_FIXES 1.5		/* says which change it mends: such are wrong, or incomplete, more often */
#define PRIOR_MOST 32.0		/* of all hints together */
#define PRIOR_MERGE 0.2		/* without changes of its own it does nothing; it may have some */
#define PRIOR_OUTSIDE 1e-4	/* documentation, tools, other architectures */
#define PRIOR_SAME_IMAGE 1e-9	/* an image that is the same to the last bit */

/* What history tells of a change. */
struct prior_facts {
	bool merge, fixes;	/* fixes: its message names a change that it mends */
	const char *const *files;	/* names from the top of the tree, NULL-terminated; NULL: not known */
};

/* `suspects`: names or folders, NULL-terminated, or NULL. */
double prior_of_change(const struct prior_facts *facts, const char *const *suspects);
/* Is the file in no x86-64 kernel? */
bool prior_is_outside(const char *file);

#endif
