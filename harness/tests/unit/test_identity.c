// SPDX-License-Identifier: GPL-2.0-or-later
/* kernel/: banners in images, compilers in banners, and which build a kernel says it is. */
#include "kernel/banner.h"
#include "kernel/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DEBIAN                                                                                     \
	"Linux version 6.1.0-18-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian "     \
	"12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian " \
	"6.1.76-1 (2024-02-01)"
#define RHEL7                                                                                      \
	"Linux version 3.10.0-1127.el7.x86_64 (mockbuild@kbuilder) (gcc version 4.8.5 20150623 "   \
	"(Red Hat 4.8.5-39) (GCC) ) #1 SMP Tue Mar 31 23:36:51 UTC 2020"
#define CLANG "Linux version 6.2.0 (u@h) (Debian clang version 14.0.6, LLD 14.0.6) #7 SMP"

static char *scan(const char *data, size_t len, size_t step)
{
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct banner_scan s = { .kept = kept };

	for (size_t at = 0; at < len; at += step)
		banner_scan_feed(&s, data + at, MIN(step, len - at));
	banner_scan_end(&s);
	return s.banner;
}

static void test_banner_found(void **state)
{
	/* a format string, a draft without a number, then the banner itself */
	static const char image[] =
		"xx\0Linux version %s\n\0Linux version 6.1.0 (a@b) (gcc) # SMP\n\0"
		"yyyy" DEBIAN "\n\0tail";
	static const size_t steps[] = { 1, 2, 13, 64, sizeof(image) };

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *banner = scan(image, sizeof(image) - 1, steps[i]);

		assert_string_equal(banner, DEBIAN);
	}
	assert_null(scan(image, 60, 60));
	assert_null(scan("Linux version 6.1 (cut", 22, 22));
	assert_null(scan("", 0, 1));
}

static void test_compiler(void **state)
{
	static const struct {
		const char *banner, *want;
	} rows[] = {
		{ DEBIAN, "gcc-12 (Debian 12.2.0-14) 12.2.0" },
		{ RHEL7, "gcc version 4.8.5 20150623 (Red Hat 4.8.5-39) (GCC)" },
		{ CLANG, "Debian clang version 14.0.6" },
		{ "Linux version 6.1", NULL },
		{ "Linux version 6.1 (a@b) #1", NULL },
		{ "Linux version 6.1 (a@b) (gcc #1", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got = banner_compiler(rows[i].banner);

		if (g_strcmp0(got, rows[i].want))
			fail_msg("'%s': '%s'", rows[i].banner, got);
	}
}

static void test_fits(void **state)
{
	assert_true(banner_fits(DEBIAN, "6.1.0-18-cloud-amd64",
				"(debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian "
				"6.1.76-1 (2024-02-01)"));
	assert_false(banner_fits(DEBIAN, "6.1.0-18-cloud-amd64", "(x) #1 SMP Debian 6.1.82-1"));
	assert_false(banner_fits(DEBIAN, "6.1.0-18", ""));
	assert_true(banner_fits(CLANG, "6.2.0", ""));
}

static void test_identity(void **state)
{
	static const struct {
		const char *release, *version, *vendor;
		const char *ktb_vendor, *full, *base, *branch, *line;
	} rows[] = {
		{ "6.1.0-18-cloud-amd64", "(d) #1 SMP Debian 6.1.76-1 (2024-02-01)", "debian",
		  "debian", "6.1.76-1", "6.1.76", "6.1.y", "longterm" },
		{ "5.4.0-150-generic", "(b) #167-Ubuntu SMP", "ubuntu", "ubuntu", "5.4.0-150.167",
		  "5.4.0", "5.4.y", "longterm" },
		{ "3.10.0-1127.el7.x86_64", "(m) #1 SMP", NULL, "rhel7", "3.10.0-1127.el7",
		  "3.10.0", "3.10.y", "frozen" },
		{ "6.2.0", "(a) #1 SMP", NULL, "mainline", NULL, "6.2.0", "mainline", "mainline" },
		{ "6.3.0-rc2", "(a) #1 SMP", NULL, "mainline", NULL, "6.3.0~rc2", "mainline",
		  "mainline" },
		{ "6.2.16", "(a) #1 SMP", NULL, "mainline", NULL, "6.2.16", "6.2.y", "stable" },
		{ "5.19.17-local", "(a) #1 SMP", NULL, "other", NULL, "5.19.17", "5.19.y",
		  "stable" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct kernel k = { .release = (char *)rows[i].release,
				    .version = (char *)rows[i].version,
				    .vendor = (char *)rows[i].vendor };
		const char *const want[][2] = { { "vendor", rows[i].ktb_vendor },
						{ "full", rows[i].full },
						{ "base", rows[i].base },
						{ "branch", rows[i].branch },
						{ "line", rows[i].line } };

		kernel_identify(&k, NULL);
		for (size_t j = 0; j < G_N_ELEMENTS(want); j++) {
			const char *got =
				json_string_value(json_object_get(k.identity, want[j][0]));

			if (g_strcmp0(got, want[j][1]))
				fail_msg("%s: %s is '%s', not '%s'", rows[i].release, want[j][0],
					 got, want[j][1]);
		}
		json_decref(k.identity);
	}
}

static void test_options_and_compiler(void **state)
{
	static const char *const options[] = { "CONFIG_A", "CONFIG_B", "CONFIG_C", NULL };
	struct kernel k = { .release = (char *)"6.1.0",
			    .version = (char *)"#1",
			    .config =
				    (char *)"CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x y\"\n"
					    "CONFIG_CC_VERSION_TEXT=\"gcc (GCC) 12\"\n" };
	const json_t *got;

	kernel_identify(&k, options);
	got = json_object_get(k.identity, "options");
	assert_int_equal(json_object_size(got), 3);
	assert_string_equal(json_string_value(json_object_get(got, "CONFIG_A")), "y");
	assert_string_equal(json_string_value(json_object_get(got, "CONFIG_B")), "n");
	assert_string_equal(json_string_value(json_object_get(got, "CONFIG_C")), "x y");
	assert_string_equal(json_string_value(json_object_get(k.identity, "compiler")),
			    "gcc (GCC) 12");
	/* the image's own word outranks; without a config options are not known, not unset */
	k.banner = (char *)DEBIAN;
	k.config = NULL;
	kernel_identify(&k, options);
	assert_string_equal(json_string_value(json_object_get(k.identity, "compiler")),
			    "gcc-12 (Debian 12.2.0-14) 12.2.0");
	assert_true(json_is_null(json_object_get(k.identity, "options")));
	k.release = (char *)"no version";
	kernel_identify(&k, options);
	assert_null(k.identity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_banner_found),
		cmocka_unit_test(test_compiler),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_options_and_compiler),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
