/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KTAP version 1 and TAP 13/14 lines (Documentation/dev-tools/ktap.rst): a total, bounded parser. It
 * never fails; what is not KTAP is counted as odd.
 *
 * Use: ktap_init(), ktap_line() for each line without its newline, ktap_finish(), ktap_clear().
 */
#ifndef KLAB_PARSE_KTAP_H
#define KLAB_PARSE_KTAP_H

#include "base/lab.h"

#define KTAP_CASES_MAX 4096	/* results kept; later ones are only counted */
#define KTAP_DEPTH_MAX 8	/* levels of subtests */
#define KTAP_NAME_MAX 256	/* bytes of a name and of a reason; longer ones are cut */

enum ktap_result {
	KTAP_PASS,
	KTAP_FAIL,
	KTAP_SKIP,
	KTAP_TODO,	/* "not ok ... # TODO": expected to fail */
	KTAP_XFAIL,
	KTAP_TIMEOUT,
	KTAP_ERROR,
	KTAP__COUNT
};

struct ktap_case {
	char *name;		/* of its parents too: "suite/case"; a case without name has its number */
	char *reason;		/* what follows the directive, or NULL */
	enum ktap_result result;
	unsigned depth;		/* 0: top level */
	bool parent;		/* its subtests came before it */
};

struct ktap_level {
	unsigned planned;	/* of the plan line, when `has_plan` */
	unsigned seen;
	bool has_plan;
	unsigned first_case;	/* index of the first case of this level */
};

struct ktap {
	GArray *cases;		/* of struct ktap_case, in order of their lines */
	unsigned counts[KTAP__COUNT];	/* leaves only, the ones beyond KTAP_CASES_MAX included */
	unsigned dropped;	/* cases beyond KTAP_CASES_MAX */
	unsigned odd;		/* lines that are no KTAP */
	unsigned misnumbered;	/* numbers out of order */
	unsigned missing;	/* planned but never reported, after ktap_finish() */
	bool has_version;
	bool bailed;		/* "Bail out!" */
	char *bail_reason;	/* or NULL */
	struct ktap_level level[KTAP_DEPTH_MAX];
	unsigned depth;		/* of the last line */
	unsigned indent;	/* spaces a level: 2 (KTAP) or 4 (TAP 14); 0: not seen yet */
};

void ktap_init(struct ktap *k);
void ktap_line(struct ktap *k, const char *line, size_t len);
void ktap_finish(struct ktap *k);
void ktap_clear(struct ktap *k);
/* Complete, nothing failed, at least one case passed or was skipped. After ktap_finish(). */
bool ktap_is_ok(const struct ktap *k);
/* "pass", "fail", "skip", ... */
const char *ktap_result_name(enum ktap_result result);

#endif
