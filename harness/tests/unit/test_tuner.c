// SPDX-License-Identifier: GPL-2.0-or-later
/* Which candidates become sites, and that delays go where they meet somebody: simulated, seeded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "amplify/tuner.h"

#include <math.h>
#include <string.h>

#define TEXT UINT64_C(0xffffffff81000000)

/* --- candidates ---------------------------------------------------------------------------------
 */

static struct amp_candidate candidate(uint64_t off, uint64_t loads, uint64_t stores, bool atomic)
{
	return (struct amp_candidate){ .pc = TEXT + off,
				       .loads = loads,
				       .stores = stores,
				       .execs = loads + stores,
				       .atomic = atomic };
}

static void sites_by_class(void **unused)
{
	const struct amp_candidate c[] = {
		candidate(0x9000, 0, 7, false),          /* a store alone */
		candidate(0x5000, 500000, 500000, true), /* the lock */
		candidate(0x1000, 900, 0, false),        /* a load, */
		candidate(0x1008, 0, 900, false),        /* and the store behind it */
		candidate(0x7000, 30, 0, false),         /* a load alone */
		candidate(0x6000, 3, 0, true),
		candidate(0x3000, 20, 20, false), /* one that does both: add to memory */
	};
	/* by turns: update, plain, update, atomic; of each by turns the rarest and the most frequent */
	static const uint64_t want[] = { 0x3000, 0x9000, 0x1000, 0x6000, 0x1008, 0x5000, 0x7000 };
	struct amp_site site[TUNER_SITES_MAX];

	assert_int_equal(tuner_sites(c, G_N_ELEMENTS(c), site, TUNER_SITES_MAX), 7);
	for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
		if (site[i].lo != TEXT + want[i])
			fail_msg("site %u is +0x%x", i, (unsigned)(site[i].lo - TEXT));
		assert_true(site[i].hi == site[i].lo + 1 && site[i].at == AMP_ACCESS);
		assert_true(site[i].group == 1 && site[i].vcpu == -1 && site[i].every >= 1);
	}
	assert_int_equal(tuner_sites(c, G_N_ELEMENTS(c), site, 2), 2);
	assert_int_equal(tuner_sites(c, 0, site, 2), 0);
}

/* The page is written by a process that the guest may have taken over. */
static void sites_of_anything(void **unused)
{
	g_autofree struct amp_candidate *c = g_new0(struct amp_candidate, AMP_CANDIDATES_MAX);
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);
	struct amp_site site[TUNER_SITES_MAX];

	assert_int_equal(tuner_sites(c, AMP_CANDIDATES_MAX, site, TUNER_SITES_MAX), 0);
	for (unsigned round = 0; round < 20; round++) {
		guint32 *words = (guint32 *)c;
		unsigned n;

		for (size_t i = 0; i < AMP_CANDIDATES_MAX * sizeof(*c) / 4; i++)
			words[i] = g_rand_int(rand) >> (round % 3 * 12);
		memset(&c[round], 0xff, sizeof(*c));
		n = tuner_sites(c, AMP_CANDIDATES_MAX, site, G_MAXUINT);
		assert_true(n <= TUNER_SITES_MAX);
		for (unsigned i = 0; i < n; i++) {
			assert_true(site[i].hi == site[i].lo + 1 && site[i].lo >> 63);
			assert_true(site[i].every >= 1 && site[i].every <= 1000000000);
			for (unsigned k = 0; k < i; k++)
				assert_true(site[k].lo != site[i].lo);
		}
	}
}

/* --- a guest, simulated -------------------------------------------------------------------------
 */

#define ARMS 60
#define DUTY_US 80000 /* 8 % of four vCPUs in a moment */

/* What executing an arm's instruction is like. */
struct nature {
	double rate; /* executions in a moment */
	double pays; /* chance that a delay meets somebody */
};

struct guest {
	GRand *rand;
	struct nature arm[ARMS];
	struct amp_site site[ARMS];
	double slept_us[ARMS];
};

static void guest_init(struct guest *g, unsigned seed)
{
	*g = (struct guest){ .rand = g_rand_new_with_seed(seed) };
	for (unsigned i = 0; i < ARMS; i++)
		g->arm[i].rate = pow(10, g_rand_double_range(g->rand, 0.5, 4.5));
}

/* The first step, by what a profile guessed. */
static void begin(struct guest *g, struct tuner *t)
{
	for (unsigned i = 0; i < ARMS; i++)
		g->site[i].every = 64;
	tuner_step(t, g->site);
}

