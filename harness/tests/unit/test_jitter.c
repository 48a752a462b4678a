// SPDX-License-Identifier: GPL-2.0-or-later
/* amplify/jitter: the same seed gives the same actions, none beyond what jitter.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "amplify/jitter.h"

#define HORIZON_US (600 * G_USEC_PER_SEC)
#define SHARE 5

/* A digest that any other order or number changes. */
static uint64_t digest(unsigned vcpus, uint64_t seed)
{
	struct jitter j;
	uint64_t sum = 0;

	jitter_init(&j, vcpus, seed);
	for (int i = 0; i < 1000; i++) {
		struct jitter_action a;

		jitter_next(&j, &a);
		sum = sum * 31 + a.kind;
		sum = sum * 31 + a.vcpu;
		sum = sum * 31 + a.other;
		sum = sum * 31 + a.at_us;
		sum = sum * 31 + a.us;
	}
	jitter_clear(&j);
	jitter_clear(&j);
	return sum;
}

static void determinism(void **state)
{
	assert_int_equal(digest(4, 7), digest(4, 7));
	assert_int_not_equal(digest(4, 7), digest(4, 8));
	assert_int_not_equal(digest(4, 7), digest(4, 7 + (UINT64_C(1) << 32))); /* all 64 bits */
	assert_int_not_equal(digest(4, 7), digest(5, 7));
}

/* What a seed gives is part of a journal: a new version must not change it unnoticed. */
static void pinned(void **state)
{
	assert_int_equal(digest(4, 1), UINT64_C(0xfc21108ec8e0d117));
}

static void check(const struct jitter_action *a, unsigned vcpus, int64_t last_us)
{
	int64_t lo = a->kind == JITTER_STOP ? 1000 : 5000;
	int64_t hi = a->kind == JITTER_STOP ? JITTER_STOP_MAX_US : 50000;

	assert_true(a->kind >= 0 && a->kind < JITTER__COUNT);
	assert_true(a->at_us > last_us);
	assert_in_range(a->us, lo, hi);
	assert_true(a->vcpu < vcpus && a->other < vcpus);
	if (a->kind == JITTER_SQUEEZE)
		assert_int_not_equal(a->other, a->vcpu);
}

struct tally {
	unsigned kinds[JITTER__COUNT];
	unsigned vcpus[4]; /* acted upon */
	int64_t longest_us[JITTER__COUNT];
};

static void run(unsigned vcpus, uint64_t seed, struct tally *ret)
{
	struct jitter j;
	struct jitter_action a;
	int64_t last_us = 0, stopped_us = 0, free_us = 0;

	*ret = (struct tally){ 0 };
	jitter_init(&j, vcpus, seed);
	for (jitter_next(&j, &a); a.at_us < HORIZON_US; jitter_next(&j, &a)) {
		check(&a, vcpus, last_us);
		last_us = a.at_us;
		ret->kinds[a.kind]++;
		ret->vcpus[a.vcpu % 4]++;
		ret->longest_us[a.kind] = MAX(ret->longest_us[a.kind], a.us);
		if (a.kind != JITTER_STOP)
			continue;
		/* no two at a time, and a fifth at every moment: from a stop to the next, too */
		assert_true(a.at_us >= free_us);
		free_us = a.at_us + SHARE * a.us;
		assert_true(stopped_us * SHARE <= a.at_us);
		stopped_us += a.us;
	}
	jitter_clear(&j);
}

static void bounds(void **state)
{
	static const unsigned vcpus[] = { 2, 3, 4, 64, 256 };

	for (unsigned i = 0; i < G_N_ELEMENTS(vcpus); i++) {
		struct tally t;

		run(vcpus[i], 100 + i, &t);
		/* some 60 actions a second, of all kinds, up to their limits */
		assert_true(t.kinds[JITTER_STOP] > HORIZON_US / 25000);
		assert_true(t.kinds[JITTER_SQUEEZE] > HORIZON_US / 250000);
		assert_true(t.kinds[JITTER_IDLE] > HORIZON_US / 250000);
		assert_true(t.longest_us[JITTER_STOP] > JITTER_STOP_MAX_US - 100);
		assert_true(t.longest_us[JITTER_SQUEEZE] > 49000);
		assert_true(t.longest_us[JITTER_IDLE] > 49000);
	}
}

static void all_vcpus_alike(void **state)
{
	struct tally t;
	unsigned all = 0;

	run(4, 3, &t);
	for (unsigned i = 0; i < 4; i++)
		all += t.vcpus[i];
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(t.vcpus[i], all / 4 - all / 40, all / 4 + all / 40);
}

static void one_vcpu(void **state)
{
	struct tally t;

	run(1, 5, &t);
	assert_int_equal(t.kinds[JITTER_SQUEEZE], 0);
	assert_true(t.kinds[JITTER_STOP] && t.kinds[JITTER_IDLE]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(determinism), cmocka_unit_test(pinned),
		cmocka_unit_test(bounds),      cmocka_unit_test(all_vcpus_alike),
		cmocka_unit_test(one_vcpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
