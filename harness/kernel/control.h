/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control kernels: images with a known answer, built here out of one source tree and one config
 * (guests/config/control.config): "clean" as the distribution has it, the others with known bugs
 * put back by semantic patches (guests/controls/). No probe finds two of the bugs that one image
 * has: a failure tells then which bug it was.
 *
 * Cached by content below fs_cache_dir("controls"): KEY/ holds the images, their System.map, the
 * config and manifest.json, KEY being the sha256 of source package, config fragment, patches,
 * compiler and recipe. A build goes on in work-INPUTS/ (about 1 GiB) where one that was interrupted
 * stopped, and its tree is removed once the result stands. Runs child programs: main thread only.
 */
#ifndef KLAB_KERNEL_CONTROL_H
#define KLAB_KERNEL_CONTROL_H

#include "kernel/kernel.h"

enum control {
	CONTROL_CLEAN,
	CONTROL_BAD,
	CONTROL_BAD_2,
	CONTROL_BAD_3,
	CONTROL_RACES, /* fixtures: what amplification is worth is measured there */
	CONTROL__COUNT
};
extern const char *const control_names[CONTROL__COUNT]; /* "clean", "bad", "bad-2", ... */

/* A bug that a control has. */
struct control_bug {
	const char *hazard;   /* id in hazards.yaml; of a fixture its own name */
	enum control control; /* which has it */
	const char *probe;    /* that must find it */
	/* The file of the tree that the patch changes, and the text of the semantic patch.
	 * NULL: 6.1 has the bug by itself, or another bug's patch brings it. */
	const char *file, *patch;
	/* The tree has bugs there by itself, this one and others, by luck: no answer is wrong, and
	 * there is no rate. */
	bool is_native;
	/* No bug that any kernel had: nothing is calibrated by it. */
	bool is_fixture;
};
/* Ends with an entry whose hazard is NULL. */
extern const struct control_bug control_bugs[];
/* What `probe` must find on a control, or NULL: nothing, or (on the others) it has no business
 * there. */
const struct control_bug *control_bug_for(enum control control, const char *probe);

struct control_params {
	/* linux-source-6.1_*.deb or a tarball of Linux 6.1, or NULL: through apt. */
	const char *source;
	const char *suites; /* for apt, or NULL: "bookworm,bookworm-security" */
	unsigned jobs;      /* of make, 0: one for each processor */
	bool refresh;       /* ask for a newer source package even if controls are cached */
};

/*
 * All controls, from the cache or built now (minutes, with progress every few seconds).
 * LAB_ERROR_UNAVAILABLE: no source package, or tools are missing (the message names the Debian
 * packages), or no room. LAB_ERROR_INPUT: the source is no Linux 6.1, or a patch finds nothing to
 * change in it. LAB_ERROR_INFRA: the build failed; the message ends with make's last lines.
 */
bool control_build(const struct control_params *params, const struct progress *progress,
		   struct kernel *ret[CONTROL__COUNT], GError **error);
/* Debian packages whose tools are missing here, separated by spaces, or NULL if nothing is. */
char *control_missing_packages(void);

/* Does `config` carry every option that `fragment` sets? LAB_ERROR_INPUT names those that it lacks.
 * Pure; for control_build() and its test. */
bool control_config_check(const char *fragment, const char *config, GError **error);

#endif
