/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of judge_job(): a job under judgement. judge.c goes through the kinds of evidence in order,
 * boot.c knows boots that came to nothing, events.c what the console's events mean and what the
 * rules for consoles make of them.
 */
#ifndef KLAB_JUDGE_TRIAL_H
#define KLAB_JUDGE_TRIAL_H

#include "judge/judge.h"
#include "parse/console.h"

struct trial {
	const struct evidence *ev;
	const struct judge_params *params;
	const struct console_report *report;
	size_t run_offset; /* console bytes from here on came while the probe ran */
	struct verdict *v;
	/* by event, only for those that came while the probe ran: the rule that decides on it */
	const struct console_rule *allowed[CONSOLE_EVENTS_MAX], *denied[CONSOLE_EVENTS_MAX];
};

/* Value, kind and title; the reason follows as a format. */
void decide(struct trial *t, enum verdict_value value, enum verdict_kind kind, const char *title,
	    const char *fmt, ...) G_GNUC_PRINTF(5, 6);
/* The job is decided for this event of the console. */
void decide_event(struct trial *t, const struct console_event *event);

/* When the probe's run began for the console, or 0. */
static inline int64_t trial_start_us(const struct evidence *ev)
{
	return ev->started_us ? ev->started_us : ev->began_us;
}

/* Endings before the probe began: true when the job is decided. */
bool judge_boot(struct trial *t);

/* Fill in t->allowed and t->denied. */
void trial_apply_rules(struct trial *t);
/* The first event of the run that no rule allows; `wanted` says which classes. */
const struct console_event *first_in_run(const struct trial *t,
					 bool (*wanted)(enum console_class class));
/* As above, strong classes, and findings that a rule denies. */
const struct console_event *first_failure(const struct trial *t);
/* The rule that denies it, or NULL. */
const struct console_rule *event_denied(const struct trial *t, const struct console_event *event);
/* The first event of these classes that a rule allows, or NULL. */
const struct console_event *first_allowed(const struct trial *t,
					  bool (*wanted)(enum console_class class));
/* Why what was kept of the console does not suffice for these rules, or NULL. */
char *rules_doubt(const struct trial *t);
/* flood.c: why so full a console proves nothing, or NULL; the caller frees. */
char *flood_doubt(const struct trial *t);
/* Titles of the run's findings, and of what rules allow; NULL: none. */
char **trial_findings(const struct trial *t);

bool is_strong(enum console_class class);	/* needs no second witness */
bool is_panic(enum console_class class);
bool is_weak(enum console_class class);		/* a starved host can bring these about */
bool is_no_boot(enum console_class class);
bool is_warn(enum console_class class);

#endif
