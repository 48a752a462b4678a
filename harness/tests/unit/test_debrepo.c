// SPDX-License-Identifier: GPL-2.0-or-later
/* Release and Packages of Debian repositories, and the way from a metapackage to the image. */
#include "kernel/deb.h"
#include "kernel/debdepend.h"
#include "kernel/debrepo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char release_text[] =
	"Origin: Ubuntu\nSuite: jammy\nAcquire-By-Hash: yes\n"
	"Valid-Until: Sat, 01 Jan 2022 00:00:00 UTC\n"
	"MD5Sum:\n 00000000000000000000000000000000 5 main/binary-amd64/Packages.xz\n"
	"SHA256:\n"
	" " A64 "  900 main/binary-amd64/Packages\n"
	" " B64 "   90 main/binary-amd64/Packages.gz\n"
	" " A64 "    9 main/binary-amd64/../../../Packages.xz\n"
	" " A64 "    9 /etc/Packages.xz\n"
	" short 9 main/binary-amd64/Packages.xz\n"
	" " A64 " x main/binary-amd64/Packages.xz\n"
	" " A64 "    7 universe/binary-amd64/Packages.xz\n"
	"SHA512:\n " A64 " 1 main/binary-amd64/Packages.zst\n";

static void test_release(void **state)
{
	g_auto(deb_release) r = { 0 };
	const struct deb_index *index;

	assert_true(deb_release_parse(release_text, strlen(release_text), &r, NULL));
	assert_int_equal(r.valid_until, 1640995200);
	assert_true(r.by_hash);
	index = deb_release_packages(&r, "main/binary-amd64");
	assert_string_equal(index->path, "main/binary-amd64/Packages.gz");
	assert_string_equal(index->sha256, B64);
	assert_int_equal(index->size, 90);
	assert_non_null(deb_release_packages(&r, "universe/binary-amd64"));
	assert_null(deb_release_packages(&r, "multiverse/binary-amd64"));
	assert_null(deb_release_packages(&r, ""));
}

