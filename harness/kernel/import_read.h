/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file that a user wants to import: what is it, and which kernel is in it? For import.c. */
#ifndef KLAB_KERNEL_IMPORT_READ_H
#define KLAB_KERNEL_IMPORT_READ_H

#include "kernel/source.h"

enum import_kind {
	IMPORT_IMAGE,	/* `found` has a bzImage, from wherever it came */
	IMPORT_VMLINUX,	/* an ELF kernel: `banner`, `pvh` */
	IMPORT_CONFIG,	/* text of CONFIG_X lines: found.config */
};

struct import_piece {
	enum import_kind kind;
	char *path;		/* absolute */
	char *sha256;		/* of the file; not of a vmlinux, which may be huge */
	struct kernel_found found;
	char *banner;		/* of a vmlinux, or NULL */
	bool pvh;		/* vmlinux: QEMU could boot it, as it has a PVH entry */
};
void import_piece_free(struct import_piece *piece);

/* LAB_ERROR_INPUT: not readable, no kernel in it, more than one, or damaged. The image itself is
 * not checked here. */
bool import_read(const char *path, struct import_piece **ret, GError **error);
/* Is there a note of type XEN_ELFNOTE_PHYS32_ENTRY in these bytes of a SHT_NOTE section? Pure. */
bool import_note_is_pvh(const void *notes, size_t len);

#endif
