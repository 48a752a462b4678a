/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cell, explained: the verdict, what speaks for it, how sure it is, how to repeat it, where it is
 * written down. A function of the judged cell, which is one of its journals; cmd/ prints.
 */
#ifndef KLAB_REPORT_EXPLAIN_H
#define KLAB_REPORT_EXPLAIN_H

#include "run/run.h"

#define EXPLAIN_SCHEMA 1
#define EXPLAIN_EVIDENCE_MAX 10	/* lines of "why" */
#define EXPLAIN_EXCERPT_MAX 40	/* lines of autopsy or console for people; JSON has them all */

struct explanation {
	const struct cell *cell;	/* borrowed */
	char *headline;			/* "affected: oops: NULL pointer dereference in ..." */
	GPtrArray *evidence;		/* of char *, at most EXPLAIN_EVIDENCE_MAX */
	const char *excerpt_is;		/* "autopsy" or "console", NULL: there is none */
	const char *excerpt;		/* borrowed from the cell */
	GPtrArray *sure;		/* of char * */
	char *repro;			/* a command for the shell, or NULL: no job ran */
	char *again;			/* one that repeats it ten times, or NULL */
	const char *dir;		/* of the job that carries the verdict, or NULL; borrowed */
	const char *plan;		/* file there with what was delayed, or NULL; borrowed */
	const char *schedule;		/* see schedule_of() */
	char *unamplified;		/* see schedule_unamplified() */
};
typedef struct explanation explanation;
void explanation_free(struct explanation *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(explanation, explanation_free)

/* `r` is the cell's run: its engine's proof, and the command that repeats it; NULL: a lone job. */
struct explanation *explain_cell(const struct cell *cell, const struct run *r);
/* For people; ends with a newline. `color` as in terminal.h. The caller frees it. */
char *explanation_text(const struct explanation *e, bool color);
/* The same as an object; the caller owns it. */
json_t *explanation_json(const struct explanation *e);

#endif