static unsigned count(struct guest *g, double expected)
{
	return expected + g_rand_double(g->rand);
}

static void run_arm(struct guest *g, unsigned i, double *left_us)
{
	struct amp_site *site = &g->site[i];
	double us = (site->us_lo + site->us_hi) / 2.0;
	unsigned delays, met = 0;

	if (!site->every)
		return;
	assert_true(site->us_lo >= 1 && site->us_lo <= site->us_hi &&
		    site->us_hi <= AMP_DELAY_MAX_US);
	delays = MIN(count(g, g->arm[i].rate / site->every), *left_us / us);
	for (unsigned k = 0; k < delays; k++)
		met += g_rand_double(g->rand) < g->arm[i].pays;
	*left_us -= delays * us;
	g->slept_us[i] += delays * us;
	site->delays += delays;
	site->conflicts += met;
}

static void run_moments(struct guest *g, struct tuner *t, unsigned n)
{
	memset(g->slept_us, 0, sizeof(g->slept_us));
	for (unsigned m = 0; m < n; m++) {
		double left_us = DUTY_US;
		unsigned active = 0, first = g_rand_int_range(g->rand, 0, ARMS);

		for (unsigned i = 0; i < ARMS; i++)
			run_arm(g, (first + i) % ARMS, &left_us);
		tuner_step(t, g->site);
		for (unsigned i = 0; i < ARMS; i++)
			active += g->site[i].every > 0;
		assert_in_range(active, 4, 8);
	}
}

/* Of all delay time, what went to arms first..last. */
static double share(const struct guest *g, unsigned first, unsigned last)
{
	double all = 0, theirs = 0;

	for (unsigned i = 0; i < ARMS; i++) {
		all += g->slept_us[i];
		theirs += i >= first && i <= last ? g->slept_us[i] : 0;
	}
	return all > 0 ? theirs / all : 0;
}

/* Arms 20 and 21 are a rare pair; 22 to 26 are polled by everybody. */
static void add_payers(struct guest *g)
{
	for (unsigned i = 20; i <= 21; i++)
		g->arm[i] = (struct nature){ 300, 0.6 };
	for (unsigned i = 22; i <= 26; i++)
		g->arm[i] = (struct nature){ 200000, 1 };
}

static void delays_go_where_they_meet(void **unused)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		g_autoptr(tuner) t = tuner_new(ARMS, seed);
		struct guest g;

		guest_init(&g, seed);
		add_payers(&g);
		begin(&g, t);
		run_moments(&g, t, 40);
		run_moments(&g, t, 40);
		if (share(&g, 20, 26) < 0.5 || share(&g, 20, 20) < 0.1 || share(&g, 21, 21) < 0.1)
			fail_msg("seed %u: %.2f to those that pay, %.2f and %.2f to the rare ones",
				 seed, share(&g, 20, 26), share(&g, 20, 20), share(&g, 21, 21));
		g_rand_free(g.rand);
	}
}

/* What paid stops to, and two others begin, in the middle of a run. */
static void times_change(void **unused)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		g_autoptr(tuner) t = tuner_new(ARMS, seed);
		struct guest g;

		guest_init(&g, seed);
		g.arm[20] = g.arm[21] = (struct nature){ 300, 0.6 };
		begin(&g, t);
		run_moments(&g, t, 40);
		run_moments(&g, t, 40);
		assert_true(share(&g, 20, 21) > 0.3);
		g.arm[20].pays = g.arm[21].pays = 0;
		g.arm[40] = g.arm[41] = (struct nature){ 300, 0.6 };
		run_moments(&g, t, 60);
		run_moments(&g, t, 40);
		if (share(&g, 40, 41) < 0.3 || share(&g, 20, 21) > 0.1)
			fail_msg("seed %u: %.2f to the new ones, %.2f to the old", seed,
				 share(&g, 40, 41), share(&g, 20, 21));
		g_rand_free(g.rand);
	}
}

/* All are tried before any is tried again. */
static void untried_first(void **unused)
{
	g_autoptr(tuner) t = tuner_new(ARMS, 1);
	unsigned tried[ARMS] = { 0 };
	struct guest g;

	guest_init(&g, 1);
	for (unsigned i = 0; i < ARMS; i++)
		g.arm[i] = (struct nature){ 300, 1 };
	begin(&g, t);
	for (unsigned m = 0; m < ARMS / 6; m++) {
		for (unsigned i = 0; i < ARMS; i++)
			tried[i] += g.site[i].every > 0;
		run_moments(&g, t, 1);
	}
	for (unsigned i = 0; i < ARMS; i++)
		assert_int_equal(tried[i], 1);
	g_rand_free(g.rand);
}

