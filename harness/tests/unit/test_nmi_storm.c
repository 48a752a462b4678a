// SPDX-License-Identifier: GPL-2.0-or-later
/* NMIs from outside: their rate, its cap by vCPUs, and the breath that a late guest gets. */
#include "run/nmi_storm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* NMIs in `seconds` of a clock that is looked at every 10 ms. */
static unsigned count(double hz, unsigned smp, unsigned seconds)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	struct nmi_storm storm;
	unsigned n = 0;

	nmi_storm_start(&storm, hz, smp, 0);
	for (int64_t t = 0; t < seconds * G_USEC_PER_SEC; t += 10000) {
		if (!nmi_storm_due(&storm, t, false))
			continue;
		nmi_storm_next(&storm, t, rand);
		n++;
	}
	return n;
}

static void keeps_its_rate(void **state)
{
	assert_in_range(count(25, 4, 40), 900, 1100);
	assert_in_range(count(10, 4, 40), 360, 440);
}

static void is_capped_by_vcpus(void **state)
{
	assert_in_range(count(25, 64, 40), 180, 220);	/* 320 / 64 = 5 Hz */
	assert_in_range(count(25, 4096, 40), 36, 44);	/* never under 1 Hz */
}

static void holds_its_breath(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	struct nmi_storm storm = { 0 };

	assert_false(nmi_storm_due(&storm, 1000, false));	/* not started */
	nmi_storm_start(&storm, 25, 4, 1000);
	assert_false(nmi_storm_due(&storm, 999, false));
	assert_false(nmi_storm_due(&storm, 1000, true));
	assert_false(nmi_storm_due(&storm, 1000 + NMI_LATE_US - 1, false));
	assert_true(nmi_storm_due(&storm, 1000 + NMI_LATE_US, false));
	/* a long silence is not made up for */
	nmi_storm_next(&storm, 3600 * (int64_t)G_USEC_PER_SEC, rand);
	assert_true(storm.next_us > 3600 * (int64_t)G_USEC_PER_SEC - NMI_LATE_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_rate),
		cmocka_unit_test(is_capped_by_vcpus),
		cmocka_unit_test(holds_its_breath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
