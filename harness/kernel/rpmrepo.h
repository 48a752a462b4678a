/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata of an rpm repository: repomd.xml names primary.xml, which names packages. Read as a
 * stream, bounded, without a DTD, entities or a network.
 */
#ifndef KLAB_KERNEL_RPMREPO_H
#define KLAB_KERNEL_RPMREPO_H

#include "base/lab.h"

struct rpm_entry {
	char *version; /* [EPOCH:]VERSION-RELEASE */
	char *href;    /* relative to the repository */
	char *hash;    /* sha256 or sha512 */
};
typedef struct rpm_entry rpm_entry;
void rpm_entry_clear(struct rpm_entry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(rpm_entry, rpm_entry_clear)

/* Where primary.xml is: *ret has no version. LAB_ERROR_INPUT: it does not say, or by no hash that
 * counts. */
bool rpm_repomd_parse(const char *text, size_t len, struct rpm_entry *ret, GError **error);

struct rpm_query {
	const char *name;
	const char *version; /* [EPOCH:]VERSION-RELEASE, or NULL: the newest in rpm's order */
};
/* The x86_64 package in the file `path` (compressed or not). LAB_ERROR_UNAVAILABLE: none;
 * LAB_ERROR_INPUT: damaged. */
bool rpm_primary_find(const char *path, const struct rpm_query *query, struct rpm_entry *ret,
		      GError **error);
/* Every x86_64 package there that could be fetched, in the file's order. Errors as above. */
typedef void (*rpm_visit)(const char *name, const char *version, void *user);
bool rpm_primary_each(const char *path, rpm_visit visit, void *user, GError **error);

#endif
