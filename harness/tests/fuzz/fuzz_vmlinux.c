// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a decompressed kernel: sections, symbol table, unwind tables. */
#include "parse/elf.h"
#include "parse/kallsyms.h"
#include "parse/orc.h"

#include <string.h>

static void check_symbols(const struct elf *e)
{
	const char *why = NULL;
	g_autoptr(kallsyms) k = kallsyms_read(e, &why);
	g_autofree char *text = k ? kallsyms_text(k) : NULL;

	g_assert(k || (why && *why));
	for (size_t i = 0; k && i < k->n; i++)
		g_assert(*k->sym[i].name && (!i || k->sym[i].addr >= k->sym[i - 1].addr));
}

static void check_orc(const struct elf_part *ips, const struct elf_part *entries)
{
	g_autoptr(orc) o = orc_new(ips, entries);
	struct orc_entry entry;

	for (size_t i = 0; o && i < o->n; i++)
		if (orc_find(o, o->line[i].ip, &entry))
			g_assert(entry.type > ORC_UNDEFINED && entry.type <= ORC_REGS_PARTIAL &&
				 entry.sp_reg <= ORC_REG_SP_INDIRECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct elf_part ips = { .data = data, .len = len / 10 * 4, .addr = len };
	struct elf_part entries = { .data = data + ips.len, .len = len / 10 * 6 };
	uint64_t addr;
	struct elf e;

	/* Reaching tables through section headers takes the fuzzer long: also feed them directly. */
	check_orc(&ips, &entries);
	if (!elf_open(data, len, &e))
		return 0;
	for (unsigned i = 0; i < e.n; i++) {
		const struct elf_part *p = &e.part[i];

		g_assert(p->data >= data && p->len <= len && p->data + p->len <= data + len);
		g_assert(elf_at(&e, p->addr, 1) && elf_addr(&e, p->data, &addr));
	}
	check_symbols(&e);
	check_orc(elf_section(&e, ".orc_unwind_ip"), elf_section(&e, ".orc_unwind"));
	return 0;
}
