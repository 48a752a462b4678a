/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a kernel's make, out of tree: bounded, with progress, with everything pinned that the
 * caller's environment could change, and with nothing left running when we are killed.
 */
#ifndef KLAB_KERNEL_BUILD_MAKE_H
#define KLAB_KERNEL_BUILD_MAKE_H

#include "base/lab.h"
#include "base/progress.h"

#define BUILD_MAKE_TIMEOUT_S (3 * 3600)
#define BUILD_CONFIG_TIMEOUT_S 600

struct build_make {
	const char *dir; /* runs there; make.lock is kept in it, and ccache's names start there */
	const char *src, *obj;    /* no blanks and no colons in either: make cannot quote them */
	const char *cc;           /* CC for make, e.g. "ccache gcc-10 -fno-pie" */
	const char *hostcc;       /* or NULL: make's own */
	const char *fragment;     /* path for KCONFIG_ALLCONFIG */
	const char *host;         /* KBUILD_BUILD_HOST: stands in the kernel's version string */
	const char *localversion; /* after the release, or NULL: a tag of upstream's as it is */
	const char *timestamp;    /* KBUILD_BUILD_TIMESTAMP */
	const char *what;         /* progress: "control kernel 'clean'" */
	unsigned jobs;
	unsigned steps_total; /* how many lines a build from nothing prints, for the percentage */
	unsigned steps;       /* out: lines that make printed in this run */
	const struct progress *progress;
};

/* LAB_ERROR_INFRA with the first errors that make printed. Main thread only. */
bool build_make_config(struct build_make *make, const char *target, GError **error);
bool build_make_image(struct build_make *make, GError **error);

#endif
