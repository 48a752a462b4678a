/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A finished pair of control kernels in its folder: bad.bzImage, clean.bzImage, the System.map of each,
 * config and manifest.json, which says what they were made of. Used by control.c alone. */
#ifndef KLAB_KERNEL_CONTROL_RESULT_H
#define KLAB_KERNEL_CONTROL_RESULT_H

#include "kernel/kernel.h"

#include <jansson.h>

enum { CONTROL_BAD, CONTROL_CLEAN, CONTROL__COUNT };
extern const char *const control_names[CONTROL__COUNT]; /* "bad", "clean" */

struct control_facts {
	const char *key, *package, *package_version, *package_sha256, *compiler;
	json_t *patches; /* array of {hazard, file, diff} */
	double seconds[CONTROL__COUNT];
	unsigned steps; /* lines that make printed */
};

/* Write manifest.json beside the images; LAB_ERROR_INFRA if both are the same image. */
bool control_result_write(const char *dir, const struct control_facts *facts, GError **error);
/* Both kernels, if they are what the manifest says they are. */
bool control_result_load(const char *dir, struct kernel **ret_bad, struct kernel **ret_clean,
			 GError **error);

/* Small JSON files of the cache: NULL if absent or damaged. */
json_t *control_json_read(const char *path);
bool control_json_write(const char *path, json_t *root, GError **error);

#endif
