// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Version orders by cases that are known: those published with rpm (tests/rpmvercmp.at), kernels',
 * and what any order holds. test_vercmp_differential.c asks dpkg and rpm themselves.
 */
#include "base/lab.h"
#include "base/vercmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int sign(int x)
{
	return x < 0 ? -1 : x > 0;
}

struct row {
	const char *a, *b;
	int expected;
};

static void check_rows(const struct row *rows, unsigned n,
		       int (*compare)(const char *, const char *))
{
	for (unsigned i = 0; i < n; i++) {
		int forth = sign(compare(rows[i].a, rows[i].b));
		int back = sign(compare(rows[i].b, rows[i].a));

		if (forth != rows[i].expected || back != -rows[i].expected)
			fail_msg("'%s' '%s': %d and %d, expected %d", rows[i].a, rows[i].b, forth,
				 back, rows[i].expected);
	}
}

static void rpm_order_is_the_published_one(void **state)
{
	static const struct row rows[] = {
		{ "1.0", "1.0", 0 },
		{ "1.0", "2.0", -1 },
		{ "2.0.1", "2.0.1", 0 },
		{ "2.0", "2.0.1", -1 },
		{ "2.0.1a", "2.0.1a", 0 },
		{ "2.0.1a", "2.0.1", 1 },
		{ "5.5p1", "5.5p1", 0 },
		{ "5.5p1", "5.5p2", -1 },
		{ "5.5p10", "5.5p10", 0 },
		{ "5.5p1", "5.5p10", -1 },
		{ "10xyz", "10.1xyz", -1 },
		{ "xyz10", "xyz10", 0 },
		{ "xyz10", "xyz10.1", -1 },
		{ "xyz.4", "xyz.4", 0 },
		{ "xyz.4", "8", -1 },
		{ "xyz.4", "2", -1 },
		{ "5.5p2", "5.6p1", -1 },
		{ "5.6p1", "6.5p1", -1 },
		{ "6.0.rc1", "6.0", 1 },
		{ "10b2", "10a1", 1 },
		{ "1.0aa", "1.0a", 1 },
		{ "10.0001", "10.0001", 0 },
		{ "10.0001", "10.1", 0 },
		{ "10.0001", "10.0039", -1 },
		{ "4.999.9", "5.0", -1 },
		{ "20101121", "20101121", 0 },
		{ "20101121", "20101122", -1 },
		{ "2_0", "2_0", 0 },
		{ "2.0", "2_0", 0 },
		{ "a", "a", 0 },
		{ "a+", "a+", 0 },
		{ "a+", "a_", 0 },
		{ "+a", "_a", 0 },
		{ "+_", "_+", 0 },
		{ "+", "_", 0 },
		{ "1.0~rc1", "1.0~rc1", 0 },
		{ "1.0~rc1", "1.0", -1 },
		{ "1.0~rc1", "1.0~rc2", -1 },
		{ "1.0~rc1~git123", "1.0~rc1~git123", 0 },
		{ "1.0~rc1~git123", "1.0~rc1", -1 },
		{ "1.0^", "1.0^", 0 },
		{ "1.0^", "1.0", 1 },
		{ "1.0^git1", "1.0", 1 },
		{ "1.0^git1", "1.0^git2", -1 },
		{ "1.0^git1", "1.01", -1 },
		{ "1.0^20160101", "1.0^20160101", 0 },
		{ "1.0^20160101", "1.0.1", -1 },
		{ "1.0^20160101^git1", "1.0^20160101^git1", 0 },
		{ "1.0^20160102", "1.0^20160101^git1", 1 },
		{ "1.0~rc1^git1", "1.0~rc1^git1", 0 },
		{ "1.0~rc1^git1", "1.0~rc1", 1 },
		{ "1.0^git1~pre", "1.0^git1~pre", 0 },
		{ "1.0^git1", "1.0^git1~pre", 1 },
		{ "1b.fc17", "1b.fc17", 0 },
		{ "1b.fc17", "1.fc17", -1 },
		{ "1g.fc17", "1g.fc17", 0 },
		{ "1g.fc17", "1.fc17", 1 },
		/* kernels: full width, epochs, releases */
		{ "4.18.0-161.el8", "4.18.0-240.1.1.el8_3", -1 },
		{ "4.18.0-240.el8", "4.18.0-240.1.1.el8", -1 },
		{ "4.18.0-240.1.1.el8_3", "4.18.0-240.1.1.el8", 1 },
		{ "5.14.0-293.el9", "5.14.0-308.el9", -1 },
		{ "1:1.0-1", "2.0-1", 1 },
		{ "0:1.0-1", "1.0-1", 0 },
		{ "1-99999999999999999999", "1-100000000000000000000", -1 },
		{ "4.4.256-1", "4.4.255-1", 1 },
		{ "1", "1-1", -1 },
		{ "", "1", -1 },
		/* a number that differs does not decide before it is known what it is part of */
		{ "1:6.1-1", "11.6-1", 1 },
		{ "6.1-372-1", "6.1-400.1", 1 },
		{ "6.1-372-1", "6.1-400-1", -1 },
		{ "6.1.2-1", "6.1.30", -1 },
		{ "6.01-1", "6.1-2", -1 },
		/* any release is newer than none */
		{ "6.1-~rc1", "6.1", 1 },
		{ "6.1-", "6.1", 1 },
		{ "6.1-_", "6.1-", 0 },
		{ ":6.1", "6.1", 0 },
	};

	check_rows(rows, G_N_ELEMENTS(rows), vercmp_rpm);
}

