/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of kernels, below the cache folder "kernels":
 *
 *	SHA256/bzImage, SHA256/config	an image by content; the folder is renamed into place whole
 *	index/KEY.json			what an apt spec led to: image, package, build
 *
 * What comes out has been verified against its sha256; what does not match counts as absent.
 */
#ifndef KLAB_KERNEL_STORE_H
#define KLAB_KERNEL_STORE_H

#include "kernel/source.h"

/* Check the bytes and keep them. *ret has image, sha256, release, version and config.
 * LAB_ERROR_INPUT: no bootable kernel. */
bool kernel_store_put(const struct kernel_found *found, struct kernel **ret, GError **error);
/* Remember what `spec` led to, and that it did so now. */
bool kernel_store_index(const struct kernel_spec *spec, const struct kernel *k, GError **error);
/* Seconds since kernel_store_index() of `spec`; UINT64_MAX: never. */
uint64_t kernel_store_age_s(const struct kernel_spec *spec);
/* What `spec` led to last time: *ret is NULL (and the call true) when nothing usable is there. */
bool kernel_store_find(const struct kernel_spec *spec, struct kernel **ret, GError **error);

#endif
