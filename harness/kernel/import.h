/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels that the user brought: images out of packages and archives, copied into the cache under
 * an id that -k finds ever after. Below the cache folder "kernels":
 *
 *	imports/ID.json		which image, and where it came from
 *
 * The images are the store's. An import is never collected without being asked for (kernel/gc.h).
 */
#ifndef KLAB_KERNEL_IMPORT_H
#define KLAB_KERNEL_IMPORT_H

#include "kernel/kernel.h"

/*
 * Import kernels from `files` (NULL-terminated): .deb, .rpm, tar archives with one kernel each,
 * bzImages; a vmlinux (which cannot be booted by itself) or a config among them joins the image of
 * its build. `id` (or NULL: the release) names the only one. *ret is of struct kernel *, in the
 * order of the files. An image that has that id already is no error.
 * LAB_ERROR_INPUT: no kernel in a file, or more than one, or damaged; LAB_ERROR_USAGE: ids that are
 * taken (by `matrix`, or by another import), files that do not fit together. Then nothing was
 * imported, unless a disk was full.
 */
bool import_files(const char *const *files, const char *id, const struct matrix *matrix,
		  const struct progress *progress, GPtrArray **ret, GError **error);
/* LAB_ERROR_USAGE: there is no such import. */
bool import_forget(const char *id, GError **error);

/* Add the imports to a matrix, as kernels of source "import" behind all others. One whose id the
 * matrix has already is left out. */
bool import_add_to(struct matrix *m, GError **error);
/* sha256 of an import's image, or NULL; the caller frees it. */
char *import_sha256(const char *id);
/* Ids of all imports, sorted; g_strfreev(). */
char **import_ids(void);

#endif
