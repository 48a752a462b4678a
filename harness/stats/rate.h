/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often does it fail, and how sure are we? Limits of failure rates and of proportions. Pure.
 *
 * Failures are taken as a Poisson process over exposure (an additive unit of each probe). Runs stop
 * at their failure or at their limit, so n failures in a total exposure E give a rate whose limits
 * come from the chi-square distribution (Epstein and Sobel 1953; NIST/SEMATECH e-Handbook 8.4.5.1).
 * A one-sided limit at confidence c is wrong with a probability of at most 1 - c.
 *
 *	struct rate_sum sum = { 0 };
 *	rate_sum_add(&sum, true, 812, 40);		one run: failed, exposure, slack
 *	double lower = rate_lower(sum.failures, sum.exposure, 0.95);
 *	double missed = rate_p_missed(lower, 120e3);	of a clean run with that exposure
 */
#ifndef KLAB_STATS_RATE_H
#define KLAB_STATS_RATE_H

#include <stdbool.h>

/* Runs of one control under one set of conditions. */
struct rate_sum {
	unsigned runs, failures;
	double exposure;
};

/*
 * Add a run. `slack` is how much exposure a reading may be behind the truth; it counts as had, and
 * a failure needed at least one unit: both make the rate smaller, which is the safe side.
 */
void rate_sum_add(struct rate_sum *sum, bool failed, double exposure, double slack);

/*
 * One-sided limits of the rate, per unit of exposure, at `confidence` in (0, 1):
 *	lower = chi2inv(1 - confidence, 2n) / 2E	(0 when n or E is 0)
 *	upper = chi2inv(confidence, 2n + 2) / 2E	(-ln(1 - confidence) / E when n is 0)
 * The upper limit of no exposure at all is infinite.
 */
double rate_lower(unsigned failures, double exposure, double confidence);
double rate_upper(unsigned failures, double exposure, double confidence);

/* Probability that an affected kernel survives `exposure`: exp(-rate * exposure). NAN without a
 * rate (rate_lower <= 0): nothing can be said then, which is not the same as 1. */
double rate_p_missed(double rate_lower, double exposure);
/* The exposure at which p_missed falls to `p` in (0, 1); infinite without a rate. */
double rate_exposure_for(double rate_lower, double p);

/* Central interval of a proportion, `hits` of `trials` (Clopper and Pearson 1934): each side is
 * wrong with a probability of at most (1 - confidence) / 2. No trials: 0..1. */
struct interval {
	double lower, upper;
};
struct interval proportion_limits(unsigned hits, unsigned trials, double confidence);

/*
 * The functions underneath; p in [0, 1], arguments outside give NAN. Relative error about 1e-13 for
 * a and b up to 1000, growing in proportion to them beyond (1e-10 at 1e6).
 * Regularised lower incomplete gamma P(a, x) and beta I_x(a, b), and their inverses.
 */
double stats_gamma_p(double a, double x);
double stats_gamma_p_inv(double a, double p);
double stats_beta_i(double a, double b, double x);
double stats_beta_i_inv(double a, double b, double p);
/* Quantile of the chi-square distribution: P(dof / 2, x / 2) = p. */
double stats_chi2_inv(double p, double dof);

#endif
