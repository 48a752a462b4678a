/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel out of a source tree, for klab's guests: configured by guests/config and the user's
 * fragment, with a compiler that is known good for its release, out of tree.
 *
 * The folder of objects is kept, one for each config and compiler, so that the next ref of the same
 * tree is a matter of what changed. After a kill -9 what was being written then is made again.
 * Runs child programs: main thread only.
 */
#ifndef KLAB_KERNEL_BUILD_H
#define KLAB_KERNEL_BUILD_H

#include "base/lab.h"
#include "base/progress.h"

/* The .config must have what `kernel_config_get()` is asked for; both texts are the caller's. */
struct build_result {
	char *image;
	size_t image_len;
	char *config;
	char *note; /* for the user: "built with gcc 14, newer than ...", or NULL */
};
void build_result_clear(struct build_result *result);

struct build_spec {
	const char *dir;         /* objects go to DIR/obj-KEY; the caller holds a lock on it */
	const char *src;         /* the tree, which is not written to */
	const char *config_name; /* of the user's fragment, or NULL */
	const char *config;      /* its text, or NULL */
	const char *compiler;    /* "gcc-10", or NULL: by the release */
	const char *host;        /* stands in the version string, which makes a build known again */
	const char *timestamp;   /* there too */
	const char *localversion; /* appended to the release, or NULL */
	const char *what;         /* for progress: "kernel 'mainline-v6.2'" */
	const struct progress *progress;
};

/*
 * LAB_ERROR_UNAVAILABLE: tools, a compiler or room are missing; LAB_ERROR_INPUT: no kernel's tree,
 * or it does not take an option of the user's, each by its name and why; LAB_ERROR_INFRA: make
 * failed.
 */
bool build_kernel(const struct build_spec *spec, struct build_result *ret, GError **error);

/*
 * Apply one patch to the tree at `src`: "*.cocci" by spatch, anything else by patch(1) -p1 without
 * fuzz. A semantic patch may name the files that it is for in a line "// Files: PATH...", else the
 * whole tree is searched. LAB_ERROR_INPUT: it does not apply, or changes nothing.
 */
bool build_patch(const char *src, const char *patch, const struct progress *progress,
		 GError **error);

#define BUILD_NEEDS_GIT 1u
#define BUILD_NEEDS_PATCH 2u
#define BUILD_NEEDS_SPATCH 4u
#define BUILD_NEEDS_PAHOLE 8u
/* Debian packages whose tools are missing here, separated by blanks, or NULL if nothing is. */
char *build_missing_packages(unsigned needs);

/* What a killed make leaves: files of `dir` that changed within the last `within_s` seconds before
 * the newest change are removed, as any of them may be half. */
bool build_forget_recent(const char *dir, unsigned within_s, GError **error);

#endif
