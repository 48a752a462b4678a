// SPDX-License-Identifier: GPL-2.0-or-later
/* Boots that came to nothing: no probe ran, so whatever happened says nothing about tracing. */
#include "judge/trial.h"

#include <string.h>

/* The last line with something on it, for the user; the caller frees. */
static char *console_tail(const struct evidence *ev)
{
	const char *end = ev->console + ev->console_len, *start;
	GString *text;

	while (end > ev->console && !g_ascii_isgraph(end[-1]))
		end--;
	if (end == ev->console)
		return NULL;
	start = g_strrstr_len(ev->console, end - ev->console, "\n");
	start = start ? start + 1 : ev->console;
	start = MAX(start, end - 200);
	text = g_string_new(NULL);
	for (; start < end; start++)
		g_string_append_c(text, g_ascii_isprint(*start) ? *start : ' ');
	return g_strchug(g_string_free(text, FALSE));
}

static bool is_boot_end(enum console_class class)
{
	return is_strong(class) || is_panic(class) || is_weak(class) || is_no_boot(class);
}

static void decide_no_boot(struct trial *t, const char *what)
{
	g_autofree char *tail = t->ev->console_len ? console_tail(t->ev) : NULL;

	t->v->retry = true;
	for (unsigned i = 0; i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];

		if (!is_boot_end(event->class))
			continue;
		t->v->excerpt = g_strdup(event->excerpt);
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s: did not boot: %s", what,
		       event->title);
		return;
	}
	if (tail)
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s; the console ends with '%s'", what,
		       tail);
	else
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s, and the console is empty", what);
}

bool judge_boot(struct trial *t)
{
	static const char *const what[JOB_END__COUNT] = {
		[JOB_END_NO_HELLO] = "no hello within the boot limit",
		[JOB_END_HANG] = "the guest went silent before the probe began",
		[JOB_END_SPLAT] = "the kernel failed before the probe began",
		[JOB_END_GUEST_EXIT] = "the guest ended before the probe began",
		[JOB_END_TIMEOUT] = "the limit passed before the probe began",
	};
	const struct evidence *ev = t->ev;

	if (!what[ev->end] || (ev->end != JOB_END_NO_HELLO && trial_start_us(ev)))
		return false;
	decide_no_boot(t, what[ev->end]);
	return true;
}
