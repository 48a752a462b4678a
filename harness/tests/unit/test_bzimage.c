// SPDX-License-Identifier: GPL-2.0-or-later
/* kernel/bzimage and kernel/payload: whole, cut at every length, damaged, and what is no kernel. */
#include "kernel/bzimage.h"
#include "kernel/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_bzimage.h"

#define FAKE64 .xloadflags = 1

static void assert_fails(const void *data, size_t len, const char *want)
{
	g_autoptr(GError) error = NULL;
	struct bzimage img;

	if (bzimage_parse(data, len, len, &img, &error))
		fail_msg("taken for a kernel, wanted '%s'", want);
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	if (!strstr(error->message, want))
		fail_msg("'%s' lacks '%s'", error->message, want);
}

static void test_versions(void **state)
{
	static const struct {
		const char *text, *release, *version;
	} cases[] = {
		{ "6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC "
		  "Debian 6.1.192-2 (2026-11-16)",
		  "6.1.0-56-cloud-amd64",
		  "(debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 "
		  "(2026-11-16)" },
		{ "3.10.0-1160.el7.x86_64 (mockbuild@x) #1 SMP Mon Oct 19 16:18:59 UTC 2020",
		  "3.10.0-1160.el7.x86_64", "(mockbuild@x) #1 SMP Mon Oct 19 16:18:59 UTC 2020" },
		{ "7.2.13", "7.2.13", "" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) img =
			fake_bzimage(&(struct fake_bzimage){ .version = cases[i].text, FAKE64 });
		struct bzimage got;

		assert_true(bzimage_parse(img->data, img->len, img->len, &got, NULL));
		assert_string_equal(got.release, cases[i].release);
		assert_string_equal(got.version, cases[i].version);
		assert_int_equal(got.size, img->len);
		assert_int_equal(got.protocol, 0x20f);
	}
}

/* The header alone is enough, if the file's size is told; bytes behind the image are signatures. */
static void test_header_and_trailer(void **state)
{
	g_autoptr(GByteArray) img =
		fake_bzimage(&(struct fake_bzimage){ .ballast = 20000, FAKE64 });
	struct bzimage got;

	assert_true(bzimage_parse(img->data, 2048, img->len, &got, NULL));
	assert_int_equal(got.size, img->len);
	assert_true(bzimage_parse(img->data, img->len, img->len + 1472, &got, NULL));
	assert_int_equal(got.size, img->len);
}

/* However much is missing: never a kernel, never an overrun (run under ASan), never a blank. */
static void test_truncated(void **state)
{
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .ballast = 3000, FAKE64 });
	g_autofree char *last = g_strdup_printf("truncated: has %u of %u bytes", img->len - 1,
						img->len);

	for (size_t len = 0; len < img->len; len++) {
		g_autofree guint8 *cut = g_memdup2(img->data, len);

		assert_fails(cut, len, len == 0	  ? "the file is empty" :
				       len < 0x202 ? "not a kernel" :
				       len < 0x250 ? "ends within the boot header" :
						     "truncated: has ");
	}
	assert_fails(img->data, img->len - 1, last);
}

static void test_not_a_kernel(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *want;
	} cases[] = {
		{ "", 0, "the file is empty" },
		{ "#!/bin/sh\necho hello\n", 21, "look like text" },
		{ "\x1f\x8b\x08\0\0\0\0\0\0\0", 10, "look like a gzip file" },
		{ "\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0", 20, "uncompressed ELF vmlinux" },
		{ "\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\xb7\0", 20, "an ELF file for arm64" },
		{ "\xfd" "7zXZ\0\0\4", 8, "an xz file" },
		{ "\x28\xb5\x2f\xfd\0\0", 6, "a zstd file" },
		{ "!<arch>\ndebian-binary", 21, "a .deb package" },
		{ "0707010000", 10, "an initramfs" },
		{ "\xde\xad\xbe\xef", 4, "data of no known kind" },
		{ "MZ\0\0zimg", 8, "another architecture" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		assert_fails(cases[i].data, cases[i].len, cases[i].want);
}

static void test_arm64_image(void **state)
{
	guint8 image[4096] = "MZ";

	memcpy(image + 0x38, "ARM\x64", 4);
	assert_fails(image, sizeof(image), "an arm64 kernel");
}

/* One field of a good header replaced. */
static void test_bad_fields(void **state)
{
	static const struct {
		size_t at, len;
		const char *bytes, *want;
	} cases[] = {
		{ 0x202, 4, "XXXX", "not a kernel" },
		{ 0x1fe, 2, "\0\0", "not a kernel" },
		{ 0x206, 2, "\x07\x02", "boot protocol 2.07 is older" },
		{ 0x236, 1, "\0", "a 32-bit kernel" },
		{ 0x1f4, 4, "\xff\xff\xff\xff", "truncated: has " },
		{ 0x1f1, 1, "\xff", "truncated: has " },
		{ 0x24c, 4, "\xff\xff\xff\xff", "outside of the image" },
		{ 0x248, 4, "\xff\xff\xff\xff", "outside of the image" },
		{ 0x24c, 4, "\0\0\0\0", "outside of the image" },
		{ 0x20e, 2, "\0\0", "names no version" },
		{ 0x20e, 2, "\xff\xff", "names no version" },
		{ 0x400, 1, "\0", "names no version" },
		{ 0x400, 1, "\x80", "names no version" },
		{ 0x400, 1, " ", "names no version" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ FAKE64 });

		memcpy(img->data + cases[i].at, cases[i].bytes, cases[i].len);
		assert_fails(img->data, img->len, cases[i].want);
	}
}

