/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How Debian and Ubuntu spread one kernel over packages, for every source that follows them:
 * linux-image-amd64 -> linux-image-VER -> (where that one is empty) linux-binary-VER; the config is
 * beside the image, or in linux-base-VER or linux-modules-VER. Pure.
 */
#ifndef KLAB_KERNEL_DEBDEPEND_H
#define KLAB_KERNEL_DEBDEPEND_H

#include "base/lab.h"

#define DEB_FOLLOW_MAX 5

/* Paths within a package, NULL-terminated. */
extern const char *const deb_image_globs[], *const deb_config_globs[];

/*
 * The package that `self`, with that Depends field, leads to on the way to the image; false: it
 * has the image itself. *ret_version is NULL unless the field fixes it. The caller frees both.
 */
bool deb_next_package(const char *depends, const char *self, char **ret_package,
		      char **ret_version);
/* The same for the package that may have the config if the image's has not. */
bool deb_config_package(const char *depends, char **ret_package, char **ret_version);

#endif
