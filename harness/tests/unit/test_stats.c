// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics against published values, against closed forms, and by simulating controls: the limits
 * must cover the truth as often as they promise. Calibrations: JSON and look-up.
 */
#include "stats/calibration.h"
#include "stats/rate.h"

#include "base/embed.h"
#include "guest/engine.h"
#include "kernel/control.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_close(double got, double want, double tolerance)
{
	if (got == want || fabs(got - want) <= tolerance * fmax(1e-300, fabs(want)))
		return;
	fail_msg("got %.15g, want %.15g", got, want);
}

/* Chi-square tables: Abramowitz and Stegun 26.8; the other digits from R's qchisq(). */
static void chi2_table(void **state)
{
	static const struct {
		double p, dof, want;
	} rows[] = {
		{ 0.95, 1, 3.841458820694124 },  { 0.95, 10, 18.30703805327515 },
		{ 0.05, 10, 3.940299136119060 }, { 0.05, 2, 0.1025865887751011 },
		{ 0.99, 2, 9.210340371976182 },  { 0.95, 100, 124.3421134049799 },
		{ 0.5, 1, 0.4549364231195724 },  { 0.95, 4, 9.487729036781154 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_close(stats_chi2_inv(rows[i].p, rows[i].dof), rows[i].want, 1e-9);
}

static void gamma_closed_forms(void **state)
{
	assert_close(stats_gamma_p(1, 2), 1 - exp(-2), 1e-13);
	assert_close(stats_gamma_p(0.5, 0.5), erf(sqrt(0.5)), 1e-13);
	assert_close(stats_gamma_p(0.5, 7), erf(sqrt(7)), 1e-13);
	/* Integer a: 1 - e^-x (1 + x + x^2/2 + ...). */
	assert_close(stats_gamma_p(3, 4), 1 - exp(-4) * (1 + 4 + 8), 1e-13);
	assert_close(stats_gamma_p(3, 0.01), 1 - exp(-0.01) * (1 + 0.01 + 0.00005), 1e-7);
	/* The median of a gamma distribution with a large shape: a - 1/3 + 8/(405 a). */
	assert_close(stats_gamma_p_inv(1e6, 0.5), 1e6 - 1.0 / 3 + 8 / 405e6, 1e-11);
	assert_true(stats_gamma_p(2, 0) == 0 && stats_gamma_p(2, INFINITY) == 1);
	assert_true(isnan(stats_gamma_p(0, 1)) && isnan(stats_gamma_p(1, -1)) &&
		    isnan(stats_gamma_p(NAN, 1)) && isnan(stats_gamma_p_inv(1, 1.5)));
}

static void beta_closed_forms(void **state)
{
	assert_close(stats_beta_i(2, 3, 0.5), 0.6875, 1e-13); /* a binomial sum: 11/16 */
	assert_close(stats_beta_i(1, 5, 0.3), 1 - pow(0.7, 5), 1e-13);
	assert_close(stats_beta_i(5, 1, 0.3), pow(0.3, 5), 1e-13);
	assert_close(stats_beta_i(0.5, 0.5, 0.2), 2 / M_PI * asin(sqrt(0.2)), 1e-13);
	for (double x = 0.05; x < 1; x += 0.05) {
		assert_close(stats_beta_i(7, 3, x) + stats_beta_i(3, 7, 1 - x), 1, 1e-12);
		assert_close(stats_beta_i_inv(7, 3, stats_beta_i(7, 3, x)), x, 1e-10);
	}
	assert_true(isnan(stats_beta_i(1, 1, 1.1)) && isnan(stats_beta_i_inv(0, 1, 0.5)));
}

/* Every inverse undoes its function over many magnitudes. */
static void inverses(void **state)
{
	static const double shapes[] = { 0.1, 0.5, 1, 3.5, 40, 1e4 };
	static const double ps[] = { 1e-12, 1e-3, 0.05, 0.5, 0.95, 0.999999 };

	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++)
		for (size_t j = 0; j < G_N_ELEMENTS(ps); j++) {
			double x = stats_gamma_p_inv(shapes[i], ps[j]);

			assert_close(stats_gamma_p(shapes[i], x), ps[j], 1e-9);
		}
}

/* Clopper and Pearson's interval: values as R's binom.test() prints them. */
static void proportions(void **state)
{
	static const struct {
		unsigned hits, trials;
		double lower, upper;
	} rows[] = {
		{ 0, 10, 0, 0.3084971 },           { 10, 10, 0.6915029, 1 },
		{ 5, 10, 0.1870860, 0.8129140 },   { 8, 10, 0.4439045, 0.9747893 },
		{ 1, 20, 0.001265089, 0.2487328 }, { 5, 5, 0.4781762, 1 },
		{ 0, 50, 0, 0.07112174 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct interval got = proportion_limits(rows[i].hits, rows[i].trials, 0.95);

		assert_close(got.lower, rows[i].lower, 1e-6);
		assert_close(got.upper, rows[i].upper, 1e-6);
	}
	assert_true(proportion_limits(0, 0, 0.95).upper == 1);
}

static void rates(void **state)
{
	struct rate_sum sum = { 0 };

	/* One failure in an exposure of 1: chi2inv(.05, 2) / 2 = -ln(.95). */
	assert_close(rate_lower(1, 1, 0.95), -log(0.95), 1e-12);
	assert_close(rate_lower(5, 100, 0.95), 3.940299136119060 / 200, 1e-10);
	assert_close(rate_upper(0, 1000, 0.95), -log(0.05) / 1000, 1e-12); /* rule of three */
	assert_true(rate_lower(0, 1e9, 0.95) == 0 && rate_lower(3, 0, 0.95) == 0);
	assert_true(isinf(rate_upper(0, 0, 0.95)));
	assert_close(rate_p_missed(0.02, 100), exp(-2), 1e-13);
	assert_close(rate_p_missed(0.02, rate_exposure_for(0.02, 0.01)), 0.01, 1e-12);
	assert_true(isnan(rate_p_missed(0, 100)) && isinf(rate_exposure_for(0, 0.01)));
	assert_true(rate_p_missed(0.02, -5) == 1);
	assert_close(rate_p_missed_average(5, 100, 100), 1.0 / 32, 1e-12);
	assert_true(rate_p_missed_average(5, 100, -1) == 1);
	assert_true(isnan(rate_p_missed_average(0, 100, 5)) &&
		    isnan(rate_p_missed_average(5, 0, 5)));

	rate_sum_add(&sum, true, 10, 2);
	rate_sum_add(&sum, false, 30, NAN);
	rate_sum_add(&sum, true, 0, 0); /* failed before the first reading: one unit at least */
	rate_sum_add(&sum, false, -1, 0);
	assert_int_equal(sum.runs, 4);
	assert_int_equal(sum.failures, 2);
	assert_close(sum.exposure, 43, 1e-15);
}

/*
 * Confidence bound factors of a mean time to failure, NIST/SEMATECH e-Handbook 8.4.5.1: the limits
 * are the estimate (time over failures) times these.
 */
static void nist_factors(void **state)
{
	static const struct {
		unsigned failures;
		double confidence, lower, upper;
	} rows[] = {
		{ 1, 0.90, 0.2108, 19.4958 }, { 2, 0.60, 0.4674, 2.4260 },
		{ 2, 0.80, 0.3758, 3.7607 },  { 2, 0.90, 0.3177, 5.6281 },
		{ 2, 0.95, 0.2768, 8.2573 },  { 5, 0.90, 0.4756, 2.5379 },
		{ 10, 0.90, 0.5895, 1.8432 }, { 10, 0.95, 0.5438, 2.0853 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		double hours = 1600, mean = hours / rows[i].failures;
		struct interval got = rate_limits(rows[i].failures, hours, rows[i].confidence);

		assert_close(1 / got.upper / mean, rows[i].lower, 2e-4);
		assert_close(1 / got.lower / mean, rows[i].upper, 2e-4);
	}
	assert_true(rate_limits(0, 1600, 0.9).lower == 0);
	assert_close(rate_limits(0, 1600, 0.9).upper, -log(0.05) / 1600, 1e-12);
}

/* Jeffreys' 95 % limits for n = 10: Brown, Cai and DasGupta 2001, table of the Jeffreys interval.
 */
static void jeffreys(void **state)
{
	static const struct {
		unsigned hits, trials;
		double lower, upper;
	} rows[] = {
		{ 0, 10, 0, 0.217 },     { 1, 10, 0.011, 0.381 }, { 2, 10, 0.044, 0.503 },
		{ 3, 10, 0.093, 0.606 }, { 4, 10, 0.153, 0.696 }, { 5, 10, 0.224, 0.776 },
		{ 10, 10, 0.783, 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct interval got = proportion_jeffreys(rows[i].hits, rows[i].trials, 0.95);
		struct interval exact = proportion_limits(rows[i].hits, rows[i].trials, 0.95);

		if (fabs(got.lower - rows[i].lower) > 6e-4 ||
		    fabs(got.upper - rows[i].upper) > 6e-4)
			fail_msg("%u of %u: %.5f..%.5f", rows[i].hits, rows[i].trials, got.lower,
				 got.upper);
		assert_true(got.lower >= exact.lower && got.upper <= exact.upper);
	}
	assert_true(proportion_jeffreys(0, 0, 0.95).upper == 1);
	assert_true(proportion_jeffreys(3, 2, 0.95).upper == 1);
}

static void zero_failures(void **state)
{
	/* Hanley and Lippman-Hand 1983: 0 of 14 leave at most 19.3 % at 95 %; about 3 / n. */
	assert_close(proportion_upper(0, 14, 0.95), 1 - pow(0.05, 1.0 / 14), 1e-10);
	assert_true(fabs(proportion_upper(0, 14, 0.95) - 0.193) < 5e-4);
	assert_true(fabs(1000 * proportion_upper(0, 1000, 0.95) - 3) < 0.01);
	assert_close(proportion_upper(2, 30, 0.975), proportion_limits(2, 30, 0.95).upper, 1e-10);
	assert_true(proportion_upper(0, 0, 0.95) == 1 && proportion_upper(7, 7, 0.95) == 1);
}

/* The bound of a job is the worst of its region: no pair of faults in it does more. */
static void fault_per_job(void **state)
{
	double upper = fault_per_job_upper(25, 375, 20, 0.95), worst = 0;

	assert_close(upper, 1 - pow(0.05, 20.0 / 375), 1e-12);
	assert_close(fault_per_job_upper(10, 1e9, 20, 0.95), proportion_upper(0, 10, 0.95), 1e-9);
	assert_true(fault_per_job_upper(0, 9, 1, 0.95) == 1);
	assert_true(fault_per_job_upper(9, 0, 1, 0.95) == 1);
	for (double p = 0; p < 0.3; p += 0.001)
		for (double r = 0; r < 0.02; r += 0.0001)
			if (25 * log1p(-p) - 375 * r >= log(0.05))
				worst = fmax(worst, 1 - (1 - p) * exp(-20 * r));
	assert_true(worst <= upper && worst > upper - 0.005);
}

/* splitmix64: the same numbers everywhere. */
static double uniform(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return ((z >> 11) + 0.5) / 9007199254740992.0;
}

/* How often is the lower limit of a simulated control at or below its true rate? */
static double coverage(unsigned controls, unsigned repeats, double rate, double limit,
		       uint64_t seed)
{
	unsigned covered = 0;

	for (unsigned i = 0; i < controls; i++) {
		struct rate_sum sum = { 0 };

		for (unsigned j = 0; j < repeats; j++) {
			double at = -log(uniform(&seed)) / rate;

			rate_sum_add(&sum, at < limit, fmin(at, limit), 0);
		}
		covered += rate_lower(sum.failures, sum.exposure, 0.95) <= rate;
	}
	return (double)covered / controls;
}

static void limits_cover(void **state)
{
	const unsigned n = 10000;
	double noise = 4 * sqrt(0.95 * 0.05 / n);

	/* Every run fails: the limit is exact, neither too low nor too high. */
	assert_true(fabs(coverage(n, 5, 1e-3, INFINITY, 1) - 0.95) < noise);
	assert_true(fabs(coverage(n, 1, 1e-5, INFINITY, 2) - 0.95) < noise);
	/* Some runs reach their limit first: never too high. */
	assert_true(coverage(n, 5, 1e-3, 1000, 3) > 0.95 - noise);
	assert_true(coverage(n, 5, 1e-3, 200, 4) > 0.95 - noise);
	assert_true(coverage(n, 20, 1e-3, 50, 5) > 0.95 - noise);
}

/* ---- calibration ---- */

static struct calibration_entry entry(const char *probe, const char *hazard, const char *amplify,
				      unsigned smp, unsigned failures, double exposure)
{
	return (struct calibration_entry){
		.probe = (char *)probe,
		.hazard = (char *)hazard,
		.engine = (char *)"10.0.2",
		.accel = (char *)"tcg",
		.amplify = (char *)amplify,
		.smp = smp,
		.runs = 5,
		.failures = failures,
		.exposure = exposure,
		.rate_lower = rate_lower(failures, exposure, CALIBRATION_CONFIDENCE),
		.kernel_sha256 = (char *)"00ff",
		.when_s = 1767323045,
	};
}

static struct calibration *sample(void)
{
	struct calibration *c = calibration_new();
	struct calibration_entry rows[] = {
		entry("text-poke", "text-poke-race", "auto", 4, 5, 1000),
		entry("text-poke", "text-poke-desc-race", "auto", 4, 5, 9000),
		entry("text-poke", "text-poke-race", "off", 4, 0, 1e6),
		entry("nmi-user-read", "nmi-user-read-deadlock", "auto", 4, 5, 50),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		calibration_put(c, &rows[i]);
	return c;
}

static void classes(void **state)
{
	static const unsigned want[] = { 0, 1, 2, 2, 4, 4, 4, 4, 8 };

	for (unsigned i = 0; i < G_N_ELEMENTS(want); i++)
		assert_int_equal(calibration_smp_class(i), want[i]);
	assert_int_equal(calibration_smp_class(100), 64);
	assert_int_equal(calibration_smp_class(UINT_MAX), 1u << 31);
	assert_true(calibration_same_engine("10.0.2", "10.1.0"));
	assert_false(calibration_same_engine("10.0.2", "1.0.2"));
	assert_false(calibration_same_engine("", ""));
}

static void lookup(void **state)
{
	g_autoptr(calibration) c = sample();
	struct calibration_key key = {
		.probe = "text-poke",
		.engine = "10.2",
		.accel = "tcg",
		.amplify = "auto",
		.smp = 5,
	};
	const struct calibration_entry *found = calibration_find(c, &key);

	/* The hazard that is harder to hit governs. */
	assert_non_null(found);
	assert_string_equal(found->hazard, "text-poke-desc-race");
	key.smp = 8;
	assert_null(calibration_find(c, &key));
	key.smp = 4;
	key.engine = "11.0.0";
	assert_null(calibration_find(c, &key));
	key.engine = "10.0.2";
	key.accel = "kvm";
	assert_null(calibration_find(c, &key));
	/* Five runs without a failure are no rate. */
	key.accel = "tcg";
	key.amplify = "off";
	assert_null(calibration_find(c, &key));
	key.probe = "other";
	assert_null(calibration_find(c, &key));
}

/* What was measured here replaces what was shipped, condition by condition. */
static void overlay(void **state)
{
	g_autoptr(calibration) shipped = sample(), local = calibration_new();
	struct calibration_entry mine =
		entry("nmi-user-read", "nmi-user-read-deadlock", "auto", 4, 5, 70);
	struct calibration_key key = {
		.probe = "nmi-user-read",
		.engine = "10.0.2",
		.accel = "tcg",
		.amplify = "auto",
		.smp = 4,
	};
	const struct calibration_entry *found;

	for (unsigned i = 0; i < shipped->entries->len; i++)
		((struct calibration_entry *)shipped->entries->pdata[i])->shipped = true;
	calibration_put(local, &mine);
	calibration_overlay(shipped, local);
	assert_int_equal(shipped->entries->len, 4);
	found = calibration_find(shipped, &key);
	assert_non_null(found);
	assert_close(found->exposure, 70, 0);
	assert_false(found->shipped);
	key.probe = "text-poke";
	assert_true(calibration_find(shipped, &key)->shipped);
}

static void json_round_trip(void **state)
{
	g_autoptr(calibration) c = sample(), back = NULL;
	g_autofree char *text = calibration_print(c), *again = NULL;
	g_autoptr(GError) error = NULL;
	const struct calibration_entry *first;

	assert_true(calibration_parse(text, strlen(text), true, &back, &error));
	assert_int_equal(back->entries->len, 4);
	first = back->entries->pdata[0];
	assert_string_equal(first->probe, "nmi-user-read");
	assert_string_equal(first->kernel_sha256, "00ff");
	assert_int_equal(first->when_s, 1767323045);
	assert_int_equal(first->runs, 5);
	assert_true(first->shipped);
	assert_close(first->rate_lower, 3.940299136119060 / 100, 1e-9);
	again = calibration_print(back);
	assert_string_equal(text, again);
}

#define GOOD                                                                                       \
	"\"probe\":\"p\",\"hazard\":\"h\",\"engine\":\"10\",\"accel\":\"tcg\","                    \
	"\"amplify\":\"auto\",\"kernel\":\"ff\",\"when\":\"2026-01-02T03:04:05Z\""

static void json_errors(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "line 1" },
		{ "{", "line 1" },
		{ "[]", "'schema' is not 1" },
		{ "{\"schema\":2,\"entries\":[]}", "'schema' is not 1" },
		{ "{\"schema\":1}", "'entries' is not an array" },
		{ "{\"schema\":1,\"schema\":1,\"entries\":[]}", "duplicate" },
		{ "{\"schema\":1,\"entries\":[7]}", "entry 1: 'probe'" },
		{ "{\"schema\":1,\"entries\":[{" GOOD "}]}", "'smp' is not an integer" },
		{ "{\"schema\":1,\"entries\":[{" GOOD ",\"smp\":0}]}", "'smp' is not an integer" },
		{ "{\"schema\":1,\"entries\":[{" GOOD ",\"smp\":4,\"runs\":2,\"failures\":3}]}",
		  "'failures' is not an integer from 0 to 2" },
		{ "{\"schema\":1,\"entries\":[{" GOOD ",\"smp\":4,\"runs\":2,\"failures\":1,"
		  "\"exposure\":-1}]}",
		  "'exposure' is not a number" },
		{ "{\"schema\":1,\"entries\":[{" GOOD ",\"smp\":4,\"runs\":2,\"failures\":1,"
		  "\"exposure\":5,\"when\":\"yesterday\"}]}",
		  "duplicate" },
		{ "{\"schema\":1,\"entries\":[{\"probe\":\"\"}]}", "'probe' is not a string" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(calibration) c = NULL;
		g_autoptr(GError) error = NULL;

		if (calibration_parse(rows[i].text, strlen(rows[i].text), false, &c, &error))
			fail_msg("taken: %s", rows[i].text);
		if (!strstr(error->message, rows[i].says))
			fail_msg("'%s' instead of '%s'", error->message, rows[i].says);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

/* The shipped entry of a probe and a bug for the default conditions, or NULL. */
static const struct calibration_entry *shipped(const struct calibration *c, const char *probe,
					       const char *hazard)
{
	for (guint i = 0; i < c->entries->len; i++) {
		const struct calibration_entry *e = c->entries->pdata[i];

		if (!strcmp(e->probe, probe) && !strcmp(e->hazard, hazard) &&
		    !strcmp(e->accel, "tcg") && !strcmp(e->amplify, "auto") && e->smp == 4)
			return e;
	}
	return NULL;
}

/* What ships bounds the default set's clean cells of all probes that a control measures: a rate for
 * each bug that they must find, and none from a single failure, of which the average over all
 * calibrations would be worse than what is stated. */
static void shipped_rates_suffice(void **state)
{
	g_autofree char *version = g_strdup_printf("%d.0.2", ENGINE_MAJOR_MIN);
	g_autoptr(calibration) c = NULL;

	assert_true(calibration_parse(embed_calibration_json, EMBED_LEN(calibration_json), true, &c,
				      NULL));
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++) {
		const struct calibration_key key = { .probe = bug->probe,
						     .engine = version,
						     .accel = "tcg",
						     .amplify = "auto",
						     .smp = 4 };
		const struct calibration_entry *e = shipped(c, bug->probe, bug->hazard);

		if (bug->is_native || bug->is_fixture)
			continue;
		if (!e || e->failures < 2 || !calibration_find(c, &key))
			fail_msg("no shipped rate for '%s' and '%s'", bug->probe, bug->hazard);
	}
}

/* A rate that somebody wrote into the file is not believed: its counts are. */
static void json_rate_is_recomputed(void **state)
{
	static const char text[] = "{\"schema\":1,\"entries\":[{" GOOD ",\"smp\":4,\"runs\":5,"
				   "\"failures\":5,\"exposure\":100,\"rate_lower\":1000}]}";
	g_autoptr(calibration) c = NULL;

	assert_true(calibration_parse(text, strlen(text), false, &c, NULL));
	assert_close(((struct calibration_entry *)c->entries->pdata[0])->rate_lower,
		     3.940299136119060 / 200, 1e-9);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chi2_table),
		cmocka_unit_test(gamma_closed_forms),
		cmocka_unit_test(beta_closed_forms),
		cmocka_unit_test(inverses),
		cmocka_unit_test(proportions),
		cmocka_unit_test(rates),
		cmocka_unit_test(nist_factors),
		cmocka_unit_test(jeffreys),
		cmocka_unit_test(zero_failures),
		cmocka_unit_test(fault_per_job),
		cmocka_unit_test(limits_cover),
		cmocka_unit_test(classes),
		cmocka_unit_test(lookup),
		cmocka_unit_test(overlay),
		cmocka_unit_test(json_round_trip),
		cmocka_unit_test(json_errors),
		cmocka_unit_test(json_rate_is_recomputed),
		cmocka_unit_test(shipped_rates_suffice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
