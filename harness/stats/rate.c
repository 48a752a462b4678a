// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits of rates and proportions, and the two incomplete functions that they are made of.
 *
 * No maintained C library under a fitting licence has these. Sources: NIST Digital Library of
 * Mathematical Functions, 8.7.1 and 8.9.2 (gamma: power series, continued fraction), 8.17.22 (beta:
 * continued fraction), both evaluated by Lentz's method as modified by Thompson and Barnett (1986).
 */
#include "stats/rate.h"

#include <float.h>
#include <math.h>

#define TERMS_MAX 100000 /* they need about sqrt(a) terms */
#define TINY 1e-300      /* stands in for a zero denominator in Lentz's method */

/* DLMF 8.7.1: x^a e^-x / Gamma(a+1) * sum x^n / ((a+1)..(a+n)); good for x < a + 1. */
static double gamma_p_series(double a, double x)
{
	double term = 1 / a, sum = term;

	for (unsigned n = 1; n < TERMS_MAX; n++) {
		term *= x / (a + n);
		sum += term;
		if (term < sum * DBL_EPSILON / 4)
			break;
	}
	return sum * exp(a * log(x) - x - lgamma(a));
}

/* DLMF 8.9.2: Q(a, x) as a continued fraction; good for x >= a + 1. */
static double gamma_q_fraction(double a, double x)
{
	double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;

	for (unsigned n = 1; n < TERMS_MAX; n++) {
		double an = -(double)n * (n - a), delta;

		b += 2;
		d = an * d + b;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = b + an / c;
		c = fabs(c) < TINY ? TINY : c;
		delta = d * c;
		h *= delta;
		if (fabs(delta - 1) < DBL_EPSILON)
			break;
	}
	return h * exp(a * log(x) - x - lgamma(a));
}

double stats_gamma_p(double a, double x)
{
	if (!(a > 0) || !(x >= 0))
		return NAN;
	if (x == 0)
		return 0;
	if (isinf(x))
		return 1;
	return x < a + 1 ? gamma_p_series(a, x) : 1 - gamma_q_fraction(a, x);
}

/* DLMF 8.17.22; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < TINY ? TINY : d);
	h = d;
	for (unsigned m = 1; m < TERMS_MAX; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double delta = 1;

		for (unsigned half = 0; half < 2; half++) {
			double term = half ? odd : even;

			d = 1 + term * d;
			d = 1 / (fabs(d) < TINY ? TINY : d);
			c = 1 + term / c;
			c = fabs(c) < TINY ? TINY : c;
			delta = d * c;
			h *= delta;
		}
		if (fabs(delta - 1) < DBL_EPSILON)
			break;
	}
	return h;
}

double stats_beta_i(double a, double b, double x)
{
	double front;

	if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1))
		return NAN;
	if (x == 0 || x == 1)
		return x;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Both functions rise from 0 to 1: halve [low, high] until no double is left between. */
static double invert(double (*f)(double a, double b, double x), double a, double b, double p,
		     double low, double high)
{
	for (unsigned i = 0; i < 2200; i++) {
		/* Geometric while the ends are far apart: roots may be as small as 1e-300. */
		double mid = low > 0 && high > 4 * low ? sqrt(low) * sqrt(high) : (low + high) / 2;

		if (mid <= low || mid >= high)
			break;
		if (f(a, b, mid) < p)
			low = mid;
		else
			high = mid;
	}
	return high;
}

static double gamma_p_ab(double a, double unused, double x)
{
	return stats_gamma_p(a, x);
}

double stats_gamma_p_inv(double a, double p)
{
	double high = a + 1;

	if (!(a > 0) || !(p >= 0 && p <= 1))
		return NAN;
	if (p == 0)
		return 0;
	if (p == 1)
		return INFINITY;
	while (stats_gamma_p(a, high) < p && high < DBL_MAX / 4)
		high *= 2;
	return invert(gamma_p_ab, a, 0, p, DBL_MIN, high);
}

double stats_beta_i_inv(double a, double b, double p)
{
	if (!(a > 0) || !(b > 0) || !(p >= 0 && p <= 1))
		return NAN;
	if (p == 0 || p == 1)
		return p;
	return invert(stats_beta_i, a, b, p, DBL_MIN, 1);
}

double stats_chi2_inv(double p, double dof)
{
	return 2 * stats_gamma_p_inv(dof / 2, p);
}

void rate_sum_add(struct rate_sum *sum, bool failed, double exposure, double slack)
{
	double had = (isfinite(exposure) && exposure > 0 ? exposure : 0) +
		     (isfinite(slack) && slack > 0 ? slack : 0);

	sum->runs++;
	sum->failures += failed;
	sum->exposure += failed && had < 1 ? 1 : had;
}

double rate_lower(unsigned failures, double exposure, double confidence)
{
	if (!failures || !(exposure > 0))
		return 0;
	return stats_chi2_inv(1 - confidence, 2.0 * failures) / (2 * exposure);
}

double rate_upper(unsigned failures, double exposure, double confidence)
{
	if (!(exposure > 0))
		return INFINITY;
	return stats_chi2_inv(confidence, 2.0 * failures + 2) / (2 * exposure);
}

struct interval rate_limits(unsigned failures, double exposure, double confidence)
{
	double side = (1 + confidence) / 2;

	return (struct interval){ .lower = rate_lower(failures, exposure, side),
				  .upper = rate_upper(failures, exposure, side) };
}

double rate_p_missed(double lower, double exposure)
{
	if (!(lower > 0) || isnan(exposure))
		return NAN;
	return exp(-lower * (exposure > 0 ? exposure : 0));
}

double rate_p_missed_average(unsigned failures, double control_exposure, double exposure)
{
	if (!failures || !(control_exposure > 0) || isnan(exposure))
		return NAN;
	return exp(-(double)failures * log1p(fmax(exposure, 0) / control_exposure));
}

double rate_exposure_for(double lower, double p)
{
	return lower > 0 ? -log(p) / lower : INFINITY;
}

struct interval proportion_limits(unsigned hits, unsigned trials, double confidence)
{
	double tail = (1 - confidence) / 2, k = hits, n = trials;
	struct interval limits = { 0, 1 };

	if (hits > trials || !trials)
		return limits;
	if (hits > 0)
		limits.lower = stats_beta_i_inv(k, n - k + 1, tail);
	if (hits < trials)
		limits.upper = stats_beta_i_inv(k + 1, n - k, 1 - tail);
	return limits;
}

struct interval proportion_jeffreys(unsigned hits, unsigned trials, double confidence)
{
	double tail = (1 - confidence) / 2, a = hits + 0.5, b = (double)trials - hits + 0.5;
	struct interval limits = { 0, 1 };

	if (hits > trials || !trials)
		return limits;
	if (hits > 0)
		limits.lower = stats_beta_i_inv(a, b, tail);
	if (hits < trials)
		limits.upper = stats_beta_i_inv(a, b, 1 - tail);
	return limits;
}

double proportion_upper(unsigned hits, unsigned trials, double confidence)
{
	if (hits >= trials)
		return 1;
	return stats_beta_i_inv(hits + 1.0, (double)trials - hits, confidence);
}

double fault_per_job_upper(unsigned boots, double stress, double job_stress, double confidence)
{
	double worst = fmax(1.0 / boots, fmax(job_stress, 0) / stress);

	if (!boots || !(stress > 0))
		return 1;
	return -expm1(log1p(-confidence) * worst);
}
