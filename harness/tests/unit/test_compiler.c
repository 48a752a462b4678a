// SPDX-License-Identifier: GPL-2.0-or-later
/* Which gcc builds which kernel, 3.10 to 7.x, on hosts that have this or that. Pure. */
#include "kernel/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* "gcc-10 gcc=12": names with the version that the name says, or that stands behind "=". */
static GPtrArray *host(const char *text)
{
	GPtrArray *have = g_ptr_array_new_with_free_func((GDestroyNotify)compiler_free);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (char **word = words; *word && **word; word++) {
		struct compiler *cc = g_new0(struct compiler, 1);
		g_auto(GStrv) pair = g_strsplit(*word, "=", 2);
		const char *number = pair[1] ? pair[1] : strchr(pair[0], '-') + 1;
		double version = g_ascii_strtod(number, NULL);

		cc->name = g_strdup(pair[0]);
		cc->version = (unsigned)(version + 0.01) * 100 +
			      (version < 5 ? (unsigned)(version * 10 + 0.5) % 10 : 0);
		g_ptr_array_add(have, cc);
	}
	return have;
}

#define ALL "gcc-16 gcc-14 gcc-13 gcc-12 gcc-11 gcc-10 gcc-9 gcc-8 gcc-7 gcc-6 gcc-5 gcc-4.9 gcc=12"
#define BOOKWORM "gcc-12 gcc-11 gcc=12"
#define BULLSEYE "gcc-10 gcc-9 gcc=10"
#define TRIXIE "gcc-14 gcc=14"

static void chooses(void **state)
{
	static const struct {
		const char *release, *have, *want; /* NULL: none will do */
	} rows[] = {
		{ "3.10", ALL, "gcc-4.9" },
		{ "3.10.108", BULLSEYE, NULL },
		{ "3.16", "gcc-4.9 gcc-5", "gcc-4.9" },
		{ "3.18", ALL, "gcc-5" },
		{ "4.1", ALL, "gcc-5" },
		{ "4.4", ALL, "gcc-5" },
		{ "4.9", "gcc-6 gcc-4.9", "gcc-4.9" },
		{ "4.10", ALL, "gcc-5" },
		{ "4.11", ALL, "gcc-7" },
		{ "4.12", ALL, "gcc-8" },
		{ "4.18", "gcc-9 gcc-8", "gcc-8" },
		{ "4.19", ALL, "gcc-8" },
		{ "5.1", ALL, "gcc-8" },
		{ "5.2", ALL, "gcc-10" },
		{ "5.3", BOOKWORM, NULL },
		{ "5.3", BULLSEYE, "gcc-10" },
		{ "5.4.0", "gcc-9 gcc=12", "gcc-9" },
		{ "5.4.285", ALL, "gcc-10" },
		{ "5.8", ALL, "gcc-10" },
		{ "5.9", "gcc-4.9 gcc=12", "gcc-4.9" },
		{ "5.10.262", BOOKWORM, NULL },
		{ "5.10.262", BULLSEYE, "gcc-10" },
		{ "5.11", BOOKWORM, "gcc-11" },
		{ "5.14", ALL, "gcc-11" },
		{ "5.15", BULLSEYE, "gcc-10" },
		{ "5.15", "gcc-4.9", NULL },
		{ "5.16", BOOKWORM, "gcc-12" },
		{ "5.19", ALL, "gcc-12" },
		{ "6.1.192", BOOKWORM, "gcc-12" },
		{ "6.1.192", BULLSEYE, "gcc-10" },
		/* open: the oldest of those that are newer than is known */
		{ "6.1.192", "gcc-16 gcc-14", "gcc-14" },
		{ "6.2-rc3", TRIXIE, "gcc-14" },
		{ "6.12", TRIXIE, "gcc-14" },
		{ "6.12", ALL, "gcc-14" },
		{ "6.15", "gcc-7 gcc-8", NULL },
		{ "6.16", "gcc-7 gcc-9", "gcc-9" },
		{ "6.19", ALL, "gcc-14" },
		{ "7.0", ALL, "gcc-16" },
		{ "7.2.13", BOOKWORM, "gcc-12" },
		{ "7.3", "gcc-17", "gcc-17" },
		{ "7.2", "", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) have = host(rows[i].have);
		g_autoptr(GError) error = NULL;
		const struct compiler *cc =
			compiler_choose(compiler_kernel(rows[i].release), have, &error);

		if (g_strcmp0(cc ? cc->name : NULL, rows[i].want) || !cc != !!error)
			fail_msg("%s with '%s': %s, want %s", rows[i].release, rows[i].have,
				 cc ? cc->name : "none", rows[i].want ? rows[i].want : "none");
	}
}

