// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events of the console: which class says what, which came while the probe ran, and what the rules
 * of console.yaml make of them.
 */
#include "judge/trial.h"

#include <string.h>

bool is_strong(enum console_class class)
{
	return class == CONSOLE_OOPS || class == CONSOLE_CORRUPTION || class == CONSOLE_LOCKDEP ||
	       class == CONSOLE_HARD_LOCKUP;
}

bool is_panic(enum console_class class)
{
	return class == CONSOLE_PANIC || class == CONSOLE_KILLED_INIT;
}

bool is_weak(enum console_class class)
{
	return class == CONSOLE_SOFT_LOCKUP || class == CONSOLE_RCU_STALL ||
	       class == CONSOLE_HUNG_TASK;
}

bool is_no_boot(enum console_class class)
{
	return class == CONSOLE_BOOT_FAILURE || class == CONSOLE_WEATHER;
}

bool is_warn(enum console_class class)
{
	return class == CONSOLE_WARN;
}

static bool is_finding(enum console_class class)
{
	return class >= CONSOLE_FINDINGS;
}

static bool in_run(const struct trial *t, unsigned i)
{
	return t->report->events[i].offset >= t->run_offset;
}

/* --- rules --------------------------------------------------------------------------------- */

/* The panic of "panic_on_warn" and its like is the end of what brought it about. */
static bool is_consequence(const struct console_event *event)
{
	static const char *const words[] = { "Fatal exception", "panic_on_warn", "softlockup",
					     "hung_task",       "RCU Stall",     "LOCKUP",
					     "kasan.fault",     "panic_on_oops" };

	if (event->class != CONSOLE_PANIC)
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
		if (strstr(event->title, words[i]))
			return true;
	}
	return false;
}

void trial_apply_rules(struct trial *t)
{
	const struct evidence *ev = t->ev;
	const struct console_rule *before = NULL; /* what allows the event before this one */

	for (unsigned i = 0; ev->rules && i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];
		const struct console_subject subject = {
			.title = event->title,
			.frames = event->frames,
			.n_frames = CONSOLE_FRAMES_MAX,
			.kernel_id = ev->kernel_id,
			.release = ev->release,
			.day = ev->day,
		};
		const struct console_rule *rule;

		if (!in_run(t, i))
			continue;
		rule = console_rules_find(ev->rules, &subject);
		if (!rule && before && is_consequence(event))
			rule = before;
		if (rule && rule->action == CONSOLE_DENY && is_finding(event->class))
			t->denied[i] = rule;
		else if (rule && rule->action == CONSOLE_ALLOW)
			t->allowed[i] = rule;
		before = t->allowed[i];
	}
}

const struct console_rule *event_denied(const struct trial *t, const struct console_event *event)
{
	return t->denied[event - t->report->events];
}

const struct console_event *first_in_run(const struct trial *t,
					 bool (*wanted)(enum console_class class))
{
	for (unsigned i = 0; i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];

		if (in_run(t, i) && !t->allowed[i] && wanted(event->class))
			return event;
	}
	return NULL;
}

const struct console_event *first_failure(const struct trial *t)
{
	for (unsigned i = 0; i < t->report->n; i++) {
		if (in_run(t, i) && !t->allowed[i] &&
		    (is_strong(t->report->events[i].class) || t->denied[i]))
			return &t->report->events[i];
	}
	return NULL;
}

const struct console_event *first_allowed(const struct trial *t,
					  bool (*wanted)(enum console_class class))
{
	for (unsigned i = 0; i < t->report->n; i++) {
		if (t->allowed[i] && wanted(t->report->events[i].class))
			return &t->report->events[i];
	}
	return NULL;
}

static bool denies(const struct trial *t)
{
	const struct evidence *ev = t->ev;

	for (unsigned i = 0; ev->rules && i < ev->rules->all->len; i++) {
		const struct console_rule *rule = ev->rules->all->pdata[i];

		if (rule->action == CONSOLE_DENY && console_rule_holds(rule, ev->day))
			return true;
	}
	return false;
}

/*
 * Of each class the first few titles are kept. Without rules that suffices: the first failure
 * decides. What a rule allows, though, may have taken the place of what none does.
 */
char *rules_doubt(const struct trial *t)
{
	bool denied = denies(t);

	for (unsigned class = 0; class < CONSOLE__COUNT; class ++) {
		uint64_t n = t->report->unkept[class];
		bool matters = is_strong(class) || is_weak(class) || is_panic(class) ||
			       (is_finding(class) && denied);

		if (n && matters && t->ev->rules)
			return g_strdup_printf("the console has %" G_GUINT64_FORMAT
					       " more events of the class '%s' than are looked at, "
					       "and rules for consoles hold",
					       n, console_class_name(class));
	}
	return NULL;
}

char **trial_findings(const struct trial *t)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = 0; i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];
		const struct console_rule *rule = t->allowed[i];
		g_autofree char *text = NULL;

		if (!in_run(t, i) || t->denied[i] || (!rule && !is_finding(event->class)))
			continue;
		text = rule ? g_strdup_printf("allowed: %s (%s)", event->title, rule->reason)
			    : g_strdup(event->title);
		if (!g_ptr_array_find_with_equal_func(found, text, g_str_equal, NULL))
			g_ptr_array_add(found, g_steal_pointer(&text));
	}
	if (!found->len)
		return NULL;
	g_ptr_array_add(found, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&found), FALSE);
}
