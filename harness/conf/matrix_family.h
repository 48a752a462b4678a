/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The members of a family of kernels.yaml: lists, maps of names, and ranges, spelled out. */
#ifndef KLAB_CONF_MATRIX_FAMILY_H
#define KLAB_CONF_MATRIX_FAMILY_H

#include "conf/matrix_read.h"

#define MATRIX_RANGE_MAX 1000
/* Ranges make many kernels out of a few bytes. */
#define MATRIX_KERNELS_MAX 65536

/* Of struct matrix_member *, in file order, at most MATRIX_KERNELS_MAX and a range; what is wrong is
 * among the errors. Their nodes are the document's. */
GPtrArray *matrix_members(const struct matrix_level *family, bool by_ref,
			  struct doc_errors *errors);

#endif
