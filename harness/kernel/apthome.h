/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of aptroot: the folder that apt is pointed at, its lock, and calls of apt in it.
 *
 * Below the cache folder "apt": apt.conf (made anew for each call), lists/, stamps/ (one per suite
 * and mirror, its age is the lists'), cache/ and an empty dpkg status.
 */
#ifndef KLAB_KERNEL_APTHOME_H
#define KLAB_KERNEL_APTHOME_H

#include "base/lab.h"
#include "base/progress.h"
#include "kernel/aptroot.h"

struct apt_home {
	char *dir;
	char *conf;		/* path of apt.conf */
	int lock;		/* held while the home is open */
	char *note;		/* what the user must know on the lists, or NULL */
	char *stale;		/* why lists at hand could not be updated, or NULL */
};
typedef struct apt_home apt_home;
#define APT_HOME_INIT { .lock = -1 }
void apt_home_clear(struct apt_home *home);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(apt_home, apt_home_clear)

/* Make the folder and apt.conf, and wait for other processes' calls. */
bool apt_home_open(struct apt_home *home, const struct progress *progress, GError **error);
/* Lists of those of the request's suites that can be had; an error only if none can. */
bool apt_home_add_suites(struct apt_home *home, const struct apt_request *req,
			 const struct progress *progress, GError **error);
void apt_home_note(struct apt_home *home, const char *text);

struct apt_watch {
	const struct progress *progress;
	const char *what;	/* "linux-image-6.1.0-18-cloud-amd64: downloading" */
	int shown;		/* percent */
};

struct apt_call {
	const char *const *argv;
	const char *cwd;	/* or NULL */
	unsigned timeout_s;
	struct apt_watch *watch;	/* or NULL; argv then has "-o", "APT::Status-Fd=1" */
};

/* Run apt. When it ran and failed, *ret_reason is set to its own words (and the call is true);
 * otherwise *ret_output (may be NULL) is. The caller frees both. */
bool apt_home_run(const struct apt_home *home, const struct apt_call *call, char **ret_output,
		  char **ret_reason, GError **error);

#endif
