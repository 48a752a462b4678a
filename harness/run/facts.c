// SPDX-License-Identifier: GPL-2.0-or-later
/* Readers of the image, put together. */
#include "run/facts.h"

#include "kernel/vmlinux.h"

void facts_free(struct facts *f)
{
	if (!f)
		return;
	btf_free(f->btf);
	orc_free(f->orc);
	symbols_free(f->all);
	kallsyms_free(f->kallsyms);
	g_clear_pointer(&f->vmlinux, g_bytes_unref);
	g_free(f);
}

/* objcopy keeps section headers; where they were stripped, symbols bound the table. */
static bool find_part(const struct facts *f, const char *section, const char *from, const char *to,
		      struct elf_part *ret)
{
	const struct elf_part *part = elf_section(&f->elf, section);
	const struct kallsym *a = NULL, *b = NULL;

	if (part) {
		*ret = *part;
		return true;
	}
	if (f->kallsyms) {
		a = kallsyms_find(f->kallsyms, from);
		b = kallsyms_find(f->kallsyms, to);
	}
	if (!a || !b || b->addr <= a->addr)
		return false;
	*ret = (struct elf_part){ .name = section, .addr = a->addr, .len = b->addr - a->addr,
				  .data = elf_at(&f->elf, a->addr, b->addr - a->addr) };
	return ret->data != NULL;
}

static void read_orc(struct facts *f)
{
	struct elf_part ips, entries;

	if (find_part(f, ".orc_unwind_ip", "__start_orc_unwind_ip", "__stop_orc_unwind_ip", &ips) &&
	    find_part(f, ".orc_unwind", "__start_orc_unwind", "__stop_orc_unwind", &entries))
		f->orc = orc_new(&ips, &entries);
}

static void read_btf(struct facts *f)
{
	struct elf_part part;

	if (find_part(f, ".BTF", "__start_BTF", "__stop_BTF", &part))
		f->btf = btf_new(part.data, part.len);
}

bool facts_load(const char *path, struct facts **ret, GError **error)
{
	g_autoptr(facts) f = g_new0(struct facts, 1);
	const void *data;
	gsize len;

	if (!vmlinux_read(path, &f->vmlinux, error))
		return false;
	data = g_bytes_get_data(f->vmlinux, &len);
	if (!elf_open(data, len, &f->elf))
		return lab_fail(error, LAB_ERROR_UNSUPPORTED, "'%s': no ELF kernel is in it", path);
	f->kallsyms = kallsyms_read(&f->elf, &f->no_kallsyms);
	if (f->kallsyms)
		f->all = kallsyms_all(f->kallsyms);
	read_orc(f);
	read_btf(f);
	*ret = g_steal_pointer(&f);
	return true;
}
