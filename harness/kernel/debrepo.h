/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The indexes of a Debian repository: Release says which files there are, Packages which packages.
 * Pure and bounded: any bytes may be given.
 */
#ifndef KLAB_KERNEL_DEBREPO_H
#define KLAB_KERNEL_DEBREPO_H

#include "base/lab.h"

struct deb_index {
	char *path; /* relative to the Release file, e.g. "main/binary-amd64/Packages.xz" */
	char *sha256;
	uint64_t size;
};

struct deb_release {
	GPtrArray *files;    /* of struct deb_index *, the Packages* of amd64 only */
	int64_t valid_until; /* seconds since 1970, 0: for ever */
	bool by_hash;        /* Acquire-By-Hash: yes */
};
typedef struct deb_release deb_release;
void deb_release_clear(struct deb_release *release);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(deb_release, deb_release_clear)

/* LAB_ERROR_INPUT: it names no file by sha256, or its Valid-Until is no date. */
bool deb_release_parse(const char *text, size_t len, struct deb_release *ret, GError **error);
/* The best compressed form of DIR/Packages (DIR is "" for a flat repository), or NULL. */
const struct deb_index *deb_release_packages(const struct deb_release *release, const char *dir);

struct deb_package {
	char *name, *version, *depends, *filename, *sha256;
	uint64_t size; /* 0: not told */
};
typedef struct deb_package deb_package;
void deb_package_clear(struct deb_package *pkg);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(deb_package, deb_package_clear)

/*
 * Look `name` up in the text of a Packages file: the version given, or the newest in dpkg's order
 * if that is NULL. What *ret holds already (an earlier index's, or nothing) is replaced by a newer
 * one only. Entries without a file name and sha256 are passed over. True if *ret changed.
 */
bool deb_packages_find(const char *text, size_t len, const char *name, const char *version,
		       struct deb_package *ret);

#endif
