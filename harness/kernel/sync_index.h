/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One index of packages (a suite of apt's, a suite of a Debian repository, an rpm repository), read
 * whole and verified as the source of that name verifies it, and of it what a kernel may be in.
 */
#ifndef KLAB_KERNEL_SYNC_INDEX_H
#define KLAB_KERNEL_SYNC_INDEX_H

#include "base/progress.h"
#include "conf/matrix.h"

#define SYNC_PACKAGES_MAX 65536 /* of one index */

struct sync_package {
	char *name, *version;
	char *depends; /* deb: its Depends field; "" */
};
void sync_package_free(struct sync_package *package);

/* Beginnings of names, whole names among them; linux-image- and linux-binary- are looked at anyway.
 */
struct sync_wanted {
	GPtrArray *prefixes; /* of char * */
};

struct sync_index {
	struct kernel_spec at; /* source, suite, repo, component, keyring, ignore_valid_until; all
				* borrowed but `suite` */
	struct sync_wanted wanted;
	char *name;          /* "bookworm", "jammy of http://...", "http://..." */
	GPtrArray *packages; /* of struct sync_package *; NULL: not read */
	char *reason;        /* why not, one sentence */
	char *note;          /* what the user must know of it, or NULL */
};
struct sync_index *sync_index_new(const struct kernel_spec *spec, const char *suite);
void sync_index_free(struct sync_index *index);
/* Does the spec read that index, among others? */
bool sync_index_serves(const struct sync_index *index, const struct kernel_spec *spec,
		       const char *suite);

/*
 * Read it, in `tmp_dir`, which is emptied. What cannot be had or is refused goes to `reason`; false
 * only where the lab fails. The caller holds source_lock(); main thread only.
 */
bool sync_index_read(struct sync_index *index, const char *tmp_dir, const struct progress *progress,
		     GError **error);

/* Of the text of a Packages file, what is wanted, behind what `packages` holds. Total and bounded.
 */
void sync_index_scan(GPtrArray *packages, const struct sync_wanted *wanted, const char *text,
		     size_t len);

#endif
