// SPDX-License-Identifier: GPL-2.0-or-later
/* kernel/import: images, tar archives, packages, vmlinux and config; ids, and what is refused. */
#include "kernel/import.h"
#include "kernel/import_read.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <sys/stat.h>

#include "cache_fixture.h"
#include "fake_bzimage.h"

#define CONFIG "#\n# Linux/x86 6.1.5 Kernel Configuration\n#\nCONFIG_X=y\n"

static struct matrix *m;

static int setup_import(void **state)
{
	static const char yaml[] = "kernels:\n  - {id: taken, source: file, path: /x}\n";

	return setup(state) || !matrix_parse("t.yaml", yaml, strlen(yaml), &m, NULL) ? -1 : 0;
}

static int teardown_import(void **state)
{
	g_clear_pointer(&m, matrix_free);
	return teardown(state);
}

static GByteArray *image(const char *version, unsigned ballast)
{
	return fake_bzimage(
		&(struct fake_bzimage){ .xloadflags = 1, .version = version, .ballast = ballast });
}

/* ---- archives ---- */

struct member {
	const char *name;
	const GByteArray *data;
};

static la_ssize_t on_write(struct archive *a, void *user, const void *data, size_t len)
{
	g_byte_array_append(user, data, len);
	return len;
}

static GByteArray *pack(int format, int filter, const struct member *members, size_t n)
{
	GByteArray *out = g_byte_array_new();
	struct archive *a = archive_write_new();

	archive_write_set_format(a, format);
	if (filter)
		archive_write_add_filter(a, filter);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_write_open(a, out, NULL, on_write, NULL);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, members[i].name);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, members[i].data->len);
		assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
		archive_write_data(a, members[i].data->data, members[i].data->len);
		archive_entry_free(entry);
	}
	archive_write_close(a);
	archive_write_free(a);
	return out;
}

/* A package as ar(1) makes it. */
static GByteArray *pack_ar(const struct member *members, size_t n)
{
	GByteArray *out = g_byte_array_append(g_byte_array_new(), (const guint8 *)"!<arch>\n", 8);

	for (size_t i = 0; i < n; i++) {
		g_autofree char *head =
			g_strdup_printf("%-16s0           0     0     100644  %-10u`\n",
					members[i].name, members[i].data->len);

		g_byte_array_append(out, (const guint8 *)head, strlen(head));
		g_byte_array_append(out, members[i].data->data, members[i].data->len);
		if (out->len % 2)
			g_byte_array_append(out, (const guint8 *)"\n", 1);
	}
	return out;
}

static GByteArray *text(const char *words)
{
	return g_byte_array_append(g_byte_array_new(), (const guint8 *)words, strlen(words));
}

static char *write_tar(const char *name, int filter, const struct member *members, size_t n)
{
	g_autoptr(GByteArray) tar = pack(ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, filter, members, n);

	return write_file(name, tar->data, tar->len);
}

/* ---- checks ---- */

static struct kernel *import(const char *const *files, const char *id)
{
	g_autoptr(GPtrArray) kernels = NULL;
	g_autoptr(GError) error = NULL;

	if (!import_files(files, id, m, NULL, &kernels, &error))
		fail_msg("%s", error->message);
	return g_ptr_array_steal_index(kernels, 0);
}

