/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernels.yaml: which kernels there are and where they come from. Validated: all errors at once.
 *
 *	defaults: {source: apt, package: linux-image-cloud-amd64}	# for every entry that is
 *silent kernels:
 *	  - id: debian-bookworm
 *	    source: apt
 *	    suites: [bookworm, bookworm-security]	# or `suite:`; the newest version wins
 *	    package: linux-image-cloud-amd64	# a metapackage is resolved to the newest image
 *	    version: 6.1.192-2			# optional: exactly that one
 *	    check-valid-until: no		# optional: accept an expired Release file
 *	  - {id: mine, source: file, path: /boot/vmlinuz}
 *	default: [debian-bullseye, debian-bookworm, ...]
 */
#ifndef KLAB_CONF_MATRIX_H
#define KLAB_CONF_MATRIX_H

#include "base/lab.h"

struct kernel_spec {
	char *id;
	char *source;            /* name of a kernel source: "apt", "file" */
	char *suite;             /* apt: suites, comma-separated without spaces; NULL otherwise */
	char *package;           /* apt: package name, a metapackage is followed */
	char *version;           /* apt: exact package version, or NULL: the newest */
	char *path;              /* file: path of a bzImage */
	char *vendor;            /* "debian", "ubuntu", "rhel", ... or NULL: mainline */
	bool ignore_valid_until; /* apt: accept an expired Release (signature still checked) */
	bool in_default;         /* member of the `default:` set */
	unsigned line, column;   /* where it stands in its file; 0: from the command line */
};
void kernel_spec_free(struct kernel_spec *spec);

struct matrix {
	GPtrArray *kernels; /* of struct kernel_spec *, in file order */
};
typedef struct matrix matrix;
void matrix_free(struct matrix *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(matrix, matrix_free)

/* Parse `text`; `name` is what errors call it. On failure the message holds every error, one a
 * line, "name:line:col: sentence", LAB_ERROR_USAGE. */
bool matrix_parse(const char *name, const char *text, size_t len, struct matrix **ret,
		  GError **error);
/*
 * The specs that the user named: each pattern is a glob over ids or "file:PATH[,id=NAME]"; none:
 * the default set. A pattern without a match is LAB_ERROR_USAGE with "did you mean". The array
 * holds struct kernel_spec *, borrowed from `m` or added to it.
 */
bool matrix_select(struct matrix *m, const char *const *patterns, GPtrArray **ret, GError **error);

#endif
