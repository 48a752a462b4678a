/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does a kernel with its initramfs fit into a guest? One that does not resets without a word. */
#ifndef KLAB_RUN_FIT_H
#define KLAB_RUN_FIT_H

#include "base/lab.h"

/* LAB_ERROR_INPUT with what is needed at least. The initramfs counts twice: as it is loaded, and as
 * it is unpacked. */
bool fit_check(const char *image, uint64_t initrd_size, unsigned mem_mib, GError **error);

#endif
