/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A private apt root below the cache folder: packages of any suite of the distribution, downloaded
 * and verified by apt itself, with nothing installed and the system's own lists untouched.
 *
 * Mirrors come from the system's apt configuration (or from the file that KLAB_APT_SOURCES names,
 * one-line or deb822 by its name): a suite that the system does not list is looked for where the
 * system's Debian suites are. Package lists are brought up to date at most once an hour; without a
 * network the lists at hand serve. Calls of several processes wait for each other. Each waits for a
 * child: main thread only (base/proc.h).
 */
#ifndef KLAB_KERNEL_APTROOT_H
#define KLAB_KERNEL_APTROOT_H

#include "base/lab.h"
#include "base/progress.h"

struct apt_request {
	const char *suites;	/* comma-separated, e.g. "bookworm,bookworm-security" */
	const char *package;
	const char *version;	/* exact, or NULL: the highest that the suites have */
	bool ignore_valid_until;	/* accept an expired Release; its signature is checked */
	bool refresh;		/* update the lists even if they are fresh */
	bool as_is;		/* take the lists at hand, however old */
};

struct apt_package {
	char *name, *version;
	char *depends;		/* the Depends field, or "" */
	uint64_t size;		/* of the .deb in bytes, 0: unknown */
	char *note;		/* for the user (Release expired, lists are old), or NULL */
};
typedef struct apt_package apt_package;
void apt_package_clear(struct apt_package *pkg);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(apt_package, apt_package_clear)

/*
 * What the suites say on a package. LAB_ERROR_UNAVAILABLE with the reason and a hint: no such suite
 * or package, no network and no lists, an expired or badly signed Release, no apt on this host.
 */
bool aptroot_show(const struct apt_request *req, const struct progress *progress,
		  struct apt_package *ret, GError **error);
/*
 * Download one package into the folder `dir`. *ret_path is the .deb, *ret_version (may be NULL) its
 * full version; the caller frees both. Errors as above.
 */
bool aptroot_download(const struct apt_request *req, const char *dir,
		      const struct progress *progress, char **ret_path, char **ret_version,
		      GError **error);
/*
 * Download `package` with all that it depends on and that this host has not installed, taking it
 * from `release` (one of the suites) where that has it. *ret_paths: NULL-terminated, caller frees.
 */
bool aptroot_download_closure(const struct apt_request *req, const char *release, const char *dir,
			      const struct progress *progress, char ***ret_paths, GError **error);

/* Is there apt on this host, and do its sources lead to `suite`? No network, nothing changed.
 * Errors as above. *ret_uri (caller frees) is where they lead. */
bool aptroot_check(const char *suite, char **ret_uri, GError **error);

#endif
