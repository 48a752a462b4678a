/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files out of a Debian package, into memory, each with a limit. */
#ifndef KLAB_KERNEL_DEB_H
#define KLAB_KERNEL_DEB_H

#include "base/lab.h"

struct deb_file {
	const char *const *globs;	/* of its path without leading "./", NULL-terminated */
	size_t max;			/* bytes */
	char *data;			/* out: the first match, followed by a NUL; NULL: none. The
					 * caller frees it, also after an error */
	size_t len;
};

/* LAB_ERROR_INPUT: no package, or damaged, or a file above its limit. */
bool deb_read(const char *path, struct deb_file *files, unsigned n, GError **error);

#endif
