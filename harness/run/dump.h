/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory as an ELF core that crash(8) and drgn read: what QEMU's dump-guest-memory makes,
 * with the kernel's own VMCOREINFO as a note where its image and memory tell it.
 */
#ifndef KLAB_RUN_DUMP_H
#define KLAB_RUN_DUMP_H

#include "guest/guest.h"
#include "run/facts.h"

#define DUMP_FILE "vmcore"

struct dump_result {
	uint64_t bytes;
	bool vmcoreinfo;	/* the note is there: drgn wants it */
};

/* Write DIR/vmcore of a guest with `mem_mib` of memory, which stands still meanwhile. LAB_ERROR_INFRA
 * with a sentence where there is no room for it or the guest is gone; no half file is left. `f` may be
 * NULL. */
bool dump_write(struct guest *g, const struct facts *f, const char *dir, unsigned mem_mib,
		struct dump_result *ret, GError **error);
/* Append a note to the notes of the ELF core in `fd`. LAB_ERROR_INPUT: no ELF core with notes. */
bool dump_add_note(int fd, const char *name, const void *desc, size_t len, GError **error);

#endif
