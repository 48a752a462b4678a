/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control kernels: two images with a known answer, built here out of one source tree and one config
 * (guests/config/control.config): "clean" as the distribution has it, "bad" with known bugs put
 * back by semantic patches (guests/controls/).
 *
 * Cached by content below fs_cache_dir("controls"): KEY/ holds both images, their System.map, the
 * config and manifest.json, KEY being the sha256 of source package, config fragment, patches,
 * compiler and recipe. A build goes on in work-INPUTS/ (about 1 GiB) where one that was interrupted
 * stopped, and its tree is removed once the result stands. Runs child programs: main thread only.
 */
#ifndef KLAB_KERNEL_CONTROL_H
#define KLAB_KERNEL_CONTROL_H

#include "kernel/kernel.h"

/* A bug that the bad control has. */
struct control_bug {
	const char *hazard; /* id in hazards.yaml */
	const char *probe;  /* that must find it */
	const char *file;   /* of the tree, the one that the patch changes */
	const char *patch;  /* text of the semantic patch */
};
/* Ends with an entry whose hazard is NULL. */
extern const struct control_bug control_bugs[];

struct control_params {
	/* linux-source-6.1_*.deb or a tarball of Linux 6.1, or NULL: through apt. */
	const char *source;
	const char *suites; /* for apt, or NULL: "bookworm,bookworm-security" */
	unsigned jobs;      /* of make, 0: one for each processor */
	bool refresh;       /* ask for a newer source package even if controls are cached */
};

/*
 * Both controls, from the cache or built now (minutes, with progress every few seconds).
 * LAB_ERROR_UNAVAILABLE: no source package, or tools are missing (the message names the Debian
 * packages), or no room. LAB_ERROR_INPUT: the source is no Linux 6.1, or a patch finds nothing to
 * change in it. LAB_ERROR_INFRA: the build failed; the message ends with make's last lines.
 */
bool control_build(const struct control_params *params, const struct progress *progress,
		   struct kernel **ret_bad, struct kernel **ret_clean, GError **error);
/* Debian packages whose tools are missing here, separated by spaces, or NULL if nothing is. */
char *control_missing_packages(void);

/* Does `config` carry every option that `fragment` sets? LAB_ERROR_INPUT names those that it lacks.
 * Pure; for control_build() and its test. */
bool control_config_check(const char *fragment, const char *config, GError **error);

#endif
