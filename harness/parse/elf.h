/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stripped x86-64 vmlinux inside a bzImage: sections by name, addresses to bytes and back. Total
 * and bounded; what does not fit into the given bytes is absent. Borrows the bytes.
 */
#ifndef KLAB_PARSE_ELF_H
#define KLAB_PARSE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_PARTS_MAX 256	/* sections that are looked at; kernels have some 50 */

struct elf_part {
	const char *name;	/* "" for a program segment without sections */
	const uint8_t *data;
	size_t len;
	uint64_t addr;		/* link-time; NOBITS sections are not listed */
	bool exec;
};

struct elf {
	const uint8_t *data;
	size_t len;
	struct elf_part part[ELF_PARTS_MAX];
	unsigned n;
};

/* Allocated parts with bytes; false if this is no little-endian 64-bit x86 ELF or has none. */
bool elf_open(const void *data, size_t len, struct elf *ret);
/* The section of that name, or NULL. */
const struct elf_part *elf_section(const struct elf *e, const char *name);
/* The `len` bytes that lie at `addr`, or NULL. */
const uint8_t *elf_at(const struct elf *e, uint64_t addr, size_t len);
/* The address of a byte of the file; false if it has none. */
bool elf_addr(const struct elf *e, const uint8_t *at, uint64_t *ret);

#endif
