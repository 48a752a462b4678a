/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and folders: bounded reads, atomic durable writes, where the caches are, sha256. */
#ifndef KLAB_BASE_FS_H
#define KLAB_BASE_FS_H

#include "base/lab.h"

/* Read a whole file of at most `max` bytes; a larger one is LAB_ERROR_INPUT. Adds a NUL that *ret_len
 * does not count. */
bool fs_read(const char *path, size_t max, char **ret_data, size_t *ret_len, GError **error);
/* Write through a temporary file in the same folder, fsync, rename, fsync of the folder: after a
 * crash the old content or the new, never half. */
bool fs_write(const char *path, const void *data, size_t len, GError **error);
bool fs_mkdir(const char *path, GError **error);	/* with parents; present is fine */
/* Remove a tree below `path`, without following links; absent is fine. */
bool fs_remove(const char *path, GError **error);
/* XDG_CACHE_HOME/klab/SUB (created), e.g. fs_cache_dir("kernels"); the caller owns the string. */
char *fs_cache_dir(const char *sub, GError **error);
/* Lower-case hex sha256 (64 digits) of a file or of bytes; the caller owns the string. */
char *fs_sha256(const char *path, GError **error);
char *fs_sha256_bytes(const void *data, size_t len);
/* Hold an exclusive lock on `path` (created) until the descriptor closes; waits at most timeout_s. */
int fs_lock(const char *path, unsigned timeout_s, GError **error);

#endif
