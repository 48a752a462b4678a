/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An rpm package as a file: a lead, a header of signatures, the header that describes the package,
 * and a compressed cpio archive.
 */
#ifndef KLAB_KERNEL_RPM_H
#define KLAB_KERNEL_RPM_H

#include "kernel/deb.h"

struct rpm_span {
	size_t at, len; /* bytes in the file */
};

struct rpm_facts {
	char *name, *arch;
	char *version;            /* [EPOCH:]VERSION-RELEASE */
	struct rpm_span header;   /* what a signature of the header covers */
	size_t payload;           /* where the archive begins; it lasts to the end */
	struct rpm_span sig_all;  /* an OpenPGP signature of header and payload; len 0: none */
	struct rpm_span sig_head; /* of the header */
	char *payload_sha256;     /* as the header has it, or NULL */
};
typedef struct rpm_facts rpm_facts;
void rpm_facts_clear(struct rpm_facts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(rpm_facts, rpm_facts_clear)

/* Read the beginning of a package: both headers must lie within `len`. Pure; LAB_ERROR_INPUT. */
bool rpm_parse(const void *data, size_t len, struct rpm_facts *ret, GError **error);
/* The same of a file. */
bool rpm_identify(const char *path, struct rpm_facts *ret, GError **error);
/* Files out of its archive, as deb_read(). */
bool rpm_read(const char *path, struct deb_file *files, unsigned n, GError **error);
/*
 * Is the package signed by a key of the keyring, all of it? Its own signature, as `rpm --checksig`
 * checks it: of header and payload, or of the header, which has the payload's sha256. Errors as
 * gpg_verify(); main thread only. `what` is what messages call the package.
 */
bool rpm_verify(const char *path, const char *keyring, const char *tmp_dir, const char *what,
		GError **error);

#endif
