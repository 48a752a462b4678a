/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Independent evidence for an answer: the end that fails, with the change taken out of it (a fix:
 * put into it), survives. Nothing of the search is in that: it is a kernel that the range does not
 * have.
 *
 * With p the rate of the bad end by its own runs, of which the lower 90 % limit is taken, F failures
 * and S survived runs (E seconds) of the patched kernel speak for "it still has the bug" by
 *	RUNS	F ln(p / eps) + S ln((1 - p) / (1 - eps))
 *	TIME	F ln(p / eps) - E (p - eps)
 * which is Wald's sequential test (1945): below ln(1 - confidence) the answer is confirmed, above
 * -ln(1 - confidence), with two failures at least, it is refuted. Without a failure that is what a
 * kernel that fails at rate p survives with a probability of 1 - confidence, and hardly more. Pure.
 */
#ifndef KLAB_BISECT_VERIFY_H
#define KLAB_BISECT_VERIFY_H

#include "bisect/model.h"

#define VERIFY_REFUTING 2	/* failures: one may be noise */
#define VERIFY_OTHERS_MAX 5	/* runs that fail otherwise: there may be no others */
#define VERIFY_LENGTHS 8	/* of what a clean kernel needs; beyond, it stays open */

enum verify_verdict {
	VERIFY_NONE,		/* not asked for */
	VERIFY_OPEN,		/* not done */
	VERIFY_CONFIRMED,
	VERIFY_REFUTED,
	VERIFY_IMPOSSIBLE,	/* `why` tells */
	VERIFY__COUNT
};
const char *verify_verdict_name(enum verify_verdict verdict);	/* "confirmed", "not possible", ... */

/* One check of one answer. */
struct verify {
	bool begun;
	unsigned change;	/* taken out of the bad end, or put into it */
	char *why;		/* why it cannot be done, or NULL */
	char *image;		/* sha256 of the patched kernel, or NULL: not made, or not needed */
	struct bisect_tally seen;
	unsigned first;		/* number of its first test */
	unsigned tests, others;
};
void verify_clear(struct verify *v);

/* `end` is the tally of the bad end. */
enum verify_verdict verify_judge(const struct verify *v, const struct bisect_model *m,
				 struct bisect_tally end, double confidence);
/* Runs, or seconds, that it has to survive still until it is confirmed; 0: it is judged. */
double verify_lacks(const struct verify *v, const struct bisect_model *m, struct bisect_tally end,
		    double confidence);
/* Probability that a kernel that fails like the bad end, at its lower limit, survives what this one
 * survived. */
double verify_chance(const struct verify *v, const struct bisect_model *m, struct bisect_tally end);

#endif
