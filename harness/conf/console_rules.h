/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probes/console.yaml: what is known about messages on kernels' consoles, and counts for less or for
 * more than usual. Validated: all errors at once.
 *
 *	replace: yes				# optional: the shipped rules do not hold
 *	rules:
 *	  - match: "WARN in perf_*"		# glob over an event's title (klab report shows them)
 *	    frames: [perf_event_open]		# optional: all must be in the event's trace
 *	    kernels: ["debian-*", "6.1.*"]	# optional: globs over a kernel's id and release
 *	    action: allow			# or deny
 *	    reason: ...				# goes into the verdict
 *	    expires: 2027-06-30			# the last day (UTC) on which the rule holds
 *	    source: ...				# optional: where that is known from
 *
 * allow: the event is told as the finding "allowed: TITLE (REASON)" and changes no verdict. deny: an
 * event that is a mere finding (a warning, a data race, undefined behaviour, ...) makes the verdict
 * affected: of the kind oops for a warning, corruption for races and undefined behaviour, killed-task
 * for processes that the kernel killed. The first rule that matches an event decides.
 *
 * Rules lapse, so that nobody forgets them: known bugs get fixed, and a rule must not hide the next
 * one. Which rules hold is asked for the day on which a job started.
 */
#ifndef KLAB_CONF_CONSOLE_RULES_H
#define KLAB_CONF_CONSOLE_RULES_H

#include "base/lab.h"

#include <jansson.h>

#define CONSOLE_RULES_MAX 64	/* of one file, and of a job: a spec stays below 1 MiB */

enum console_action { CONSOLE_ALLOW, CONSOLE_DENY };

struct console_rule {
	char *match;
	char **frames, **kernels;	/* NULL-terminated, perhaps empty */
	enum console_action action;
	char *reason;
	char *expires;	/* "YYYY-MM-DD" */
	char *source;	/* or NULL */
};

struct console_rules {
	GPtrArray *all;	/* of struct console_rule *, in file order */
	bool replace;
};
typedef struct console_rules console_rules;
void console_rules_free(struct console_rules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(console_rules, console_rules_free)

/* Parse `text`; `name` is what errors call it. On failure the message holds every error, one a
 * line, "name:line:col: sentence", LAB_ERROR_USAGE. */
bool console_rules_parse(const char *name, const char *text, size_t len, struct console_rules **ret,
			 GError **error);
/* Move the rules of `more` behind those of `rules`, and free it. LAB_ERROR_USAGE if they are more
 * than CONSOLE_RULES_MAX. */
bool console_rules_join(struct console_rules *rules, struct console_rules *more, GError **error);

/* For a job's spec: array of objects with the keys of the file, those rules alone that are for this
 * kernel. New reference. */
json_t *console_rules_to_json(const struct console_rules *rules, const char *kernel_id,
			      const char *release);
/* NULL or null are no rules. LAB_ERROR_INPUT for anything else that to_json() would not write. */
bool console_rules_from_json(const json_t *json, struct console_rules **ret, GError **error);

/* Does the rule hold on `day`, "YYYY-MM-DD"? On no known day (NULL) none does. */
bool console_rule_holds(const struct console_rule *rule, const char *day);

struct console_subject {
	const char *title;
	char *const *frames;	/* n_frames; may end with NULL before that */
	unsigned n_frames;
	const char *kernel_id, *release;	/* or NULL: only rules for all kernels match */
	const char *day;
};
/* The first rule that holds and matches, or NULL. `rules` may be NULL. */
const struct console_rule *console_rules_find(const struct console_rules *rules,
					      const struct console_subject *subject);

#endif
