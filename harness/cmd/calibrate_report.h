/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the runs of the controls say: right or wrong, failure rates, and how both are shown. Pure.
 */
#ifndef KLAB_CMD_CALIBRATE_REPORT_H
#define KLAB_CMD_CALIBRATE_REPORT_H

#include "judge/judge.h"
#include "stats/calibration.h"

/* Exposure is read from outside every 100 ms out of counters that the guest copies every 50 ms:
 * what a failing guest had done since then is estimated from a clean control's pace over this time.
 */
#define CALIBRATE_UNREAD_S 0.25

/* One control x probe x repetition. Strings are borrowed. */
struct calibrate_result {
	const char *control; /* its name */
	const char *probe;
	const char *hazard; /* the bug that the probe must find there, or NULL: none */
	bool is_native;     /* the tree has bugs there by itself: no answer is wrong */
	unsigned repeat;    /* 1.. */
	enum verdict_value value;
	enum verdict_kind kind;
	const char *title, *reason; /* title may be NULL */
	const char *found_hazard;   /* whose signature matched, or NULL */
	double exposure, slack;
	double ran_s; /* the probe's time, until its failure or its end */
	const char *engine, *accel, *amplify;
	const char *rung; /* or NULL */
	unsigned smp;
	const char *kernel_sha256;
};

enum calibrate_answer {
	ANSWER_RIGHT,
	ANSWER_WRONG, /* a verdict that is not true of this control, or affected by another bug */
	ANSWER_NONE,  /* no verdict: infra, unsupported, inconclusive */
};

enum calibrate_answer calibrate_answer(const struct calibrate_result *result);
/* Exit code of the command: 1 a wrong answer, 3 one is missing or there are no results, 0 as
 * expected. */
int calibrate_exit(const struct calibrate_result *results, unsigned n);

/*
 * A rate for each probe, hazard and conditions, out of the results that should have found it. A
 * failure without that hazard's signature counts as none. What went unread is bounded by the
 * probe's pace where it finds nothing, or where it always fails by its pace there; without one
 * there is no rate.
 */
struct calibration *calibrate_rates(const struct calibrate_result *results, unsigned n,
				    int64_t when_s);

/* Tables for the terminal; JSON {"schema":1,"answer":S,"results":[...],"rates":[...]}. Caller
 * frees. */
char *calibrate_print(const struct calibrate_result *results, unsigned n,
		      const struct calibration *rates);
char *calibrate_json(const struct calibrate_result *results, unsigned n,
		     const struct calibration *rates);

#endif