static void test_bad_release(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"SHA256:\n",
		"SHA256:\n " A64 " 5 main/Contents.gz\n",
		"MD5Sum:\n " A64 " 5 main/binary-amd64/Packages\n",
		/* a date that cannot be read must not count as "for ever" */
		"Valid-Until: soon\nSHA256:\n " A64 " 5 main/binary-amd64/Packages\n",
		/* what follows a blank line is not Release's */
		"Suite: x\n\nSHA256:\n " A64 " 5\n",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(deb_release) r = { 0 };
		g_autoptr(GError) error = NULL;

		assert_false(deb_release_parse(bad[i], strlen(bad[i]), &r, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

#define STANZA(name, version, file)                                                                \
	"Package: " name "\nVersion: " version "\nDepends: linux-modules-x\nFilename: " file       \
	"\nSize: 12\nSHA256: " A64 "\n\n"

static void test_packages(void **state)
{
	static const char text[] = STANZA("linux-image-x", "5.4.0-99.112", "pool/a.deb") STANZA(
		"linux-image-x", "5.4.0-150.167", "pool/b.deb") STANZA("linux-image-x-dbg", "9",
								       "pool/c.deb")
		STANZA("linux-image-x", "9.0.0-1", "../../etc/passwd") STANZA(
			"linux-image-x", "9.0.0-2",
			"http://evil.example/x.deb") "Package: linux-image-x\nVersion: "
						     "9.0.0-3\nFilename: pool/d.deb\n\n"
						     "Package: linux-image-x\nVersion: "
						     "9.0.0-4\nFilename: pool/d.deb\nSHA256: aa\n";
	static const struct {
		const char *name, *version, *want;
	} cases[] = {
		{ "linux-image-x", NULL, "pool/b.deb" },
		{ "linux-image-x", "5.4.0-99.112", "pool/a.deb" },
		{ "linux-image-x", "5.4.0-100.1", NULL },
		{ "linux-image-x-dbg", NULL, "pool/c.deb" },
		{ "linux-image", NULL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(deb_package) pkg = { 0 };
		bool found = deb_packages_find(text, strlen(text), cases[i].name, cases[i].version,
					       &pkg);

		assert_int_equal(found, cases[i].want != NULL);
		if (found)
			assert_string_equal(pkg.filename, cases[i].want);
	}
}

/* Of several suites the newest wins, whichever is read first. */
static void test_newest_of_all(void **state)
{
	static const char old[] = STANZA("p", "1.9", "pool/old.deb");
	static const char new[] = STANZA("p", "1.10", "pool/new.deb");

	for (unsigned first = 0; first < 2; first++) {
		g_auto(deb_package) pkg = { 0 };
		const char *a = first ? old : new, *b = first ? new : old;

		assert_true(deb_packages_find(a, strlen(a), "p", NULL, &pkg));
		assert_int_equal(deb_packages_find(b, strlen(b), "p", NULL, &pkg), first);
		assert_string_equal(pkg.filename, "pool/new.deb");
		assert_string_equal(pkg.depends, "linux-modules-x");
		assert_int_equal(pkg.size, 12);
	}
}

static void test_depends(void **state)
{
	static const struct {
		const char *self, *depends, *package, *version;
	} cases[] = {
		/* Debian: the metapackage; bookworm's image; sid's empty one */
		{ "linux-image-cloud-amd64", "linux-image-6.1.0-49-cloud-amd64 (= 6.1.192-2)",
		  "linux-image-6.1.0-49-cloud-amd64", "6.1.192-2" },
		{ "linux-image-6.1.0-49-amd64", "kmod, linux-base (>= 4.3~), initramfs-tools", NULL,
		  NULL },
		{ "linux-image-7.2.1-amd64", "linux-binary-7.2.1-amd64 (= 7.2.1-1), kmod",
		  "linux-binary-7.2.1-amd64", "7.2.1-1" },
		/* Ubuntu: the series, and the signed image */
		{ "linux-image-generic",
		  "linux-image-5.4.0-150-generic, linux-modules-extra-5.4.0-150",
		  "linux-image-5.4.0-150-generic", NULL },
		{ "linux-image-5.4.0-150-generic", "kmod, linux-modules-5.4.0-150-generic", NULL,
		  NULL },
		{ "x", "", NULL, NULL },
		{ "x", ",|,(= ), linux-image-", NULL, NULL },
		/* nothing leads to itself */
		{ "linux-image-6", "linux-image-6", NULL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *package = NULL, *version = NULL;
		bool found = deb_next_package(cases[i].depends, cases[i].self, &package, &version);

		assert_int_equal(found, cases[i].package != NULL);
		if (!found)
			continue;
		assert_string_equal(package, cases[i].package);
		assert_int_equal(g_strcmp0(version, cases[i].version), 0);
	}
}

static void test_config_package(void **state)
{
	g_autofree char *package = NULL, *version = NULL;

	assert_true(
		deb_config_package("kmod, linux-modules-5.4.0-150-generic", &package, &version));
	assert_string_equal(package, "linux-modules-5.4.0-150-generic");
	assert_null(version);
	g_clear_pointer(&package, g_free);
	assert_true(deb_config_package("linux-base-7.2.1 (= 7.2.1-1)", &package, &version));
	assert_string_equal(package, "linux-base-7.2.1");
	g_clear_pointer(&package, g_free);
	g_clear_pointer(&version, g_free);
	assert_false(deb_config_package("linux-base (>= 4.3~), kmod", &package, &version));
}

static void test_field(void **state)
{
	static const char text[] = "Package:  a b \nversion: 2\nLast: x\n\nOther: y\n";
	g_autofree char *package = deb_field(text, "Package"),
			*version = deb_field(text, "Version");
	g_autofree char *last = deb_field(text, "Last");

	assert_string_equal(package, "a b");
	assert_string_equal(version, "2");
	assert_string_equal(last, "x");
	assert_null(deb_field(text, "Other"));
	assert_null(deb_field(text, "Pack"));
	assert_null(deb_field("", "Package"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release),  cmocka_unit_test(test_bad_release),
		cmocka_unit_test(test_packages), cmocka_unit_test(test_newest_of_all),
		cmocka_unit_test(test_depends),  cmocka_unit_test(test_config_package),
		cmocka_unit_test(test_field),
	};

	return cmocka_run_group_tests_name("debrepo", tests, NULL, NULL);
}
