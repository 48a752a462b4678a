// SPDX-License-Identifier: GPL-2.0-or-later
/* Build ids out of the notes that are mapped here: see build_id.h. */
#include "probes/lib/build_id.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

static unsigned char known[2][BUILD_ID_SIZE]; /* ours, the vDSO's */
static unsigned knowns;

static void build_id_scan(const char *note, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *n = (const void *)note;
		size_t name = (n->n_namesz + 3) & ~3u, desc = (n->n_descsz + 3) & ~3u;

		if (size < sizeof(*n) + name + desc)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_descsz == BUILD_ID_SIZE) {
			memcpy(known[knowns++], note + sizeof(*n) + name, BUILD_ID_SIZE);
			return;
		}
		note += sizeof(*n) + name + desc;
		size -= sizeof(*n) + name + desc;
	}
}

static void build_id_of(const Elf64_Phdr *h, size_t n, uintptr_t base)
{
	unsigned had = knowns;

	for (size_t i = 0; h && i < n && knowns == had; i++)
		if (h[i].p_type == PT_NOTE)
			build_id_scan((const char *)(base + h[i].p_vaddr), h[i].p_memsz);
}

/* The agent is linked statically at fixed addresses. */
static void known_find(void)
{
	const Elf64_Ehdr *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);

	build_id_of((const void *)getauxval(AT_PHDR), getauxval(AT_PHNUM), 0);
	if (knowns && vdso)
		build_id_of((const void *)((const char *)vdso + vdso->e_phoff), vdso->e_phnum,
			    (uintptr_t)vdso);
}

bool build_id_is_ours(const unsigned char id[BUILD_ID_SIZE])
{
	if (!knowns)
		known_find();
	for (unsigned i = 0; i < knowns; i++)
		if (!memcmp(id, known[i], BUILD_ID_SIZE))
			return true;
	return !knowns;
}
