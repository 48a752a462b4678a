/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpack a Linux source tree out of a distribution's source package, streaming and bounded.
 *
 * Only what a kernel of guests/config/control.config is built from comes out: documentation, other
 * architectures and driver families without a part in it stay behind, their Kconfig files and
 * Makefiles excepted, and so do all links. That is half of the bytes and files.
 */
#ifndef KLAB_KERNEL_SOURCE_TREE_H
#define KLAB_KERNEL_SOURCE_TREE_H

#include "base/lab.h"
#include "base/progress.h"

/*
 * `archive` is a Debian package with usr/src/linux-source-*.tar.* in it (its name ends in ".deb")
 * or a tarball as kernel.org has them; the tree's top folder becomes `dest` (created). Names that
 * are absolute or climb are LAB_ERROR_INPUT, as is a package without a tree. On failure `dest` may
 * be left half-filled.
 */
bool source_tree_unpack(const char *archive, const char *dest, const struct progress *progress,
			GError **error);
/* Would this file be unpacked? `name` is relative to the top of the tree. */
bool source_tree_wants(const char *name);
/* "6.1.192" from the top Makefile of the tree; NULL with *error set (LAB_ERROR_INPUT) if it has
 * none. */
char *source_tree_version(const char *dir, GError **error);

#endif
