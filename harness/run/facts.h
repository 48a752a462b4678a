/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel's image tells about the kernel: all its symbols, how to unwind its code, how
 * its structures look. No boot and
 * no debug info is needed for it.
 */
#ifndef KLAB_RUN_FACTS_H
#define KLAB_RUN_FACTS_H

#include "base/lab.h"
#include "parse/btf.h"
#include "parse/kallsyms.h"
#include "parse/orc.h"

struct facts {
	GBytes *vmlinux;		/* everything below borrows from it */
	struct elf elf;
	struct kallsyms *kallsyms;	/* or NULL: built without, or in an unknown layout */
	const char *no_kallsyms;	/* then: why */
	struct symbols *all;		/* with data; NULL without kallsyms */
	struct orc *orc;		/* or NULL */
	struct btf *btf;		/* or NULL */
};
typedef struct facts facts;
void facts_free(struct facts *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(facts, facts_free)

/* Unpack the bzImage at `path` and read it; what the image does not hold is NULL. False if it cannot
 * be unpacked. Takes 0.2 to 3 s. */
bool facts_load(const char *path, struct facts **ret, GError **error);

#endif
