/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An rpm repository on the network: its repomd.xml, signed or not, and the list of packages that it
 * names. */
#ifndef KLAB_KERNEL_RPMREPO_OPEN_H
#define KLAB_KERNEL_RPMREPO_OPEN_H

#include "conf/matrix.h"

#include "base/progress.h"

/*
 * *ret_primary (caller frees) is the primary.xml of spec's repo as a file, compressed or not. With
 * a keyring its signature is checked; a repository without one (*ret_signed false) leaves the proof
 * to its packages. LAB_ERROR_UNAVAILABLE: not to be had; LAB_ERROR_INPUT: refused. The caller holds
 * the lock of downloads; main thread only.
 */
bool rpm_repo_open(const struct kernel_spec *spec, const char *tmp_dir,
		   const struct progress *progress, char **ret_primary, bool *ret_signed,
		   GError **error);

#endif