static void test_version_without_end(void **state)
{
	g_autofree char *text = g_strnfill(4000, 'x');
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .version = text, FAKE64 });

	assert_fails(img->data, img->len, "names no version");
}

/* Where it wants to run and how much it needs there; older protocols do not say. */
static void test_memory(void **state)
{
	static const struct {
		unsigned protocol;
		uint64_t at;
		uint32_t size;
		uint64_t want;
	} cases[] = {
		{ 0x20f, 0x1000000, 0x3400000, 0x4400000 },
		{ 0x20c, 0, 0x1000, 0x1000 },
		{ 0x20f, UINT64_C(1) << 40, 0x1000, 0 },
		{ 0x20f, UINT64_MAX, UINT32_MAX, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) img =
			fake_bzimage(&(struct fake_bzimage){ .protocol = cases[i].protocol, FAKE64 });
		struct bzimage got;

		fake_put32(img->data + 0x258, cases[i].at);
		fake_put32(img->data + 0x25c, cases[i].at >> 32);
		fake_put32(img->data + 0x260, cases[i].size);
		assert_true(bzimage_parse(img->data, img->len, img->len, &got, NULL));
		assert_int_equal(got.memory, cases[i].want);
	}
}

static bool check_payload(const GByteArray *img, char **ret_config, GError **error)
{
	struct bzimage got;

	assert_true(bzimage_parse(img->data, img->len, img->len, &got, NULL));
	return payload_check(img->data + got.payload_offset, got.payload_len, ret_config, error);
}

/* The config may lie across the reader's chunks: ballast moves it over a chunk's border. */
static void test_payload_config(void **state)
{
	static const char text[] = "CONFIG_SMP=y\n# CONFIG_BPF is not set\n";

	for (size_t ballast = 262144 - 60; ballast < 262144 + 4; ballast += 3) {
		g_autoptr(GByteArray) img = fake_bzimage(
			&(struct fake_bzimage){ .config = text, .ballast = ballast, FAKE64 });
		g_autofree char *config = NULL;

		assert_true(check_payload(img, &config, NULL));
		assert_non_null(config);
		assert_string_equal(config, text);
	}
}

static void test_payload_without_config(void **state)
{
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .ballast = 100, FAKE64 });
	g_autofree char *config = NULL;

	assert_true(check_payload(img, &config, NULL));
	assert_null(config);
}

/* What comes out is what went in, however many chunks it takes; no format is guessed. */
static void test_payload_unpack(void **state)
{
	g_autoptr(GByteArray) plain = g_byte_array_new(), img = NULL;
	g_autoptr(GBytes) bytes = NULL, none = NULL;
	g_autoptr(GError) error = NULL;
	struct bzimage got;
	const void *data;
	gsize len;

	for (unsigned i = 0; i < 300000; i++)
		g_byte_array_append(plain, (const guint8 *)&i, sizeof(i));
	img = fake_bzimage(&(struct fake_bzimage){ .plain = plain, FAKE64 });
	assert_true(bzimage_parse(img->data, img->len, img->len, &got, NULL));
	assert_true(payload_unpack(img->data + got.payload_offset, got.payload_len, &bytes, NULL));
	data = g_bytes_get_data(bytes, &len);
	assert_int_equal(len, plain->len);
	assert_memory_equal(data, plain->data, len);
	assert_false(payload_unpack("no known format at all", 22, &none, &error));
	assert_null(none);
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED));
	g_clear_error(&error);
	assert_false(payload_unpack(img->data + got.payload_offset, 8, &none, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
}

static void test_payload_damaged(void **state)
{
	struct bzimage got;

	for (unsigned byte = 3000; byte < 20000; byte += 1700) {
		g_autoptr(GByteArray) img =
			fake_bzimage(&(struct fake_bzimage){ .ballast = 20000, FAKE64 });
		g_autofree char *config = NULL;
		g_autoptr(GError) error = NULL;

		assert_true(bzimage_parse(img->data, img->len, img->len, &got, NULL));
		/* Random ballast is stored, not packed: only checksum and length can tell. */
		memset(img->data + got.payload_offset + byte, 0xff, 64);
		assert_false(check_payload(img, &config, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		assert_true(g_str_has_prefix(error->message, "damaged: its payload "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_header_and_trailer),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_not_a_kernel),
		cmocka_unit_test(test_arm64_image),
		cmocka_unit_test(test_bad_fields),
		cmocka_unit_test(test_version_without_end),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_payload_config),
		cmocka_unit_test(test_payload_without_config),
		cmocka_unit_test(test_payload_unpack),
		cmocka_unit_test(test_payload_damaged),
	};

	return cmocka_run_group_tests_name("bzimage", tests, NULL, NULL);
}
