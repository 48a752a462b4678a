// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF headers as objcopy leaves them in bzImages; every offset comes from outside. */
#include "parse/elf.h"

#include <elf.h>
#include <glib.h>
#include <string.h>

/* The bytes [at, at + len) of the file, or NULL. */
static const uint8_t *bytes(const struct elf *e, uint64_t at, uint64_t len)
{
	return at <= e->len && len <= e->len - at ? e->data + at : NULL;
}

static const char *name_at(const uint8_t *names, uint64_t len, uint32_t at)
{
	return names && at < len && memchr(names + at, 0, len - at) ? (const char *)names + at : "";
}

static void add_part(struct elf *e, const char *name, uint64_t at, uint64_t len, uint64_t addr,
		     bool exec)
{
	const uint8_t *data = bytes(e, at, len);

	if (!data || !len || addr > UINT64_MAX - len || e->n == ELF_PARTS_MAX)
		return;
	e->part[e->n++] = (struct elf_part){
		.name = name, .data = data, .len = len, .addr = addr, .exec = exec };
}

static void read_sections(struct elf *e, const Elf64_Ehdr *eh)
{
	Elf64_Shdr sh, str = { 0 };
	const uint8_t *names = NULL;
	const uint8_t *table = bytes(e, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(sh));

	if (!table || eh->e_shentsize != sizeof(sh))
		return;
	if (eh->e_shstrndx < eh->e_shnum) {
		memcpy(&str, table + eh->e_shstrndx * sizeof(sh), sizeof(str));
		names = bytes(e, str.sh_offset, str.sh_size);
	}
	for (unsigned i = 0; i < eh->e_shnum; i++) {
		memcpy(&sh, table + i * sizeof(sh), sizeof(sh));
		if (sh.sh_type != SHT_NULL && sh.sh_type != SHT_NOBITS && sh.sh_flags & SHF_ALLOC)
			add_part(e, name_at(names, str.sh_size, sh.sh_name), sh.sh_offset,
				 sh.sh_size, sh.sh_addr, sh.sh_flags & SHF_EXECINSTR);
	}
}

static void read_segments(struct elf *e, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph;
	const uint8_t *table = bytes(e, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(ph));

	if (!table || eh->e_phentsize != sizeof(ph))
		return;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		memcpy(&ph, table + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			add_part(e, "", ph.p_offset, ph.p_filesz, ph.p_vaddr, ph.p_flags & PF_X);
	}
}

bool elf_open(const void *data, size_t len, struct elf *ret)
{
	Elf64_Ehdr eh;

	*ret = (struct elf){ .data = data, .len = len };
	if (len < sizeof(eh))
		return false;
	memcpy(&eh, data, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
		return false;
	read_sections(ret, &eh);
	if (!ret->n)
		read_segments(ret, &eh);
	return ret->n > 0;
}

const struct elf_part *elf_section(const struct elf *e, const char *name)
{
	for (unsigned i = 0; i < e->n; i++)
		if (!strcmp(e->part[i].name, name))
			return &e->part[i];
	return NULL;
}

const uint8_t *elf_at(const struct elf *e, uint64_t addr, size_t len)
{
	for (unsigned i = 0; i < e->n; i++) {
		const struct elf_part *p = &e->part[i];

		if (addr >= p->addr && addr - p->addr < p->len && len <= p->len - (addr - p->addr))
			return p->data + (addr - p->addr);
	}
	return NULL;
}

bool elf_addr(const struct elf *e, const uint8_t *at, uint64_t *ret)
{
	for (unsigned i = 0; i < e->n; i++) {
		const struct elf_part *p = &e->part[i];

		if (at < p->data || (size_t)(at - p->data) >= p->len)
			continue;
		*ret = p->addr + (at - p->data);
		return true;
	}
	return false;
}