static void dpkg_order_holds_for_kernels(void **state)
{
	static const struct row rows[] = {
		{ "6.1.27-1", "6.1.37-1", -1 },
		{ "6.1.37-1~bpo11+1", "6.1.37-1", -1 },
		{ "6.1.4-1", "6.1.37-1", -1 },
		{ "4.4.256", "4.4.255", 1 },
		{ "4.4.4294967296", "4.4.1", 1 },
		{ "4.4.18446744073709551617", "4.4.2", 1 },
		{ "6.1.0~rc3", "6.1.0", -1 },
		{ "6.1.0~rc3", "6.0.99", 1 },
		{ "6.1.0~rc10", "6.1.0~rc9", 1 },
		{ "1:6.1.21-1", "6.9-1", 1 },
		{ "6.2.0-36.37", "6.2.0-36", 1 },
		{ "6.2.0-36.37~22.04.1", "6.2.0-36.37", -1 },
		{ "5.10.148-1", "5.10.0148-1", 0 },
		{ "1:6.1-1", "11.6-1", 1 },
		{ "6.1-372-1", "6.1-400.1", 1 },
		{ "6.1-372-1", "6.1-400-1", -1 },
		{ "6.1.2-1", "6.1.30", -1 },
		{ "6.01-1", "6.1-2", -1 },
		{ "1.0", "1.0-0", 0 },
		{ "1.0-", "1.0", 0 },
		{ "a", "a~", 1 },
		{ "a", "a+", -1 },
		{ "a+", "ab", 1 },
		{ "", "", 0 },
		{ "", "0", 0 },
		{ "", "~", 1 },
	};

	check_rows(rows, G_N_ELEMENTS(rows), vercmp_dpkg);
}

/* Whatever the bytes, both orders are antisymmetric and equal to themselves. */
static void orders_are_orders(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	char a[2][24];

	for (unsigned i = 0; i < 200000; i++) {
		for (unsigned j = 0; j < 2; j++) {
			unsigned len = g_rand_int_range(rand, 0, 23);

			for (unsigned c = 0; c < len; c++)
				a[j][c] = "0019ab~^.-:+_\xff"[g_rand_int_range(rand, 0, 14)];
			a[j][len] = 0;
		}
		assert_int_equal(sign(vercmp_dpkg(a[0], a[1])), -sign(vercmp_dpkg(a[1], a[0])));
		assert_int_equal(sign(vercmp_rpm(a[0], a[1])), -sign(vercmp_rpm(a[1], a[0])));
		assert_int_equal(vercmp_dpkg(a[0], a[0]), 0);
		assert_int_equal(vercmp_rpm(a[0], a[0]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rpm_order_is_the_published_one),
		cmocka_unit_test(dpkg_order_holds_for_kernels),
		cmocka_unit_test(orders_are_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
