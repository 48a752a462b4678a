// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbol tables of all generations of kernels, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_vmlinux.h"

static const struct {
	const char *name;
	struct fake_vmlinux fake;
} layouts[] = {
	{ "3.10: addresses", { KALLSYMS_ABSOLUTE, false, false, 8, 8 } },
	{ "4.9: base first, markers of 8", { KALLSYMS_BASE_FIRST, true, false, 8, 8 } },
	{ "5.10: markers of 4", { KALLSYMS_BASE_FIRST, true, false, 4, 8 } },
	{ "UP: no percpu section", { KALLSYMS_BASE_FIRST, false, false, 4, 8 } },
	{ "6.2: seqs_of_names", { KALLSYMS_BASE_FIRST, true, true, 4, 8 } },
	{ "6.12: base last", { KALLSYMS_BASE_LAST, true, false, 4, 8 } },
	{ "6.15: no percpu symbols", { KALLSYMS_BASE_LAST, false, false, 4, 8 } },
	{ "7.2: relative to itself", { KALLSYMS_SELF_RELATIVE, false, false, 4, 4 } },
};

static struct kallsyms *read_bytes(const GByteArray *bytes, const char **why)
{
	struct elf e;

	return elf_open(bytes->data, bytes->len, &e) ? kallsyms_read(&e, why) : NULL;
}

static void test_layouts(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		const struct fake_vmlinux *f = &layouts[i].fake;
		g_autoptr(GByteArray) bytes = fake_vmlinux(f);
		g_autofree struct fake_sym *want =
			fake_symbols(f->layout == KALLSYMS_ABSOLUTE || f->absolute_percpu);
		const char *why = "";
		g_autoptr(kallsyms) k = read_bytes(bytes, &why);

		if (!k)
			fail_msg("%s: %s", layouts[i].name, why);
		assert_int_equal(k->layout, f->layout);
		assert_int_equal(k->absolute_percpu, f->absolute_percpu);
		assert_int_equal(k->n, FAKE_SYMBOLS);
		for (size_t s = 0; s < k->n; s++) {
			assert_int_equal(k->sym[s].addr, want[s].addr);
			assert_int_equal(k->sym[s].type, want[s].text[0]);
			assert_string_equal(k->sym[s].name, want[s].text + 1);
		}
	}
}

static void test_lists(void **state)
{
	g_autoptr(GByteArray) bytes = fake_vmlinux(&layouts[2].fake);
	const char *why = "";
	g_autoptr(kallsyms) k = read_bytes(bytes, &why);
	g_autofree char *text = kallsyms_text(k);
	g_autoptr(symbols) all = kallsyms_all(k);
	g_autoptr(symbols) code = symbols_parse(text, strlen(text));

	/* text alone, no padding, nothing beyond 255 characters; aliases by name */
	assert_true(g_str_has_prefix(text, "ffffffff81000000 _stext\nffffffff81000000 sys_"));
	assert_null(strstr(text, "__pfx_"));
	assert_null(strstr(text, "data_lock"));
	assert_null(strstr(text, "percpu"));
	assert_null(strstr(text, "QQQ"));
	assert_int_equal(code->n, 500 - 20 - 2);
	assert_int_equal(all->n, FAKE_SYMBOLS);
	assert_string_equal(symbols_find(all, kallsyms_find(k, "vmap_area_lock")->addr)->name,
			    "vmap_area_lock");
	assert_null(kallsyms_find(k, "not_there"));
}

/* What does not add up is not believed. */
static void test_damaged(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		g_autoptr(GByteArray) bytes = fake_vmlinux(&layouts[i].fake);
		g_autoptr(kallsyms) none = NULL;
		const char *why = "";
		guint8 *token;

		/* one length in the token index is wrong */
		token = memmem(bytes->data, bytes->len, "percpu\0", 7);
		assert_non_null(token);
		token[3] = 0;
		none = read_bytes(bytes, &why);
		assert_null(none);
		assert_string_equal(why, "it holds no symbol table");
	}
}

static void test_no_anchor(void **state)
{
	g_autoptr(GByteArray) bytes = fake_vmlinux(&layouts[5].fake);
	g_autoptr(kallsyms) none = NULL;
	const char *why = "";
	struct elf e;

	/* the code lies elsewhere than the symbols say */
	assert_true(elf_open(bytes->data, bytes->len, &e));
	for (unsigned i = 0; i < e.n; i++)
		if (e.part[i].exec)
			e.part[i].addr += 0x10000000;
	none = kallsyms_read(&e, &why);
	assert_null(none);
	assert_string_equal(why, "the addresses of its symbol table are in no known layout");
}

/* Every cut, and thousands of flipped bits: no crash, and what is read is sound. */
static void test_hostile(void **state)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(3);

	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		g_autoptr(GByteArray) whole = fake_vmlinux(&layouts[i].fake);

		for (unsigned n = 0; n < 300; n++) {
			g_autofree guint8 *copy = g_memdup2(whole->data, whole->len);
			size_t len = n % 2 ? whole->len : n * whole->len / 300;
			g_autoptr(kallsyms) k = NULL;
			const char *why = "";
			struct elf e;

			for (unsigned flips = 0; n % 2 && flips < 1 + n / 20; flips++)
				copy[g_rand_int_range(random, 0, len)] ^= 1 << (n % 8);
			if (!elf_open(copy, len, &e))
				continue;
			k = kallsyms_read(&e, &why);
			for (size_t s = 1; k && s < k->n; s++) {
				assert_true(k->sym[s].addr >= k->sym[s - 1].addr);
				assert_true(*k->sym[s].name != '\0');
			}
		}
	}
}

static void test_elf(void **state)
{
	g_autoptr(GByteArray) bytes = fake_vmlinux(&layouts[2].fake);
	const struct elf_part *text;
	struct elf e;
	uint64_t addr;

	assert_false(elf_open("\x7f" "ELF", 4, &e));
	assert_false(elf_open("not an ELF file, but long enough to hold the header of one, really", 66,
			      &e));
	assert_true(elf_open(bytes->data, bytes->len, &e));
	assert_int_equal(e.n, 2);
	text = elf_section(&e, ".text");
	assert_non_null(text);
	assert_null(elf_section(&e, ".data"));
	assert_true(text->exec);
	assert_ptr_equal(elf_at(&e, FAKE_TEXT + 16, 16), text->data + 16);
	assert_ptr_equal(elf_at(&e, FAKE_TEXT, FAKE_TEXT_LEN), text->data);
	assert_null(elf_at(&e, FAKE_TEXT, FAKE_TEXT_LEN + 1));
	assert_null(elf_at(&e, FAKE_TEXT + FAKE_TEXT_LEN, 1));
	assert_null(elf_at(&e, UINT64_MAX, 16));
	assert_true(elf_addr(&e, text->data + 7, &addr));
	assert_int_equal(addr, FAKE_TEXT + 7);
	assert_false(elf_addr(&e, bytes->data, &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),	  cmocka_unit_test(test_lists),
		cmocka_unit_test(test_damaged),	  cmocka_unit_test(test_no_anchor),
		cmocka_unit_test(test_hostile),	  cmocka_unit_test(test_elf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
