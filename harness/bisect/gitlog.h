/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of git bisect, both ways: what stock git wrote is evidence here, and what was found out here
 * lets stock git go on (`git bisect replay FILE`). Pure; lines that say nothing to us are passed over,
 * as git passes over comments.
 */
#ifndef KLAB_BISECT_GITLOG_H
#define KLAB_BISECT_GITLOG_H

#include "base/lab.h"

enum gitlog_verdict {
	GITLOG_OLD,	/* good; in a search for a fix, "old" is what is still broken */
	GITLOG_NEW,	/* bad */
	GITLOG_SKIP,
};

struct gitlog_line {
	enum gitlog_verdict verdict;
	char *id;	/* a commit's, or a name that git had resolved: as it stood */
};

struct gitlog {
	char *term_old, *term_new;	/* "good" and "bad", unless the log says otherwise */
	GArray *lines;			/* of struct gitlog_line, in order; the ends are the first ones */
};
typedef struct gitlog gitlog;
void gitlog_free(struct gitlog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(gitlog, gitlog_free)

#define GITLOG_LINES_MAX 100000u

/* Read `git bisect log`'s text. LAB_ERROR_INPUT: not such a text, or too long. */
bool gitlog_parse(const char *text, size_t len, struct gitlog **ret, GError **error);

/* Append "git bisect start" (with terms "broken" and "fixed" in a search for a fix), and a line of
 * what was found out, with git's comment above it. `subject` may be NULL. */
void gitlog_start(GString *out, bool fix);
void gitlog_add(GString *out, bool fix, enum gitlog_verdict verdict, const char *id,
		const char *subject);

#endif
