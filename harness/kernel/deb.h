/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files out of a package, into memory, each with a limit; and who a Debian package says it is. */
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
/* Package and Version of its control file; the caller frees both. Errors as above. */
bool deb_identify(const char *path, char **ret_package, char **ret_version, GError **error);

/* The same out of an archive that is open already, up to its end; `path` is what errors call it. */
struct archive;
bool deb_read_archive(struct archive *a, const char *path, struct deb_file *files, unsigned n,
		      GError **error);
/* "Field: value" of the first stanza in `text`, or NULL; the caller frees. Pure. */
char *deb_field(const char *text, const char *field);

#endif
