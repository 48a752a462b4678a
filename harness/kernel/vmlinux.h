/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decompressed kernel of a bzImage file: an ELF image with everything that a boot would unpack. */
#ifndef KLAB_KERNEL_VMLINUX_H
#define KLAB_KERNEL_VMLINUX_H

#include "base/lab.h"

/* Read the bzImage at `path` and unpack its payload, 20 to 60 MB. LAB_ERROR_INPUT: not a whole
 * kernel; LAB_ERROR_UNSUPPORTED: compressed in a way that cannot be unpacked here. */
bool vmlinux_read(const char *path, GBytes **ret, GError **error);

#endif
