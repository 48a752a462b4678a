/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write newc cpio archives, the kernel's initramfs format; the same nodes give the same bytes. */
#ifndef KLAB_GUEST_CPIO_H
#define KLAB_GUEST_CPIO_H

#include "base/lab.h"

#include <sys/stat.h>

struct cpio_node {
	const char *path; /* without a leading '/' */
	mode_t mode; /* type and permissions, as st_mode has them */
	dev_t dev; /* of a device */
	const char *target; /* of a symbolic link */
	const void *data; /* of a file */
	size_t len;
};

struct cpio;
typedef struct cpio cpio;
/* Begin an archive that is appended to `out`, which is borrowed. */
struct cpio *cpio_new(GByteArray *out, GError **error);
bool cpio_put(struct cpio *c, const struct cpio_node *node, GError **error);
/* Write the trailer: without it, it is no archive. */
bool cpio_end(struct cpio *c, GError **error);
void cpio_free(struct cpio *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cpio, cpio_free)

#endif
