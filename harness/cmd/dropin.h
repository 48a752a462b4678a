/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drop-in catalogues: kernels.d/NAME.yaml beside the kernels file, read after it in the order of
 * their names, each with keys as in kernels.yaml. Of two kernels with one id the first one counts.
 */
#ifndef KLAB_CMD_DROPIN_H
#define KLAB_CMD_DROPIN_H

#include "conf/matrix.h"

#define DROPIN_FILES_MAX 1000

/* The folder that goes with a kernels file (NULL: the shipped one, as if it lay here); it need not
 * be there. The caller frees. */
char *dropin_dir(const char *kernels_file);
/* LAB_ERROR_USAGE: what is wrong with them, all errors of the first that has some. */
bool dropin_load(struct matrix *m, const char *dir, GError **error);
/* Write a new one of these rows (of struct kernel_spec *): *ret_path, the caller frees. What is
 * there stays as it is. */
bool dropin_write(const char *dir, GPtrArray *rows, char **ret_path, GError **error);

#endif
