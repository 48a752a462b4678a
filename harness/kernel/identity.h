/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which build is this kernel exactly? Out of the image's banner, its package and its config; pure.
 *
 *	"build": {
 *		"vendor": "debian",		as ktb_identify() tells it (base/ktb_identify.h)
 *		"full": "6.1.76-1",		full build string in the vendor's order, or null
 *		"base": "6.1.76",		upstream release that it was made of, "6.2.0~rc3"
 *		"base_exact": true,		is the last number of it known?
 *		"branch": "6.1.y",		of upstream; "mainline" for X.Y and its candidates
 *		"line": "longterm",		mainline, stable, longterm; frozen: a vendor's own
 *						branch that takes fixes of later ones
 *		"compiler": "gcc-12 (Debian 12.2.0-14) 12.2.0",	or null
 *		"banner": "Linux version ...",	or null
 *		"options": {"CONFIG_X": "y"}	what was asked for, "n" for unset; null: no config
 *	}
 */
#ifndef KLAB_KERNEL_IDENTITY_H
#define KLAB_KERNEL_IDENTITY_H

#include "base/ktb_identify.h"
#include "kernel/kernel.h"

/* k->identity, which stands as "build" in JSON, made anew. `options` ("CONFIG_X", NULL-terminated)
 * may be NULL. */
void kernel_identify(struct kernel *k, const char *const *options);
/* The same as the look-ups of base/ktb_check.h know it. False: its release is no kernel's. */
bool kernel_identity_ktb(const struct kernel *k, struct ktb_kernel *ret);
/* Tag of the release of upstream that it is made of, as kernel.org's trees have it: "v6.1.140", "v6.2",
 * "v6.2-rc3". NULL: its vendor's numbers do not tell, or go their own way. The caller frees. */
char *kernel_upstream_tag(const struct kernel *k);

#endif
