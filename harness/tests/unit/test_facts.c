// SPDX-License-Identifier: GPL-2.0-or-later
/* From a bzImage file to what it tells of its kernel; and the note that a dump gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_bzimage.h"
#include "fake_vmlinux.h"

#include "base/fs.h"
#include "run/dump.h"
#include "run/facts.h"

#include <fcntl.h>
#include <sys/mman.h>

#define ORC_LINES 64
#define ORC_IPS (FAKE_RODATA + 0x100000)

static GByteArray *orc_ips(void)
{
	GByteArray *out = g_byte_array_new();

	for (unsigned i = 0; i < ORC_LINES; i++)
		fake_num(out, FAKE_TEXT + 64 * i - (ORC_IPS + 4 * i), 4);
	return out;
}

/* Calls from SP, as the format of 6.4 has them. */
static GByteArray *orc_entries(void)
{
	GByteArray *out = g_byte_array_new();

	for (unsigned i = 0; i < ORC_LINES; i++) {
		fake_num(out, 8 + 8 * i, 2);
		fake_num(out, 0, 2);
		fake_num(out, 5 | 2 << 8, 2);
	}
	return out;
}

static char *write_image(const GByteArray *vmlinux)
{
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .plain = vmlinux,
									 .xloadflags = 1 });
	g_autofree char *dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	char *path = g_build_filename(dir, "bzImage", NULL);

	assert_true(fs_write(path, img->data, img->len, NULL));
	return path;
}

static void remove_image(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);

	assert_true(fs_remove(dir, NULL));
}

static GByteArray *vmlinux(bool symbols)
{
	const struct fake_vmlinux layout = { KALLSYMS_BASE_LAST, true, false, 4, 8 };
	g_autoptr(GByteArray) text = g_byte_array_new();
	g_autoptr(GByteArray) rodata = symbols ? fake_rodata(&layout) : g_byte_array_new();
	g_autoptr(GByteArray) ips = orc_ips(), entries = orc_entries();
	const struct fake_section sections[] = {
		{ ".text", text, FAKE_TEXT, SHF_EXECINSTR },
		{ ".rodata", rodata, FAKE_RODATA, 0 },
		{ ".orc_unwind_ip", ips, ORC_IPS, 0 },
		{ ".orc_unwind", entries, ORC_IPS + 0x1000, 0 },
		{ ".BTF", text, ORC_IPS + 0x10000, 0 },	/* damaged: zeros */
	};

	g_byte_array_set_size(text, FAKE_TEXT_LEN);
	memset(text->data, 0, text->len);
	return fake_elf(sections, G_N_ELEMENTS(sections));
}

static void test_image(void **state)
{
	g_autoptr(GByteArray) elf = vmlinux(true);
	g_autofree char *path = write_image(elf);
	g_autoptr(facts) f = NULL;
	struct orc_entry e;

	assert_true(facts_load(path, &f, NULL));
	assert_non_null(f->kallsyms);
	assert_int_equal(f->all->n, FAKE_SYMBOLS);
	assert_non_null(f->orc);
	assert_int_equal(f->orc->format, 3);
	assert_true(orc_find(f->orc, FAKE_TEXT + 64 * 3 + 5, &e));
	assert_int_equal(e.sp_offset, 8 + 8 * 3);
	assert_null(f->btf);
	remove_image(path);
}

static void test_without_symbols(void **state)
{
	g_autoptr(GByteArray) elf = vmlinux(false);
	g_autofree char *path = write_image(elf);
	g_autoptr(facts) f = NULL;

	assert_true(facts_load(path, &f, NULL));
	assert_null(f->kallsyms);
	assert_null(f->all);
	assert_string_equal(f->no_kallsyms, "it holds no symbol table");
	assert_non_null(f->orc);
	remove_image(path);
}

static void test_not_a_kernel(void **state)
{
	g_autoptr(GByteArray) text = g_byte_array_new();
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;
	struct facts *f = NULL;

	g_byte_array_append(text, (const guint8 *)"no ELF, but longer than its header would be: "
			    "sixty-four bytes are that", 71);
	path = write_image(text);
	assert_false(facts_load(path, &f, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED));
	g_clear_error(&error);
	assert_false(facts_load("/nonexistent/bzImage", &f, &error));
	assert_null(f);
	remove_image(path);
}

/* --- the dump's note --------------------------------------------------------------------------- */

static int core_with_note(uint64_t notes_len)
{
	const Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
				.e_type = ET_CORE, .e_phoff = sizeof(eh), .e_phnum = 2,
				.e_phentsize = sizeof(Elf64_Phdr) };
	const Elf64_Phdr ph[] = {
		{ .p_type = PT_LOAD, .p_offset = 4096, .p_filesz = 100 },
		{ .p_type = PT_NOTE, .p_offset = 512, .p_filesz = notes_len, .p_memsz = notes_len },
	};
	char memory[100];
	int fd = memfd_create("core", MFD_CLOEXEC);

	memset(memory, 'm', sizeof(memory));
	assert_int_equal(pwrite(fd, &eh, sizeof(eh), 0), sizeof(eh));
	assert_int_equal(pwrite(fd, ph, sizeof(ph), sizeof(eh)), sizeof(ph));
	assert_int_equal(pwrite(fd, "old notes...", 12, 512), 12);
	assert_int_equal(pwrite(fd, memory, sizeof(memory), 4096), sizeof(memory));
	return fd;
}

static void test_note(void **state)
{
	auto_fd fd = core_with_note(12);
	const Elf64_Nhdr *head;
	Elf64_Phdr ph[2];
	char notes[256];

	assert_true(dump_add_note(fd, "VMCOREINFO", "OSRELEASE=6.1\n", 14, NULL));
	assert_int_equal(pread(fd, ph, sizeof(ph), sizeof(Elf64_Ehdr)), sizeof(ph));
	assert_int_equal(ph[0].p_offset, 4096);
	assert_int_equal(ph[1].p_filesz, 12 + sizeof(*head) + 12 + 16);
	assert_int_equal(pread(fd, notes, sizeof(notes), ph[1].p_offset), ph[1].p_filesz);
	assert_memory_equal(notes, "old notes...", 12);
	head = (const void *)(notes + 12);
	assert_int_equal(head->n_namesz, 11);
	assert_int_equal(head->n_descsz, 14);
	assert_string_equal(notes + 24, "VMCOREINFO");
	assert_memory_equal(notes + 36, "OSRELEASE=6.1\n", 14);
	/* the memory is where it was */
	assert_int_equal(pread(fd, notes, 100, 4096), 100);
	assert_int_equal(notes[99], 'm');
}

static void test_note_hostile(void **state)
{
	auto_fd empty = memfd_create("core", MFD_CLOEXEC), huge = core_with_note(UINT64_MAX);
	auto_fd far = core_with_note(3u << 20);
	g_autoptr(GError) error = NULL;

	assert_false(dump_add_note(empty, "X", "", 0, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	assert_false(dump_add_note(huge, "X", "", 0, NULL));
	assert_false(dump_add_note(far, "X", "", 0, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),	     cmocka_unit_test(test_without_symbols),
		cmocka_unit_test(test_not_a_kernel), cmocka_unit_test(test_note),
		cmocka_unit_test(test_note_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