static void same_seed_same_orders(void **unused)
{
	g_autoptr(tuner) t = tuner_new(ARMS, 7), same = tuner_new(ARMS, 7),
			 other = tuner_new(ARMS, 8);
	struct guest g[3];

	for (unsigned i = 0; i < 3; i++) {
		guest_init(&g[i], 1);
		add_payers(&g[i]);
		begin(&g[i], i == 0 ? t : i == 1 ? same : other);
		run_moments(&g[i], i == 0 ? t : i == 1 ? same : other, 50);
		g_rand_free(g[i].rand);
	}
	assert_memory_equal(g[0].site, g[1].site, sizeof(g[0].site));
	assert_memory_not_equal(g[0].site, g[2].site, sizeof(g[0].site));
}

/* --- the plan -----------------------------------------------------------------------------------
 */

static void freezes_what_met(void **unused)
{
	g_autoptr(tuner) t = tuner_new(ARMS, 3);
	unsigned order[ARMS], seen = 0;
	struct guest g;

	guest_init(&g, 3);
	add_payers(&g);
	begin(&g, t);
	run_moments(&g, t, 80);
	tuner_freeze(t, g.site, order);
	for (unsigned i = 0; i < ARMS; i++) {
		seen += order[i];
		if (g.site[i].conflicts)
			assert_true(g.site[i].every > 0);
		if (i && g.site[order[i]].every)
			assert_true(g.site[order[i - 1]].every > 0);
	}
	assert_int_equal(seen, ARMS * (ARMS - 1) / 2);
	assert_true(g.site[20].every > 0 && g.site[21].every > 0);
	g_rand_free(g.rand);
}

/* Arms that were delayed just before the guest stood still are in front, met or not. */
static void freezes_the_last_moments(void **unused)
{
	g_autoptr(tuner) t = tuner_new(ARMS, 3);
	unsigned order[ARMS], last[8], n = 0;
	struct guest g;

	guest_init(&g, 3);
	for (unsigned i = 0; i < ARMS; i++)
		g.arm[i].rate = 300;
	begin(&g, t);
	run_moments(&g, t, 30);
	for (unsigned i = 0; i < ARMS; i++)
		if (g.site[i].every)
			last[n++] = i;
	run_moments(&g, t, 1);
	for (unsigned i = 0; i < ARMS; i++)
		g.arm[i].rate = 0;
	run_moments(&g, t, 30);
	tuner_freeze(t, g.site, order);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = 0;

		while (order[at] != last[i])
			at++;
		assert_true(at < 12 && g.site[last[i]].every > 0);
	}
	assert_true(g.site[order[ARMS - 1]].every == 0);
	g_rand_free(g.rand);
}

static void counters_of_anything(void **unused)
{
	g_autoptr(tuner) t = tuner_new(ARMS, 1), none = tuner_new(0, 1);
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	struct amp_site site[ARMS] = { 0 };
	unsigned order[ARMS];

	tuner_step(none, NULL);
	tuner_freeze(none, NULL, order);
	for (unsigned m = 0; m < 500; m++) {
		for (unsigned i = 0; i < ARMS; i++) {
			uint64_t high = (uint64_t)g_rand_int(rand) << 32;

			site[i].delays = (high | g_rand_int(rand)) >> g_rand_int_range(rand, 0, 64);
			site[i].conflicts =
				(high | g_rand_int(rand)) >> g_rand_int_range(rand, 0, 64);
		}
		tuner_step(t, site);
		for (unsigned i = 0; i < ARMS; i++)
			assert_true(!site[i].every ||
				    (site[i].us_lo >= 1 && site[i].us_lo <= site[i].us_hi &&
				     site[i].us_hi <= AMP_DELAY_MAX_US &&
				     site[i].every <= 1000000000));
	}
	tuner_freeze(t, site, order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sites_by_class),
		cmocka_unit_test(sites_of_anything),
		cmocka_unit_test(delays_go_where_they_meet),
		cmocka_unit_test(times_change),
		cmocka_unit_test(untried_first),
		cmocka_unit_test(same_seed_same_orders),
		cmocka_unit_test(freezes_what_met),
		cmocka_unit_test(freezes_the_last_moments),
		cmocka_unit_test(counters_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
