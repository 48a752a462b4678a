/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where kernels come from. A source is a const record; it hands bytes over and knows nothing of the
 * cache. Adding one: a file with the record at its bottom, and a line in kernel.c's list.
 */
#ifndef KLAB_KERNEL_SOURCE_H
#define KLAB_KERNEL_SOURCE_H

#include "kernel/kernel.h"

#define KERNEL_IMAGE_MAX (256u << 20)
#define KERNEL_CONFIG_MAX (4u << 20)
#define SOURCE_PACKAGE_MAX (512u << 20)

struct kernel_found {
	char *image;		/* bytes, not yet checked */
	size_t image_len;
	char *config;		/* text, or NULL */
	char *package, *package_version, *note;	/* or NULL */
	bool unchanged;		/* `have` is still what the spec names: no image */
};
void kernel_found_clear(struct kernel_found *found);

struct kernel_source {
	const char *name;
	bool local;		/* on this host, may change at any time: never from the cache */
	bool builds; /* takes minutes: fetches from elsewhere do not wait for it */
	/* Is what the index leads to still what the spec asks for? NULL: it is. No network. */
	bool (*is_current)(const struct kernel_spec *spec, const struct kernel *have);
	/* `have` is what an earlier call cached for the spec, or NULL. Errors as kernel_fetch(). */
	bool (*fetch)(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error);
};

/* deb, rpm: is it said how the package is verified (keyring, sha256, `verify: none`)?
 * LAB_ERROR_USAGE if not. */
bool source_check_verify(const struct kernel_spec *spec, GError **error);

/* Wait for other processes' downloads into the cache folder `root`, "kernels" (or for their builds);
 * a descriptor that holds them off until it closes, or -1. */
int source_lock(const char *root, bool builds, const struct progress *progress, GError **error);

/* Let what is wrong with the package at `path`, where it was put, be told of `url`. */
void source_blame(GError **error, const char *path, const char *url);

extern const struct kernel_source kernel_source_git, kernel_source_dir;
extern const struct kernel_source kernel_source_deb, kernel_source_rpm;
extern const struct kernel_source kernel_source_apt, kernel_source_file, kernel_source_import;

#endif
