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

struct interval {
	double lower, upper;
};
/* Both sides at once, each wrong with a probability of at most (1 - confidence) / 2: the interval
 * of NIST 8.4.5.1 (there of its inverse, the mean exposure to failure). */
struct interval rate_limits(unsigned failures, double exposure, double confidence);

/*
 * Probability that an affected kernel survives `exposure`: exp(-rate * exposure). NAN without a
 * rate (rate_lower <= 0): nothing can be said then, which is not the same as 1.
 *
 * What is claimed: of a kernel that has the control's bug at the control's rate or a higher one,
 * given that rate_lower is not above the truth. Where rate_lower is the lower limit at confidence
 * c, one calibration in 1/(1 - c) breaks that condition.
 */
double rate_p_missed(double rate_lower, double exposure);
/*
 * The same without that condition, averaged over all calibrations: after `failures` of the control
 * in `control_exposure`, a kernel with its bug survives `exposure` with probability (1 + exposure
 * / control_exposure)^-failures. A new exponential time against the sum of n old ones (Hahn and
 * Nelson 1973, prediction intervals); exact if every run of the control failed, near it otherwise.
 * NAN without failures or exposure of the control. Far below it, rate_p_missed() rests on its
 * condition.
 */
double rate_p_missed_average(unsigned failures, double control_exposure, double exposure);
/*
 * The exposure at which p_missed falls to `p` in (0, 1); infinite without a rate. A run that stops
 * as soon as it has had it (or fails before) misses with probability p, no more: the target is
 * fixed beforehand, and survival of a Poisson process depends on the exposure alone, not on in how
 * many runs it came or on when somebody looked (Epstein and Sobel 1953).
 */
double rate_exposure_for(double rate_lower, double p);

/* Central interval of a proportion, `hits` of `trials` (Clopper and Pearson 1934): each side is
 * wrong with a probability of at most (1 - confidence) / 2. No trials: 0..1. */
struct interval proportion_limits(unsigned hits, unsigned trials, double confidence);
/*
 * Jeffreys' interval: quantiles of Beta(hits + 1/2, trials - hits + 1/2), the lower end 0 without a
 * hit and the upper end 1 without a miss (Brown, Cai and DasGupta 2001). Covers the truth
 * with `confidence` on average, where Clopper and Pearson's covers it always and is wider: for
 * tallies that people read, not for promises.
 */
struct interval proportion_jeffreys(unsigned hits, unsigned trials, double confidence);
/*
 * One-sided upper limit of Clopper and Pearson, wrong with a probability of at most
 * 1 - confidence. Without a hit it is 1 - (1 - confidence)^(1/trials), which is about 3/trials at
 * 95 % (Hanley and Lippman-Hand 1983: the rule of three). No trials: 1.
 */
double proportion_upper(unsigned hits, unsigned trials, double confidence);

/*
 * A lab that did `boots` boots and `stress` of work without a fault of its own: upper limit of the
 * probability that one job, a boot and `job_stress` of work (same unit), sees a fault. With faults
 * of probability p a boot and a rate r of work, all of that went well with probability (1 -
 * p)^boots exp(-r stress); the pairs (p, r) for which this is at least 1 - confidence are an exact
 * region of that confidence (inversion of a test, as Clopper and Pearson 1934 did for one
 * parameter). Its worst corner for the job gives
 *	1 - exp(ln(1 - confidence) max(1 / boots, job_stress / stress)),
 * and proportion_upper(0, boots) and rate_upper(0, stress) are its corners: the three hold
 * together. 1 without boots or stress.
 */
double fault_per_job_upper(unsigned boots, double stress, double job_stress, double confidence);

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
