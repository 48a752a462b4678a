/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel at hand: a verified, bootable image with its identity. Sources (apt, file, ...) are
 * const records of hooks; the cache is content-addressed and survives kill -9: no half file is ever
 * used.
 */
#ifndef KLAB_KERNEL_KERNEL_H
#define KLAB_KERNEL_KERNEL_H

#include "base/lab.h"
#include "base/progress.h"
#include "conf/matrix.h"

#include <jansson.h>

struct kernel {
	char *id;		/* of its spec */
	char *source;
	char *image;		/* path of the bzImage */
	char *sha256;		/* of the image, 64 hex digits */
	char *release;		/* uname -r, from the image's setup header; never NULL */
	char *version;		/* the rest of its version string (uname -v and builder), or "" */
	char *vendor;		/* or NULL */
	char *package;		/* package name, or NULL */
	char *package_version;	/* full build string in dpkg/rpm order, or NULL */
	char *config;		/* text of its config (CONFIG_X=y lines), or NULL: unknown */
	char *note;		/* for the user ("Release of sid expired ..."), or NULL */
	char *banner;		/* "Linux version ... #1 SMP ..." out of the image, or NULL: unknown */
	json_t *identity;	/* kernel/identity.h: an object, or NULL: not made */
};
typedef struct kernel kernel;
void kernel_free(struct kernel *k);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(kernel, kernel_free)

enum kernel_age {
	KERNEL_CACHED,		/* what an earlier call found will do */
	KERNEL_NEWEST,		/* what the package lists name; they are updated once an hour */
	KERNEL_REFRESHED,	/* update the package lists now */
};

/*
 * Fetch (or find in the cache) what `spec` names. A kernel that is cached is taken without asking
 * whether there is a newer one: kernel_pull() does that. LAB_ERROR_UNAVAILABLE: it cannot be had
 * (suite gone, no network); LAB_ERROR_INPUT: the bytes are no bootable x86-64 kernel (truncated,
 * empty, not a kernel); other codes: the lab failed.
 */
bool kernel_fetch(const struct kernel_spec *spec, const struct progress *progress,
		  struct kernel **ret, GError **error);
/* As kernel_fetch(), of the asked age. Without a network a cached kernel serves, with a note. */
bool kernel_pull(const struct kernel_spec *spec, enum kernel_age age,
		 const struct progress *progress, struct kernel **ret, GError **error);
/* In the cache, without network? Then *ret (else *ret is NULL, which is no error). */
bool kernel_cached(const struct kernel_spec *spec, struct kernel **ret, GError **error);
/* Why `spec` could not be had when it was last asked for, and when that was (seconds since 1970);
 * NULL: it was had since, or never asked for. No network; the caller frees it. */
char *kernel_refusal(const struct kernel_spec *spec, int64_t *ret_at_s);
/* "y", "m", a value, or NULL when unset or unknown; `option` is "CONFIG_X"; caller frees. */
char *kernel_config_get(const struct kernel *k, const char *option);

#endif
