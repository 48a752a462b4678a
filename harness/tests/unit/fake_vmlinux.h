/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small vmlinux for tests: ELF sections .text and .rodata, and in the latter a symbol table as the
 * kernel's scripts/kallsyms.c of several generations writes it.
 */
#ifndef TEST_FAKE_VMLINUX_H
#define TEST_FAKE_VMLINUX_H

#include "parse/kallsyms.h"

#include <elf.h>
#include <string.h>

#define FAKE_TEXT UINT64_C(0xffffffff81000000)
#define FAKE_TEXT_LEN 0x8000
#define FAKE_RODATA UINT64_C(0xffffffff81800000)
#define FAKE_SYMBOLS 700

struct fake_vmlinux {
	enum kallsyms_layout layout;
	bool absolute_percpu;	/* layouts with a base */
	bool seqs;		/* seqs_of_names between markers and tokens */
	unsigned marker_len;	/* 4 or 8 */
	unsigned align;		/* of the tables: 4 or 8 */
};

struct fake_sym {
	uint64_t addr;
	char text[400];		/* the type, then the name */
};

/* Percpu symbols first, then text, then data; aliases and long names among them. */
static inline struct fake_sym *fake_symbols(bool percpu)
{
	struct fake_sym *sym = g_new0(struct fake_sym, FAKE_SYMBOLS);

	for (unsigned i = 0; i < FAKE_SYMBOLS; i++) {
		struct fake_sym *s = &sym[i];

		if (i < 20 && percpu) {
			s->addr = i * 64;
			g_snprintf(s->text, sizeof(s->text), i ? "dpercpu_%u" : "D__per_cpu_start",
				   i);
		} else if (i < 500) {
			s->addr = FAKE_TEXT + (i < 25 ? 0 : i / 2 * 64);
			g_snprintf(s->text, sizeof(s->text), "%csys_%s_lock_%u", i % 3 ? 't' : 'T',
				   i % 2 ? "read" : "write", i);
		} else {
			s->addr = FAKE_TEXT + 0x100000 + i * 16;
			g_snprintf(s->text, sizeof(s->text), "bdata_lock_%u", i);
		}
	}
	g_strlcpy(sym[20].text, "T_stext", sizeof(sym[20].text));
	g_strlcpy(sym[21].text, "T__pfx_sys_write_lock", sizeof(sym[21].text));
	g_strlcpy(sym[499].text, "T_etext", sizeof(sym[499].text));
	g_strlcpy(sym[600].text, "bvmap_area_lock", sizeof(sym[600].text));
	/* 300 tokens: a length of two bytes */
	sym[300].text[0] = 't';
	memset(sym[300].text + 1, 'Q', 299);
	return sym;
}

static const char *const fake_tokens[] = { "sys_", "read_", "write_", "lock_", "_area", "percpu" };

/* Characters stand for themselves; tokens of several use the bytes from 128 on. */
static inline void fake_name(GByteArray *out, const char *text)
{
	g_autoptr(GByteArray) tokens = g_byte_array_new();
	guint8 len[2];

	while (*text) {
		guint8 token = *text;
		size_t step = 1;

		for (unsigned i = 0; i < G_N_ELEMENTS(fake_tokens); i++)
			if (g_str_has_prefix(text, fake_tokens[i])) {
				token = 128 + i;
				step = strlen(fake_tokens[i]);
				break;
			}
		g_byte_array_append(tokens, &token, 1);
		text += step;
	}
	len[0] = tokens->len < 128 ? tokens->len : 0x80 | (tokens->len & 0x7f);
	len[1] = tokens->len >> 7;
	g_byte_array_append(out, len, tokens->len < 128 ? 1 : 2);
	g_byte_array_append(out, tokens->data, tokens->len);
}

static inline void fake_pad(GByteArray *out, unsigned align)
{
	while (out->len % align)
		g_byte_array_append(out, (const guint8 *)"", 1);
}

static inline void fake_num(GByteArray *out, uint64_t value, unsigned len)
{
	value = GUINT64_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, len);
}

static inline void fake_token_table(GByteArray *out, unsigned align)
{
	uint16_t index[256];
	unsigned start = out->len;

	for (unsigned c = 0; c < 256; c++) {
		char one[2] = { c >= ' ' && c < 127 ? c : '\0', '\0' };
		const char *text = c >= 128 && c < 128 + G_N_ELEMENTS(fake_tokens) ?
					   fake_tokens[c - 128] : one;

		index[c] = out->len - start;
		g_byte_array_append(out, (const guint8 *)text, strlen(text) + 1);
	}
	fake_pad(out, align);
	for (unsigned c = 0; c < 256; c++)
		fake_num(out, index[c], 2);
}

