/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of kernels, below the cache folder "kernels":
 *
 *	SHA256/bzImage, SHA256/config	an image by content; the folder is renamed into place whole;
 *	SHA256/banner			its banner, empty if it has none; the image's modification
 *					time is that of its last use (kernel/hold.h)
 *	index/KEY.json			what a spec led to: image, package, build
 *	refused/KEY.json		why it could not be had when it was last asked for
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
/* sha256 of the image that `spec` led to last time, without a look at the image; NULL: unknown. The
 * caller frees it. */
char *kernel_store_sha256(const struct kernel_spec *spec);
/* Remember why `spec` cannot be had, until kernel_store_index(). Best effort: it is for show. */
void kernel_store_refuse(const struct kernel_spec *spec, const char *reason);
/* That reason (the caller frees it), and when it was given (seconds since 1970); NULL: none. */
char *kernel_store_refusal(const struct kernel_spec *spec, int64_t *ret_at_s);
/* Find k->banner in the image, unless that was done before; what cannot be known stays NULL. */
void kernel_store_learn(struct kernel *k);
/* What `spec` led to last time: *ret is NULL (and the call true) when nothing usable is there. */
bool kernel_store_find(const struct kernel_spec *spec, struct kernel **ret, GError **error);

#endif