static void refused(const char *const *files, const char *id, const char *want)
{
	g_autoptr(GPtrArray) kernels = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(import_files(files, id, m, NULL, &kernels, &error));
	if (!strstr(error->message, want))
		fail_msg("'%s' lacks '%s'", error->message, want);
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_image(void **state)
{
	g_autoptr(GByteArray) img = image(NULL, 1), other = image(NULL, 2);
	g_autofree char *path = write_file("bzImage", img->data, img->len);
	g_autofree char *path2 = write_file("bzImage2", other->data, other->len);
	g_autoptr(kernel) k = import(FILES(path), NULL), again = import(FILES(path), NULL),
			  got = NULL;
	g_autoptr(kernel) mine = NULL;
	struct kernel_spec *spec;

	assert_string_equal(k->id, "6.1.0-fake");
	assert_string_equal(again->sha256, k->sha256);
	/* the file is not needed any more, and -k finds it */
	assert_int_equal(unlink(path), 0);
	assert_true(import_add_to(m, NULL));
	spec = matrix_find(m, "6.1.0-fake");
	assert_non_null(spec);
	assert_true(kernel_fetch(spec, NULL, &got, NULL));
	assert_string_equal(got->sha256, k->sha256);
	assert_string_equal(got->source, "import");
	assert_non_null(strstr(got->note, "not verified: imported from"));
	/* another image under the same id, or an id of kernels.yaml */
	refused(FILES(path2), NULL, "is the id of another import already");
	refused(FILES(path2), "taken", "is the id of another kernel already");
	refused(FILES(path2), "../x", "is no id");
	mine = import(FILES(path2), "mine");
	assert_string_equal(mine->id, "mine");
	assert_true(import_forget("mine", NULL));
	assert_false(import_forget("mine", NULL));
	assert_false(import_forget("../../x", NULL));
}

static void test_hidden_by_yaml(void **state)
{
	static const char yaml[] = "kernels:\n  - {id: mine, source: file, path: /x}\n";
	g_autoptr(GByteArray) img = image(NULL, 1);
	g_autofree char *path = write_file("bzImage", img->data, img->len);
	g_autoptr(kernel) k = import(FILES(path), "mine");
	g_autoptr(matrix) later = NULL;

	assert_true(matrix_parse("t.yaml", yaml, strlen(yaml), &later, NULL));
	assert_true(import_add_to(later, NULL));
	assert_int_equal(later->kernels->len, 1);
}

static void test_tar(void **state)
{
	static const int filters[] = { 0, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ,
				       ARCHIVE_FILTER_ZSTD };
	g_autoptr(GByteArray) img = image("6.1.5 (b@h) #1 SMP", 1);
	g_autoptr(GByteArray) config = text(CONFIG), wrong = text("CONFIG_X=wrong\n");
	const struct member members[] = { { "./boot/config-6.0.0", wrong },
					  { "./boot/config-6.1.5", config },
					  { "./boot/System.map-6.1.5", wrong },
					  { "./boot/vmlinuz-6.1.5", img },
					  { "lib/modules/6.1.5/vmlinuz", img } };

	for (size_t i = 0; i < G_N_ELEMENTS(filters); i++) {
		g_autofree char *path =
			write_tar("k.tar", filters[i], members, G_N_ELEMENTS(members));
		g_autoptr(kernel) k = import(FILES(path), "t");
		g_autofree char *value = kernel_config_get(k, "CONFIG_X");

		assert_string_equal(k->release, "6.1.5");
		assert_string_equal(value, "y");
	}
}

static void test_tar_refused(void **state)
{
	g_autoptr(GByteArray) a = image("6.1.5 (b@h) #1", 1), b = image("6.1.6 (b@h) #1", 2);
	const struct member two[] = { { "boot/vmlinuz-6.1.5", a }, { "boot/vmlinuz-6.1.6", b } };
	const struct member none[] = { { "etc/passwd", a } };
	g_autofree char *both = write_tar("two.tar", 0, two, 2);
	g_autofree char *empty = write_tar("none.tar.gz", ARCHIVE_FILTER_GZIP, none, 1);
	g_autofree char *cut = NULL, *data = NULL;
	size_t len;

	refused(FILES(both), NULL,
		"holds more than one kernel: 'boot/vmlinuz-6.1.5', 'boot/vmlinuz-6");
	refused(FILES(empty), NULL, "holds no kernel image");
	assert_true(fs_read(empty, 1 << 20, &data, &len, NULL));
	cut = write_file("cut.tar.gz", data, len / 2);
	refused(FILES(cut), NULL, "no whole archive");
}

static void test_deb(void **state)
{
	g_autoptr(GByteArray) img = image("6.1.5 (b@h) #1", 1), config = text(CONFIG);
	g_autoptr(GByteArray) version = text("2.0\n");
	g_autoptr(GByteArray) about = text("Package: linux-image-6.1.5\nVersion: 6.1.5-1\n"
					   "Architecture: amd64\n");
	const struct member controls[] = { { "./control", about } };
	const struct member files[] = { { "./boot/vmlinuz-6.1.5", img },
					{ "./boot/config-6.1.5", config } };
	g_autoptr(GByteArray) control =
		pack(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ, controls, 1);
	g_autoptr(GByteArray) data = pack(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ, files, 2);
	const struct member parts[] = { { "debian-binary", version },
					{ "control.tar.xz", control },
					{ "data.tar.xz", data } };
	g_autoptr(GByteArray) deb = pack_ar(parts, 3);
	/* the name says nothing */
	g_autofree char *path = write_file("download", deb->data, deb->len);
	g_autoptr(kernel) k = import(FILES(path), NULL), got = NULL;

	assert_string_equal(k->package, "linux-image-6.1.5");
	assert_string_equal(k->package_version, "6.1.5-1");
	assert_non_null(k->config);
	assert_true(import_add_to(m, NULL));
	assert_true(kernel_fetch(matrix_find(m, "6.1.5"), NULL, &got, NULL));
	assert_string_equal(got->package_version, "6.1.5-1");
}

/* ---- vmlinux and config ---- */

static GByteArray *vmlinux(const char *banner)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			  .e_machine = EM_X86_64 };
	GByteArray *elf = g_byte_array_append(g_byte_array_new(), (const guint8 *)&eh, sizeof(eh));

	return g_byte_array_append(elf, (const guint8 *)banner, strlen(banner) + 1);
}

