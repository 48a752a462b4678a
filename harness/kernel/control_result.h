/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finished control kernels in their folder: clean.bzImage, bad.bzImage ..., the System.map of
 * each, config and manifest.json, which says what they were made of. Used by control.c alone. */
#ifndef KLAB_KERNEL_CONTROL_RESULT_H
#define KLAB_KERNEL_CONTROL_RESULT_H

#include "kernel/control.h"

#include <jansson.h>

struct control_facts {
	const char *key, *package, *package_version, *package_sha256, *compiler;
	json_t *patches; /* array of {control, hazard, file, diff} */
	double seconds[CONTROL__COUNT];
	unsigned steps; /* lines that make printed */
};

/* Write manifest.json beside the images; LAB_ERROR_INFRA if two are the same image. */
bool control_result_write(const char *dir, const struct control_facts *facts, GError **error);
/* All of them, if they are what the manifest says they are. */
bool control_result_load(const char *dir, struct kernel *ret[CONTROL__COUNT], GError **error);

/* Small JSON files of the cache: NULL if absent or damaged. */
json_t *control_json_read(const char *path);
bool control_json_write(const char *path, json_t *root, GError **error);

#endif
