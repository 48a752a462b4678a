/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bisection so far, as a function of its log: events that are only ever appended. Whoever is killed
 * reads the log again and is where it was, less the tests that had not ended. Pure.
 *
 *	{"ev":"begin","schema":1,"form":"time","run_s":N,"confidence":N,"verify":B}
 *	{"ev":"image","node":N,"sha256":S,"seconds":N}	it is there; equal images are equal kernels
 *	{"ev":"start","test":N,"node":N,"length":N}
 *	{"ev":"end","test":N,"outcome":S,"had":N,"seconds":N,"title":S,"hazard":S,"why":S,"dir":S}
 *	{"ev":"plan","text":S}				delays that every test from now on has; evidence begins anew
 *	{"ev":"told","node":N,"outcome":S}		somebody else's finding: git bisect's log
 *	{"ev":"suspects","functions":[S],"files":[S],"nodes":[N]}	what the failure's title points at
 *	{"ev":"answer","answer":S,"change":N,"p":N}
 *	{"ev":"verify","change":N,"why":S}		a check begins (verify.h), or cannot: `why`
 *
 * "begin" with "unsure":true: whether the bad end fails at all is not known. "image" and "start" with
 * "patched":true are of the check: the bad end without the change, or with it, whatever `node` says.
 * Nodes are numbers of the range, `seconds` what it took by the clock; what is not known is absent.
 */
#ifndef KLAB_BISECT_STATE_H
#define KLAB_BISECT_STATE_H

#include "bisect/next.h"
#include "bisect/range.h"
#include "bisect/untestable.h"
#include "bisect/verify.h"

#define BISECT_LOG_SCHEMA 1

enum bisect_outcome {
	OUTCOME_FAILED,		/* with the symptom that is looked for */
	OUTCOME_SURVIVED,
	OUTCOME_OTHER,		/* failed otherwise: what it had until then counts, no more */
	OUTCOME_UNTESTABLE,	/* does not build, boot, or have what the test needs */
	OUTCOME_LOST,		/* the lab failed: says nothing */
	OUTCOME__COUNT
};
const char *bisect_outcome_name(enum bisect_outcome outcome);	/* "failed", ... */

/* One test, as the evidence table shows it. */
struct bisect_run {
	unsigned test, node;
	double length;
	bool ended, patched;
	enum bisect_outcome outcome;
	double had, seconds;
	char *title, *hazard, *why, *dir;	/* or NULL */
};

struct bisect_state {
	const struct bisect_range *range;	/* borrowed */
	struct bisect_model model;
	struct bisect_goal goal;
	struct bisect_costs costs;
	struct bisect_belief *belief;	/* up to date */
	double *prior;			/* n: the range's, less what images showed to change nothing */
	double *make_s, *untestable;	/* n + 1, see struct bisect_costs */
	uint8_t *known;			/* n + 1, of enum testable */
	char **image;			/* n + 1: sha256, or NULL: not made yet */
	GPtrArray *runs;		/* of struct bisect_run *, by number */
	unsigned images, counts[OUTCOME__COUNT];
	double make_spent_s, run_spent_s;
	unsigned built;			/* images that took time, for what the next one will take */
	char *plan;			/* of delays (amplify/plan.h), or NULL */
	char **functions, **files;	/* that the failure points at; NULL: not looked for yet */
	unsigned suspects;		/* changes that touch these */
	struct verify verify;
	bool begun;
};
typedef struct bisect_state bisect_state;
void bisect_state_free(struct bisect_state *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bisect_state, bisect_state_free)

/* Nothing has happened yet. `make_s` and `boot_s` are guesses, until they are measured. */
struct bisect_state *bisect_state_new(const struct bisect_range *range, double make_s,
				      double boot_s);
/*
 * Take one event in; `json` is borrowed. LAB_ERROR_INPUT: it does not belong there, and nothing has
 * changed. An "end" without its "start", or a second one, is such a case: no test counts twice.
 */
bool bisect_apply(struct bisect_state *s, const json_t *json, GError **error);
/* Take in a log: lines of JSON. A torn last line (kill -9) is dropped; any other fault is
 * LAB_ERROR_INPUT with its line. */
bool bisect_replay(struct bisect_state *s, const char *log, size_t len, GError **error);

/*
 * Is this failure the one that is looked for? At the bad end any is. Elsewhere it must be of a hazard
 * that failed there, or of the same kind with a function in common; a pattern of the user's
 * (fnmatch(3), over titles) decides alone. `title` as judged: "deadlock: f <- g <- h".
 */
bool bisect_is_symptom(const struct bisect_state *s, unsigned node, const char *title,
		       const char *hazard, const char *pattern);
/* The title of the first failure of the bad end, or NULL. */
const char *bisect_state_title(const struct bisect_state *s);
/* Where the check of an answer stands, and the runs or seconds that it lacks. */
enum verify_verdict bisect_state_verdict(const struct bisect_state *s);
double bisect_state_verify_lacks(const struct bisect_state *s);
/* Was the image of both made, and is it the same? Then no change between them does anything. */
bool bisect_state_same_image(const struct bisect_state *s, unsigned node, unsigned other);
/* What to do next, and the same with tests under way. */
struct bisect_step bisect_state_next(struct bisect_state *s, const struct bisect_test *pending,
				     unsigned n_pending, GRand *rand);
/* Number for the next test. */
unsigned bisect_state_test(const struct bisect_state *s);

#endif