/* Offsets (or addresses), and what they count from. `at` is the address of out's first byte. */
static inline void fake_addresses(GByteArray *out, const struct fake_vmlinux *f,
				  const struct fake_sym *sym, uint64_t at)
{
	uint64_t start;

	fake_pad(out, f->align);
	start = at + out->len;
	for (unsigned i = 0; i < FAKE_SYMBOLS; i++) {
		uint64_t addr = sym[i].addr;

		if (f->layout == KALLSYMS_ABSOLUTE)
			fake_num(out, addr, 8);
		else if (f->layout == KALLSYMS_SELF_RELATIVE)
			fake_num(out, addr - (start + 4 * i), 4);
		else if (!f->absolute_percpu)
			fake_num(out, addr - FAKE_TEXT, 4);
		else
			fake_num(out, addr >> 63 ? FAKE_TEXT - 1 - addr : addr, 4);
	}
	if (f->layout == KALLSYMS_BASE_FIRST || f->layout == KALLSYMS_BASE_LAST) {
		fake_pad(out, 8);
		fake_num(out, FAKE_TEXT, 8);
	}
}

static inline void fake_names(GByteArray *out, const struct fake_vmlinux *f,
			      const struct fake_sym *sym)
{
	uint32_t marks[FAKE_SYMBOLS / 256 + 1];
	unsigned start;

	fake_pad(out, f->align);
	fake_num(out, FAKE_SYMBOLS, 4);
	fake_pad(out, f->align);
	start = out->len;
	for (unsigned i = 0; i < FAKE_SYMBOLS; i++) {
		if (i % 256 == 0)
			marks[i / 256] = out->len - start;
		fake_name(out, sym[i].text);
	}
	fake_pad(out, f->align);
	for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++)
		fake_num(out, marks[i], f->marker_len);
	fake_pad(out, f->align);
	for (unsigned i = 0; f->seqs && i < FAKE_SYMBOLS; i++)
		fake_num(out, FAKE_SYMBOLS - 1 - i, 3);
	fake_pad(out, f->align);
}

static inline GByteArray *fake_rodata(const struct fake_vmlinux *f)
{
	g_autofree struct fake_sym *sym = fake_symbols(f->layout == KALLSYMS_ABSOLUTE ||
						       f->absolute_percpu);
	bool first = f->layout == KALLSYMS_ABSOLUTE || f->layout == KALLSYMS_BASE_FIRST;
	GByteArray *out = g_byte_array_new();

	/* what a real image has, too: digits that are no token table */
	g_byte_array_append(out, (const guint8 *)"0\0001\0002\0003\0004\0005\0006\0007\0008\0009\0",
			    20);
	fake_pad(out, 64);
	if (first)
		fake_addresses(out, f, sym, FAKE_RODATA);
	fake_names(out, f, sym);
	fake_token_table(out, f->align);
	if (!first)
		fake_addresses(out, f, sym, FAKE_RODATA);
	g_byte_array_append(out, (const guint8 *)"early console\0\0\0", 16);
	return out;
}

struct fake_section {
	const char *name;
	const GByteArray *bytes;
	uint64_t addr, flags;
};

/* An ELF file of these sections, which start on pages. */
static inline GByteArray *fake_elf(const struct fake_section *sections, unsigned n)
{
	g_autoptr(GByteArray) names = g_byte_array_new();
	g_autofree Elf64_Shdr *sh = g_new0(Elf64_Shdr, n + 2);
	GByteArray *out = g_byte_array_new();
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			  .e_ehsize = sizeof(eh), .e_shentsize = sizeof(*sh), .e_shnum = n + 2,
			  .e_shstrndx = n + 1 };

	g_byte_array_append(out, (const guint8 *)&eh, sizeof(eh));
	g_byte_array_append(names, (const guint8 *)"", 1);
	for (unsigned i = 0; i < n; i++) {
		fake_pad(out, 4096);
		sh[i + 1] = (Elf64_Shdr){ .sh_name = names->len, .sh_type = SHT_PROGBITS,
					  .sh_flags = SHF_ALLOC | sections[i].flags,
					  .sh_addr = sections[i].addr, .sh_offset = out->len,
					  .sh_size = sections[i].bytes->len };
		g_byte_array_append(out, sections[i].bytes->data, sections[i].bytes->len);
		g_byte_array_append(names, (const guint8 *)sections[i].name,
				    strlen(sections[i].name) + 1);
	}
	sh[n + 1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = out->len,
				  .sh_size = names->len };
	g_byte_array_append(out, names->data, names->len);
	fake_pad(out, 8);
	eh.e_shoff = out->len;
	g_byte_array_append(out, (const guint8 *)sh, (n + 2) * sizeof(*sh));
	memcpy(out->data, &eh, sizeof(eh));
	return out;
}

static inline GByteArray *fake_vmlinux(const struct fake_vmlinux *f)
{
	g_autoptr(GByteArray) text = g_byte_array_new(), rodata = fake_rodata(f);
	const struct fake_section sections[] = {
		{ ".text", text, FAKE_TEXT, SHF_EXECINSTR },
		{ ".rodata", rodata, FAKE_RODATA, 0 },
	};

	g_byte_array_set_size(text, FAKE_TEXT_LEN);
	memset(text->data, 0x90, text->len);
	return fake_elf(sections, G_N_ELEMENTS(sections));
}

#endif
