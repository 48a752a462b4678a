/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Debian repository on the network: its signed Release, and the package lists that it names. Used
 * by debsource.c alone. */
#ifndef KLAB_KERNEL_DEBREPO_OPEN_H
#define KLAB_KERNEL_DEBREPO_OPEN_H

#include "conf/matrix.h"
#include "kernel/debrepo.h"

#include "base/progress.h"

struct deb_repo {
	GPtrArray *lists; /* of GBytes *: Packages of every suite */
	char *note;       /* for the user, or NULL */
};
typedef struct deb_repo deb_repo;
void deb_repo_clear(struct deb_repo *repo);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(deb_repo, deb_repo_clear)

/*
 * The lists of spec's repo, suites and component. With a keyring the signature of each Release is
 * checked and its expiry honoured; without one the caller vouches for the package otherwise.
 * LAB_ERROR_UNAVAILABLE: not to be had, or expired; LAB_ERROR_INPUT: refused.
 */
bool deb_repo_open(const struct kernel_spec *spec, const char *tmp_dir,
		   const struct progress *progress, struct deb_repo *ret, GError **error);

#endif
