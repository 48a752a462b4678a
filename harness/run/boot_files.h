/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initramfs of `klab boot`: the agent's, with busybox and the user's files behind it. It lives
 * in memory alone: nothing is left behind, however klab ends.
 */
#ifndef KLAB_RUN_BOOT_FILES_H
#define KLAB_RUN_BOOT_FILES_H

#include "base/lab.h"

#define BOOT_FILES_MAX (512u << 20)	/* bytes of all files together */

struct boot_file {
	char *host, *guest;	/* paths; the guest's is absolute */
};
void boot_file_free(struct boot_file *file);

/* "HOST[:GUEST]": GUEST is absolute, ends in '/' for a folder, and is /root/NAME if it is missing.
 * LAB_ERROR_USAGE for a place that cannot be. */
bool boot_file_parse(const char *text, struct boot_file **ret, GError **error);

/* `asked` or the host's busybox; LAB_ERROR_UNAVAILABLE with what to install, LAB_ERROR_INPUT for
 * one that is no static x86-64 program. The caller frees *ret. */
bool boot_busybox_find(const char *asked, char **ret, GError **error);

struct boot_initrd {
	int fd;
	char *path;	/* by which this process and its children open it */
	uint64_t size;
};
typedef struct boot_initrd boot_initrd;
#define BOOT_INITRD_INIT { .fd = -1 }
void boot_initrd_clear(struct boot_initrd *initrd);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(boot_initrd, boot_initrd_clear)

/* `busybox` may be NULL; `files` is of struct boot_file *. */
bool boot_initrd_make(const char *agent_cpio, const char *busybox, const GPtrArray *files,
		      struct boot_initrd *ret, GError **error);

#endif
