/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which change did it, given what was seen? Bayes over the changes of a range, with noise on one
 * side: a kernel that has the bug fails at a rate that nobody knows, one that does not have it
 * fails (with the same symptom) at the small rate `eps`. The unknown rate is integrated out, so
 * that passes on a bad kernel cost what they ought to and no more.
 *
 * Hypotheses: each change c of the range, "older": the bug is there everywhere, the good end
 * included, "none": no kernel has it and all that failed was `eps`. Under c the bug is in a kernel
 * t if c is in t's history; where a fix is looked for (`fix`), if it is not.
 *
 * With F failures and S survived runs where the bug is present under c, and F', S' elsewhere:
 *	RUNS	log L = F' ln eps + S' ln(1 - eps) + ln B(a + F, b + S) - ln B(a, b)
 *	TIME	log L = F' ln eps - eps E' + a ln b - lgamma(a) + lgamma(a + F) - (a + F) ln(b + E)
 * of Beta(a, b) over a run's probability, or Gamma(a, b) over the rate per second, E seconds of
 * exposure. Both are conjugate priors (Gelman et al., Bayesian Data Analysis, 2.4 and 2.6). Pure.
 */
#ifndef KLAB_BISECT_MODEL_H
#define KLAB_BISECT_MODEL_H

#include "bisect/dag.h"

enum bisect_form {
	BISECT_RUNS, /* a run fails or survives */
	BISECT_TIME, /* a run fails after so many seconds, or survives so many */
};

struct bisect_model {
	enum bisect_form form;
	bool fix;    /* the range goes from a bad end to a good one */
	double a, b; /* prior of the unknown rate */
	double eps;  /* of failures without the bug: in a run, or per second; above 0 */
	double prior_older, prior_none; /* of 1 */
};

/*
 * Beta(1/2, 1/2); Gamma(1/2, run_s / 2); eps 0.005 in a run of run_s seconds; older 0.03, none 0.01. Why
 * eps is not 0: simulated at p = 0.2 over 1000 changes, with good kernels that fail in 0.5 % of runs, a
 * model that takes a failure for proof (eps 1e-6) was wrong in 16 of 60 trials after 1254 runs on
 * average, this one in 1 of 60 after 201.
 */
struct bisect_model bisect_model_default(enum bisect_form form, double run_s, bool fix);

/* What was seen on one kernel. */
struct bisect_tally {
	double fails;
	double had; /* RUNS: runs survived; TIME: seconds, those up to failures too */
};

/* State of knowledge. The node `n` stands for the good end (of a fix: the bad end), which has none
 * of the range's changes; node n - 1 is the other end if the range has one tip. */
struct bisect_belief {
	const struct dag *dag;
	const struct bisect_model *model;
	const double *prior;     /* n, any scale; NULL: all the same */
	struct bisect_tally *at; /* n + 1, by node: the evidence */
	struct bisect_tally all; /* its sum */

	/* what follows from it, by bisect_update() */
	double *w; /* n: probability of each change */
	double w_older, w_none;
	struct bisect_tally *present; /* n: the evidence where the bug is present under c */
	void *room;                   /* for choose.c: decisions come by the thousand */
};
typedef struct bisect_belief bisect_belief;
void bisect_belief_free(struct bisect_belief *b);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bisect_belief, bisect_belief_free)

/* The three are borrowed and must outlive it. No evidence yet; updated. */
struct bisect_belief *bisect_belief_new(const struct dag *dag, const struct bisect_model *model,
					const double *prior);
struct bisect_belief *bisect_belief_copy(const struct bisect_belief *b);
/* Add evidence; the posterior is not up to date until bisect_update(). */
void bisect_see(struct bisect_belief *b, unsigned node, bool failed, double had);
void bisect_update(struct bisect_belief *b);

/* Logarithm of the likelihood of evidence with the tally `present` where the bug is, of `all`. */
double bisect_log_likelihood(const struct bisect_model *m, struct bisect_tally present,
			     struct bisect_tally all);
/* Probability that a kernel with the bug survives `length` more (runs, a whole number; or seconds),
 * where so much was seen of the bug. */
double bisect_survives(const struct bisect_model *m, struct bisect_tally present, double length);
/* The same of a kernel without the bug. */
double bisect_survives_clean(const struct bisect_model *m, double length);

/* ret[c] (n) = 1 if the bug is in `node` under the hypothesis c. */
void bisect_present_under(const struct bisect_belief *b, unsigned node, uint8_t *ret);
/* Probability that the bug is in `node`; that a test of it fails; what the test would tell, in
 * bits. O(n) each: for reports and tests; choose.h has them for all nodes at once. */
double bisect_p_present(const struct bisect_belief *b, unsigned node);
double bisect_p_fails(const struct bisect_belief *b, unsigned node, double length);
double bisect_information(const struct bisect_belief *b, unsigned node, double length);
/* Entropy of a coin that falls with probability p, in bits. */
double bisect_coin(double p);
/* The most likely change. */
unsigned bisect_best(const struct bisect_belief *b);
/* Fewest changes that hold `mass` of the whole probability, most likely ones first; the caller
 * frees the array. All n if older and none have too much of it. */
unsigned *bisect_credible(const struct bisect_belief *b, double mass, unsigned *ret_n);

/* Quantile of the rate's posterior from one tally alone. */
double bisect_rate_quantile(const struct bisect_model *m, struct bisect_tally tally, double p);

#endif