static void test_vmlinux(void **state)
{
	g_autoptr(GByteArray) img = image(NULL, 1);
	g_autoptr(GByteArray) same = vmlinux("Linux version 6.1.0-fake (b@h) (gcc) #1 SMP\n");
	g_autoptr(GByteArray) other = vmlinux("Linux version 6.1.1 (b@h) (gcc) #1 SMP\n");
	g_autoptr(GByteArray) program = vmlinux("no kernel");
	g_autofree char *path = write_file("bzImage", img->data, img->len);
	g_autofree char *elf = write_file("vmlinux", same->data, same->len);
	g_autofree char *elf2 = write_file("vmlinux2", other->data, other->len);
	g_autofree char *elf3 = write_file("program", program->data, program->len);
	g_autoptr(kernel) k = import(FILES(elf, path), NULL);

	assert_string_equal(k->release, "6.1.0-fake");
	refused(FILES(elf), NULL, "klab boots the bzImage of its build, and this one has no PVH");
	refused(FILES(path, elf2), NULL, "klab boots the bzImage of its build");
	refused(FILES(elf3), NULL, "is an ELF file, but no kernel");
}

static void test_pvh_note(void **state)
{
	static const struct {
		uint32_t namesz, descsz, type;
		char name[4], desc[8];
	} note = { 4, 8, 18, "Xen", "" }, other = { 4, 8, 3, "GNU", "" };
	char both[sizeof(note) + sizeof(other)];

	memcpy(both, &other, sizeof(other));
	memcpy(both + sizeof(other), &note, sizeof(note));
	assert_true(import_note_is_pvh(&note, sizeof(note)));
	assert_true(import_note_is_pvh(both, sizeof(both)));
	assert_false(import_note_is_pvh(both, sizeof(other) + 11));
	assert_false(import_note_is_pvh(&other, sizeof(other)));
	assert_false(import_note_is_pvh("", 0));
}

static void test_config_beside(void **state)
{
	g_autoptr(GByteArray) img = image("6.1.0-9-amd64 (b@h) #1", 1), next = image("6.2.0 x", 2);
	g_autofree char *path = write_file("bzImage", img->data, img->len);
	g_autofree char *path2 = write_file("bzImage2", next->data, next->len);
	g_autofree char *config = write_file(".config", CONFIG, strlen(CONFIG));
	g_autoptr(kernel) k = import(FILES(path, config), NULL);
	g_autofree char *value = kernel_config_get(k, "CONFIG_X");

	assert_string_equal(value, "y");
	refused(FILES(path2, config), NULL, "is a config, but not that of 6.2.0");
	refused(FILES(config), NULL, "is a config, but not that of one kernel");
}

static void test_bad_files(void **state)
{
	g_autoptr(GByteArray) img = image(NULL, 1);
	g_autofree char *cut = write_file("cut", img->data, img->len - 16);
	g_autofree char *empty = write_file("empty", "", 0),
			*noise = write_file("noise", "hello", 5);
	g_autofree char *rpm = write_file("x.rpm", "\xed\xab\xee\xdb junk", 9);
	g_autofree char *deb = write_file("x.deb", "!<arch>\njunk", 12);
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	g_auto(GStrv) ids = NULL;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	refused(FILES(cut), NULL, "truncated: has ");
	refused(FILES(empty), NULL, "the file is empty");
	refused(FILES(noise), NULL, "is nothing that a kernel is in: it looks like text");
	refused(FILES(rpm), NULL, rpm);
	refused(FILES(deb), NULL, deb);
	refused(FILES(fifo), NULL, "not a regular file");
	refused(FILES("/nonexistent"), NULL, "No such file");
	ids = import_ids();
	assert_null(ids[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_import, teardown_import)
	const struct CMUnitTest tests[] = {
		TEST(test_image),
		TEST(test_hidden_by_yaml),
		TEST(test_tar),
		TEST(test_tar_refused),
		TEST(test_deb),
		TEST(test_vmlinux),
		TEST(test_config_beside),
		TEST(test_bad_files),
		cmocka_unit_test(test_pvh_note),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
