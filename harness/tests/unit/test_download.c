// SPDX-License-Identifier: GPL-2.0-or-later
/* Downloads without a network: names that indexes give, files of this host, gpgv's words. What goes
 * over the wire is contract-repos.sh's. */
#include "kernel/download.h"
#include "kernel/download_http.h"
#include "kernel/gpg.h"
#include "kernel/kernel.h"
#include "kernel/store.h"

#include <glib/gstdio.h>

#include "cache_fixture.h"

static void test_names(void **state)
{
	static const char *const good[] = { "pool/main/l/linux/a_1.2~rc+b_amd64.deb", "a", "a/..b",
					    "./a", "Packages/kernel-3.10.0%3a.rpm" };
	static const char *const bad[] = { "",     "/etc/passwd", "../a", "a/../b",
					   "a/..", "a b",         "a\nb", "http://evil.example/a",
					   "a?b",  "a#b",         "a\\b", "\xff" };

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(download_name_ok(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(download_name_ok(bad[i]));
	assert_false(download_name_ok(NULL));
}

static void test_urls(void **state)
{
	g_autofree char *joined = download_join("http://a.example/b//", "c/d");
	g_autofree char *public = download_public("https://me:secret@a.example/b");
	g_autofree char *plain = download_public("http://a.example/b c");

	assert_string_equal(joined, "http://a.example/b/c/d");
	assert_null(strstr(public, "secret"));
	assert_non_null(strstr(public, "a.example/b"));
	assert_string_equal(plain, "http://a.example/b c");
	assert_string_equal(download_local("/a/b.deb"), "/a/b.deb");
	assert_string_equal(download_local("b.deb"), "b.deb");
	assert_string_equal(download_local("file:///a/b.deb"), "/a/b.deb");
	assert_string_equal(download_local("file:/a/b.deb"), "/a/b.deb");
	assert_null(download_local("https://a.example/b.deb"));
}

static void test_ranges(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t first;
	} cases[] = {
		{ "bytes 100-199/200", true, 100 },
		{ "Bytes 0-0/*", true, 0 },
		{ "bytes */200", false, 0 },
		{ "bytes -5", false, 0 },
		{ "bytes 5", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint64_t first = 0;

		assert_int_equal(download_range_parse(cases[i].text, &first), cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(first, cases[i].first);
	}
}

static void test_local(void **state)
{
	g_autofree char *from = g_build_filename(dir, "from", NULL);
	g_autofree char *to = g_build_filename(dir, "to", NULL), *data = NULL;
	g_autofree char *sum = fs_sha256_bytes("hello", 5), *absent_path = NULL;
	g_autofree char *sum512 = NULL;
	struct download d = { .url = from, .path = to, .max = 5, .hash = sum, .what = "x" };
	g_autoptr(GError) error = NULL;
	bool absent = true;

	assert_true(fs_write(from, "hello", 5, NULL));
	d.ret_absent = &absent;
	assert_true(download_file(&d, NULL));
	assert_false(absent);
	assert_true(fs_read(to, 100, &data, NULL, NULL));
	assert_string_equal(data, "hello");
	g_unlink(to);
	d.max = 4;
	assert_false(download_file(&d, NULL));
	d.max = 5;
	assert_true(fs_write(from, "jello", 5, NULL));
	assert_false(download_file(&d, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	assert_false(g_file_test(to, G_FILE_TEST_EXISTS));
	g_clear_error(&error);
	assert_true(fs_write(from, "hello", 5, NULL));
	sum512 = g_compute_checksum_for_data(G_CHECKSUM_SHA512, (const guchar *)"hello", 5);
	d.hash = sum512;
	assert_true(download_file(&d, NULL));
	sum512[5] = sum512[5] == '0' ? '1' : '0';
	assert_false(download_file(&d, NULL));
	d.url = absent_path = g_build_filename(dir, "absent", NULL);
	assert_false(download_file(&d, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
	assert_true(absent);
}

/* Nobody listens there: no answer, a hint, nothing left. */
static void test_no_server(void **state)
{
	g_autofree char *to = g_build_filename(dir, "to", NULL);
	struct download d = { .url = "http://127.0.0.1:1/x", .path = to, .max = 5, .what = "x" };
	g_autoptr(GError) error = NULL;

	assert_false(download_file(&d, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
	assert_non_null(strstr(error->message, "\nhint: check the network"));
	assert_false(g_file_test(to, G_FILE_TEST_EXISTS));
}

static void test_other_protocols(void **state)
{
	g_autofree char *to = g_build_filename(dir, "to", NULL);
	struct download d = { .url = "ftp://127.0.0.1:1/x", .path = to, .max = 5, .what = "x" };
	g_autoptr(GError) error = NULL;

	assert_false(download_file(&d, &error));
	assert_non_null(strstr(error->message, "rotocol"));
}

/* ---- gpgv ---- */

static void test_gpg_status(void **state)
{
	static const struct {
		const char *status, *reason; /* NULL: good */
	} cases[] = {
		{ "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1234 A <a@b>\n[GNUPG:] VALIDSIG 99 2022-11-22 "
		  "1 0 4 0 1 8 00 99\n",
		  NULL },
		/* one of several keys is enough, as for apt */
		{ "[GNUPG:] NO_PUBKEY 5678\n[GNUPG:] GOODSIG 1234 A\n"
		  "[GNUPG:] VALIDSIG 99 2022-11-22 1 0 4 0 1 10 00 99\n",
		  NULL },
		/* by SHA-1; an expired key's is not the good one's */
		{ "[GNUPG:] GOODSIG 1234 A\n[GNUPG:] VALIDSIG 99 2022-11-22 1 0 4 0 1 2 00 99\n",
		  "is signed with a hash that proves nothing" },
		{ "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1 A\n"
		  "[GNUPG:] VALIDSIG 99 2022-11-22 1 0 4 0 1 2 00 99\n[GNUPG:] NEWSIG\n"
		  "[GNUPG:] EXPKEYSIG 2 B\n[GNUPG:] VALIDSIG 98 2022-11-22 1 0 4 0 1 8 00 98\n",
		  "is signed by an expired key, '2'" },
		{ "[GNUPG:] GOODSIG 1234 A\n[GNUPG:] VALIDSIG 99 2022-11-22 1 0 4 0 1 8 00 99\n"
		  "[GNUPG:] BADSIG 77 B\n",
		  "is not what was signed: bad signature by key '77'" },
		{ "[GNUPG:] GOODSIG 1234 A\n", "is not signed" },
		{ "[GNUPG:] EXPKEYSIG 12 A\n[GNUPG:] VALIDSIG 99\n",
		  "is signed by an expired key, '12'" },
		{ "[GNUPG:] REVKEYSIG 12 A\n[GNUPG:] VALIDSIG 99\n",
		  "is signed by a revoked key, '12'" },
		{ "[GNUPG:] ERRSIG 34 1 8 00 1 9\n[GNUPG:] NO_PUBKEY 34\n",
		  "is signed by none of the keyring's keys, but by '34'" },
		/* words within a line are nobody's verdict */
		{ "gpgv: [GNUPG:] GOODSIG 1 A\ngpgv: [GNUPG:] VALIDSIG 1\n", "is not signed" },
		{ "", "is not signed" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *reason = NULL;

		assert_int_equal(gpg_status_good(cases[i].status, &reason), !cases[i].reason);
		if (cases[i].reason)
			assert_string_equal(reason, cases[i].reason);
	}
}

static void test_dearmor(void **state)
{
	static const char block[] =
		"-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nVersion: 1\r\n\r\n"
		"aGVs\r\nbG8=\r\n=abcd\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n";
	g_autofree char *two = g_strconcat("a comment\n", block, "\n", block, NULL);
	g_autoptr(GBytes) bytes = gpg_dearmor(two, strlen(two));

	assert_int_equal(g_bytes_get_size(bytes), 10);
	assert_memory_equal(g_bytes_get_data(bytes, NULL), "hellohello", 10);
	for (size_t len = 0; len < strlen(block) - 5; len++)
		assert_null(gpg_dearmor(block, len));
}

static void test_no_keyring(void **state)
{
	g_autofree char *keyring = g_build_filename(dir, "ubuntu-archive-keyring.gpg", NULL);
	struct gpg_check check = { .keyring = keyring,
				   .path = "/dev/null",
				   .out = "/dev/null",
				   .tmp_dir = dir,
				   .what = "'x'" };
	/* told before anything is fetched: there is no such repository */
	struct kernel_spec spec = { .source = (char *)"deb",
				    .repo = (char *)"/nonexistent",
				    .suite = (char *)"s",
				    .package = (char *)"p",
				    .keyring = keyring };
	g_autoptr(GError) error = NULL, first = NULL;
	g_autoptr(kernel) k = NULL;

	assert_false(gpg_verify(&check, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
	assert_non_null(strstr(error->message, "hint: apt install ubuntu-keyring"));
	assert_false(kernel_fetch(&spec, NULL, &k, &first));
	assert_string_equal(first->message, error->message);
}

/* ---- specs ---- */

/* Nothing is taken that nobody vouches for, unless that is said. */
static void test_specs(void **state)
{
	static const struct {
		struct kernel_spec spec;
		const char *want;
	} cases[] = {
		{ { .source = (char *)"deb", .url = (char *)"/a.deb" }, "verify: none" },
		{ { .source = (char *)"rpm", .url = (char *)"/a.rpm" }, "verify: none" },
		{ { .source = (char *)"deb" }, "needs a 'url', or a 'repo'" },
		{ { .source = (char *)"rpm", .url = (char *)"/a", .repo = (char *)"/b" },
		  "needs a 'url', or a 'repo'" },
		{ { .source = (char *)"deb", .repo = (char *)"/b", .suite = (char *)"s" },
		  "'package'" },
		{ { .source = (char *)"rpm", .repo = (char *)"/b", .verify_none = true },
		  "'package'" },
		{ { .source = (char *)"deb", .url = (char *)"/b", .keyring = (char *)"k" },
		  "no signature" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(kernel) k = NULL;
		g_autoptr(GError) error = NULL;

		assert_false(kernel_fetch(&cases[i].spec, NULL, &k, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		assert_non_null(strstr(error->message, cases[i].want));
	}
}

/* Every field that decides what is fetched, or what vouches for it, leads to an entry of its own.
 */
static void test_index_tells_specs_apart(void **state)
{
	char *const one[] = { (char *)"a.patch", NULL };
	const struct kernel_spec specs[] = {
		{ .source = (char *)"deb" },
		{ .source = (char *)"rpm" },
		{ .source = (char *)"deb", .url = (char *)"http://x" },
		{ .source = (char *)"deb", .repo = (char *)"http://x" },
		{ .source = (char *)"deb", .component = (char *)"http://x" },
		{ .source = (char *)"deb", .keyring = (char *)"k" },
		{ .source = (char *)"deb", .sha256 = (char *)"k" },
		{ .source = (char *)"deb", .verify_none = true },
		{ .source = (char *)"deb", .ignore_valid_until = true },
		{ .source = (char *)"deb", .suite = (char *)"k" },
		{ .source = (char *)"deb", .package = (char *)"k" },
		{ .source = (char *)"deb", .version = (char *)"k" },
		{ .source = (char *)"deb", .remote = (char *)"k" },
		{ .source = (char *)"deb", .ref = (char *)"k" },
		{ .source = (char *)"deb", .config = (char *)"k" },
		{ .source = (char *)"deb", .compiler = (char *)"k" },
		{ .source = (char *)"deb", .patches = (char **)one },
	};
	struct kernel k = { .sha256 = (char *)"00", .release = (char *)"r" };

	for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
		assert_int_equal(kernel_store_age_s(&specs[i]), UINT64_MAX);
		assert_true(kernel_store_index(&specs[i], &k, NULL));
		assert_true(kernel_store_age_s(&specs[i]) < 60);
	}
}

/* A package on this host may be overwritten: the entry is of the file as it was. */
static void test_index_of_a_file(void **state)
{
	g_autofree char *path = g_build_filename(dir, "a.deb", NULL);
	struct kernel_spec spec = { .source = (char *)"deb", .url = path, .verify_none = true };
	struct kernel k = { .sha256 = (char *)"00", .release = (char *)"r" };

	assert_true(fs_write(path, "one", 3, NULL));
	assert_true(kernel_store_index(&spec, &k, NULL));
	assert_true(kernel_store_age_s(&spec) < 60);
	assert_true(fs_write(path, "other", 5, NULL));
	assert_int_equal(kernel_store_age_s(&spec), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test_setup_teardown(test_local, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_protocols, setup, teardown),
		cmocka_unit_test(test_gpg_status),
		cmocka_unit_test(test_dearmor),
		cmocka_unit_test_setup_teardown(test_no_keyring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_specs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index_tells_specs_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index_of_a_file, setup, teardown),
	};

	return cmocka_run_group_tests_name("download", tests, NULL, NULL);
}