static void says_what_to_install(void **state)
{
	static const struct {
		const char *release, *want;
	} rows[] = {
		{ "5.4", "Linux 5.4 is known to build with gcc 4.6 to gcc 10, and none of these is "
			 "installed\nhint: apt-get install gcc-10 (Debian 11 has it), or name "
			 "another one with `compiler:`" },
		{ "3.10", "Linux 3.10 is known to build with gcc 3.2 to gcc 4.9, and none of these "
			  "is installed\nhint: apt-get install gcc-4.9 (Debian 8 has it), or name "
			  "another one with `compiler:`" },
		{ "5.12",
		  "Linux 5.12 is known to build with gcc 4.9 to gcc 11, and none of these is "
		  "installed\nhint: apt-get install gcc-11 (Debian 12 has it), or name "
		  "another one with `compiler:`" },
	};
	g_autoptr(GPtrArray) none = host("");

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		assert_null(compiler_choose(compiler_kernel(rows[i].release), none, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
		assert_string_equal(error->message, rows[i].want);
	}
}

static void flags(void **state)
{
	static const struct {
		const char *release;
		unsigned gcc;
		const char *target, *host;
	} rows[] = {
		{ "3.10", COMPILER_GCC(4, 9), "", "" },
		{ "3.10", COMPILER_GCC(5, 0), "-std=gnu89", "" },
		{ "3.10", COMPILER_GCC(8, 0), "-std=gnu89 -fno-pie -fcf-protection=none", "" },
		{ "4.4", COMPILER_GCC(5, 0), "", "" },
		{ "4.8", COMPILER_GCC(6, 0), "-fno-pie", "" },
		{ "4.9", COMPILER_GCC(6, 0), "", "" },
		{ "5.4", COMPILER_GCC(9, 0), "-fcf-protection=none", "" },
		{ "5.4", COMPILER_GCC(10, 0), "-fcf-protection=none", "-fcommon" },
		{ "5.6", COMPILER_GCC(10, 0), "-fcf-protection=none", "" },
		{ "5.10", COMPILER_GCC(12, 0), "-fcf-protection=none", "-Wno-use-after-free" },
		{ "5.16", COMPILER_GCC(12, 0), "", "-Wno-use-after-free" },
		{ "5.17", COMPILER_GCC(12, 0), "", "" },
		{ "6.1", COMPILER_GCC(12, 0), "", "" },
		{ "6.1", COMPILER_GCC(15, 0), "-std=gnu11", "-std=gnu11" },
		{ "6.15", COMPILER_GCC(15, 0), "", "" },
		{ "7.2", COMPILER_GCC(16, 0), "", "" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		unsigned kernel = compiler_kernel(rows[i].release);
		g_autofree char *target = compiler_flags(kernel, rows[i].gcc, COMPILER_TARGET);
		g_autofree char *host_flags = compiler_flags(kernel, rows[i].gcc, COMPILER_HOST);

		if (strcmp(target, rows[i].target) || strcmp(host_flags, rows[i].host))
			fail_msg("%s with %u: '%s', '%s'", rows[i].release, rows[i].gcc, target,
				 host_flags);
	}
}

/* Rows ascend, and no kernel wants a compiler that another row of its own calls too old. */
static void rules_hold_together(void **state)
{
	const struct compiler_rule *before = compiler_rule(0);

	for (unsigned kernel = COMPILER_KERNEL(3, 10); kernel < COMPILER_KERNEL(8, 0); kernel++) {
		const struct compiler_rule *rule = compiler_rule(kernel);

		assert_true(rule->from <= kernel && rule->from >= before->from);
		assert_true(rule->oldest < rule->newest && rule->says && *rule->says && rule->how);
		assert_true(rule->newest >= before->newest && rule->oldest >= before->oldest);
		before = rule;
	}
}

static void releases(void **state)
{
	assert_int_equal(compiler_kernel("6.1.192"), COMPILER_KERNEL(6, 1));
	assert_int_equal(compiler_kernel("3.10.0-1160.el7.x86_64"), COMPILER_KERNEL(3, 10));
	assert_int_equal(compiler_kernel("7.2-rc1"), COMPILER_KERNEL(7, 2));
	assert_int_equal(compiler_kernel("5"), 0);
	assert_int_equal(compiler_kernel("5.x"), 0);
	assert_int_equal(compiler_kernel(""), 0);
	assert_int_equal(compiler_kernel("v5.4"), 0);
	assert_int_equal(compiler_kernel("-5.4"), 0);
	assert_int_equal(compiler_kernel("99999999999999999999.1"), 0);
}

static void names(void **state)
{
	static const char *const good[] = { "gcc", "gcc-10", "gcc-4.9", "x86_64-linux-gnu-gcc-12" };
	static const char *const bad[] = { "",     "clang", "gcc -O3", "gcc-10;id", "/usr/bin/gcc",
					   "-gcc", "gcc-",  "gcc\n",   "ccache gcc" };

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(compiler_name_is_valid(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		if (compiler_name_is_valid(bad[i]))
			fail_msg("'%s'", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses),  cmocka_unit_test(says_what_to_install),
		cmocka_unit_test(flags),    cmocka_unit_test(rules_hold_together),
		cmocka_unit_test(releases), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
