/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's only file system: an uncompressed newc cpio with PID 1 (RD_GZIP may be off). */
#ifndef KLAB_GUEST_INITRAMFS_H
#define KLAB_GUEST_INITRAMFS_H

#include "base/lab.h"

/*
 * Write (or find in the cache, by content) an initramfs whose /init is the given ELF. *ret_path is
 * the file, *ret_sha256 its digest; the caller owns both.
 */
bool initramfs_get(const void *init, size_t init_len, char **ret_path, char **ret_sha256,
		   GError **error);

#endif
