/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that may be compressed (gzip, xz, zstd, bzip2, told by its bytes), as a bounded stream. */
#ifndef KLAB_KERNEL_UNPACK_H
#define KLAB_KERNEL_UNPACK_H

#include "base/lab.h"

struct unpack;
typedef struct unpack unpack;
/* LAB_ERROR_INPUT: it cannot be read, or damaged. */
struct unpack *unpack_open(const char *path, uint64_t max, GError **error);
/* The next bytes, at most `len`; 0 at the end, -1 with *error set on damage or beyond the limit. */
ssize_t unpack_next(struct unpack *u, void *data, size_t len, GError **error);
void unpack_free(struct unpack *u);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(unpack, unpack_free)

/* All of it. */
bool unpack_read(const char *path, size_t max, GBytes **ret, GError **error);

#endif
