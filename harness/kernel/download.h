/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files over HTTP and HTTPS by libcurl: a download that was cut goes on where it ended, size and
 * patience are bounded, and only what is whole and verified gets its name.
 *
 * Until then it lies below the cache folder "downloads": KEY.part, beside it KEY.json, which says
 * what of. Proxies are taken from the environment as curl(1) does. The caller holds a lock: two
 * calls for one URL at a time would write into one file.
 */
#ifndef KLAB_KERNEL_DOWNLOAD_H
#define KLAB_KERNEL_DOWNLOAD_H

#include "base/lab.h"
#include "base/progress.h"

struct download {
	const char *url;  /* or a path or file: URL of this host, which is copied */
	const char *path; /* where it goes: nothing there, or a whole file */
	const char *hash; /* sha256 or sha512 (by its length) in lower-case hex digits, or
			   * NULL: taken as it comes */
	uint64_t max;     /* bytes, below 4 GiB */
	const char *what; /* for progress: "linux-image-5.4.0-150-generic" */
	const struct progress *progress;
	bool *ret_absent; /* NULL, or set when the server says that there is no such file */
};

/*
 * LAB_ERROR_UNAVAILABLE: the network, or the server; a hint says where running again goes on.
 * LAB_ERROR_INPUT: not the bytes that the hash names, or more than max: nothing is kept of them.
 * A server that sends nothing for 20 s is given up (KLAB_DOWNLOAD_TIMEOUT: other seconds).
 */
bool download_file(const struct download *d, GError **error);
/* A file that its hash names (an index of a repository): kept in the cache, where it serves for a
 * week. d->path is not used; *ret_path (caller frees) is where it is. */
bool download_kept(const struct download *d, char **ret_path, GError **error);

/* The path that `url` is, or that a file: URL names, borrowed; NULL: it is on the network. */
const char *download_local(const char *url);
/* "BASE/NAME" with one slash between; the caller frees. */
char *download_join(const char *base, const char *name);
/* For messages: `url` without user and password; the caller frees. */
char *download_public(const char *url);
/* Is that a sha256 or a sha512 in lower-case hex digits? */
bool download_hash_ok(const char *text);
/* May `name`, which an index gives, be put after a base URL: relative, and not upwards? */
bool download_name_ok(const char *name);

#endif
