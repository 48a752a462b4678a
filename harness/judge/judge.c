// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One job's evidence to one verdict. Order of evidence: the lab's own failures, splats on the
 * console, liveness, early exit, taint, the probe's self-check; `clean` is what is left, and needs
 * exposure.
 */
#include "judge/judge.h"

#include "judge/autopsy.h"
#include "judge/signature.h"
#include "parse/console.h"

#include <math.h>
#include <string.h>

enum taint_bit { TAINT_BAD_PAGE = 5, TAINT_DIE = 7, TAINT_WARN = 9, TAINT_LOCKUP = 14 };

/* A job under judgement. */
struct trial {
	const struct evidence *ev;
	const struct judge_params *params;
	const struct console_report *report;
	size_t run_offset; /* console bytes from here on came while the probe ran */
	struct verdict *v;
};

/* Value, kind and title; the reason follows as a format. */
G_GNUC_PRINTF(5, 6)
static void decide(struct trial *t, enum verdict_value value, enum verdict_kind kind,
		   const char *title, const char *fmt, ...)
{
	va_list ap;

	t->v->value = value;
	t->v->kind = kind;
	t->v->title = g_strdup(title);
	va_start(ap, fmt);
	t->v->reason = g_strdup_vprintf(fmt, ap);
	va_end(ap);
}

/* --- when things came ---------------------------------------------------------------------- */

static int64_t run_start_us(const struct evidence *ev)
{
	return ev->started_us ? ev->started_us : ev->began_us;
}

static size_t run_offset(const struct evidence *ev)
{
	int64_t start_us = run_start_us(ev);

	if (!start_us)
		return SIZE_MAX;
	if (!ev->n_marks)
		return 0;
	for (unsigned i = 0; i < ev->n_marks; i++) {
		if (ev->marks[i].at_us >= start_us)
			return ev->marks[i].offset;
	}
	return ev->console_len;
}

/* When the console byte at `offset` came; the job's end if nobody noted it. */
static int64_t console_us(const struct evidence *ev, uint64_t offset)
{
	unsigned low = 0, high = ev->n_marks;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (ev->marks[mid].offset <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? ev->marks[low - 1].at_us : ev->ended_us;
}

static bool in_run(const struct trial *t, const struct console_event *event)
{
	return event->offset >= t->run_offset;
}

/* --- which event of the console decides ---------------------------------------------------- */

static bool is_strong(enum console_class class)
{
	return class == CONSOLE_OOPS || class == CONSOLE_CORRUPTION || class == CONSOLE_LOCKDEP ||
	       class == CONSOLE_HARD_LOCKUP;
}

static bool is_panic(enum console_class class)
{
	return class == CONSOLE_PANIC || class == CONSOLE_KILLED_INIT;
}

/* A starved host can bring these about. */
static bool is_weak(enum console_class class)
{
	return class == CONSOLE_SOFT_LOCKUP || class == CONSOLE_RCU_STALL ||
	       class == CONSOLE_HUNG_TASK;
}

static bool is_no_boot(enum console_class class)
{
	return class == CONSOLE_BOOT_FAILURE || class == CONSOLE_WEATHER;
}

static const struct console_event *first_in_run(const struct trial *t,
						bool (*wanted)(enum console_class class))
{
	for (unsigned i = 0; i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];

		if (in_run(t, event) && wanted(event->class))
			return event;
	}
	return NULL;
}

static enum verdict_kind event_kind(enum console_class class)
{
	switch (class) {
	case CONSOLE_OOPS:
		return KIND_OOPS;
	case CONSOLE_CORRUPTION:
		return KIND_CORRUPTION;
	case CONSOLE_LOCKDEP:
		return KIND_DEADLOCK;
	case CONSOLE_RCU_STALL:
		return KIND_RCU_STALL;
	case CONSOLE_HUNG_TASK:
		return KIND_HUNG_TASK;
	case CONSOLE_PANIC:
		return KIND_PANIC;
	case CONSOLE_KILLED_INIT:
		return KIND_KILLED_TASK;
	default:
		return KIND_LOCKUP;
	}
}

static void decide_event(struct trial *t, const struct console_event *event)
{
	const struct evidence *ev = t->ev;

	t->v->excerpt = g_strdup(event->excerpt);
	t->v->failed_us = console_us(ev, event->offset);
	decide(t, VERDICT_AFFECTED, event_kind(event->class), event->title,
	       "the console shows '%s'%s", event->title,
	       event->corrupted ? " (torn, the title may be inexact)" : "");
}

/* --- boots that came to nothing ------------------------------------------------------------ */

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

/* No probe ran, so whatever happened says nothing about tracing. */
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

/* --- endings --------------------------------------------------------------------------------- */

/* The lab's own failures: true when the job is decided. */
static bool judge_lab(struct trial *t)
{
	static const char *const what[JOB_END__COUNT] = {
		[JOB_END_UNFINISHED] = "the job has no end: the lab was stopped",
		[JOB_END_ENGINE] = "the engine failed",
		[JOB_END_LAB] = "the lab failed",
		[JOB_END_INTERRUPTED] = "interrupted",
	};
	const struct evidence *ev = t->ev;

	if (!what[ev->end])
		return false;
	decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s%s%s", what[ev->end],
	       ev->end_detail ? ": " : "", ev->end_detail ? ev->end_detail : "");
	return true;
}

/* Endings before the probe began. */
static bool judge_boot(struct trial *t)
{
	static const char *const what[JOB_END__COUNT] = {
		[JOB_END_NO_HELLO] = "no hello within the boot limit",
		[JOB_END_HANG] = "the guest went silent before the probe began",
		[JOB_END_SPLAT] = "the kernel failed before the probe began",
		[JOB_END_GUEST_EXIT] = "the guest ended before the probe began",
		[JOB_END_TIMEOUT] = "the limit passed before the probe began",
	};
	const struct evidence *ev = t->ev;

	if (!what[ev->end] || (ev->end != JOB_END_NO_HELLO && run_start_us(ev)))
		return false;
	decide_no_boot(t, what[ev->end]);
	return true;
}

/*
 * An int3 was executed, but memory holds another byte there: "Code:" shows the bytes up to the one
 * behind the int3 in <>. TCG up to 10.0 can translate a block while another vCPU replaces the int3,
 * and keep it; a CPU cannot, as the kernel makes all of them serialise before it forgets the patch.
 * Seen on clean 6.12.95 and 7.2.13.
 */
static bool is_phantom_int3(const struct console_event *event)
{
	const char *code = strstr(event->excerpt ? event->excerpt : "", "Code: ");
	const char *mark = code ? strchr(code, '<') : NULL;

	return strstr(event->title, "unexpected int3") && mark && mark - code >= 9 &&
	       !memchr(code, '\n', mark - code) && strncmp(mark - 3, "cc", 2) != 0;
}

static void decide_phantom(struct trial *t, const struct console_event *event)
{
	t->v->retry = true;
	t->v->excerpt = g_strdup(event->excerpt);
	decide(t, VERDICT_INFRA, KIND_NONE, NULL,
	       "%s, where memory holds no int3: the emulator ran a stale translation",
	       event->title);
}

/* Splats while the probe ran that need no second witness. */
static bool judge_splat(struct trial *t)
{
	const struct console_event *event = first_in_run(t, is_strong), *other;

	if (event && t->ev->emulated && is_phantom_int3(event)) {
		decide_phantom(t, event);
		return true;
	}
	if (event) {
		decide_event(t, event);
		return true;
	}
	other = first_in_run(t, is_no_boot);
	if (other) {
		t->v->retry = other->class == CONSOLE_WEATHER;
		t->v->excerpt = g_strdup(other->excerpt);
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s", other->title);
		return true;
	}
	event = first_in_run(t, is_panic);
	/* A panic that a lockup brought about is that lockup; whether it counts is asked below. */
	if (!event || first_in_run(t, is_weak))
		return false;
	if (event->class == CONSOLE_KILLED_INIT && !event->signal)
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "the guest's agent ended by itself");
	else
		decide_event(t, event);
	return true;
}

static bool judge_hang(struct trial *t)
{
	const struct console_event *weak = first_in_run(t, is_weak);
	const struct evidence *ev = t->ev;
	struct autopsy autopsy;

	if (ev->end != JOB_END_HANG)
		return false;
	autopsy_hang(ev->hang, ev->ncpus, &autopsy);
	t->v->failed_us = ev->silent_us ? ev->silent_us : ev->ended_us;
	/* Where the registers tell nothing, the kernel's own words do. */
	if (weak && autopsy.kind == KIND_SILENT_STOP) {
		t->v->excerpt = g_strdup(weak->excerpt);
		decide(t, VERDICT_AFFECTED, event_kind(weak->class), weak->title,
		       "%s, and the console shows '%s'", autopsy.reason, weak->title);
	} else {
		t->v->excerpt = g_strdup(autopsy.excerpt);
		decide(t, VERDICT_AFFECTED, autopsy.kind, autopsy.title, "%s%s%s%s", autopsy.reason,
		       weak ? "; the console shows '" : "", weak ? weak->title : "",
		       weak ? "'" : "");
	}
	autopsy_clear(&autopsy);
	return true;
}

static const char *starvation_name(const struct evidence *ev)
{
	return ev->starvation == STARVATION_SEEN ? "held the guest back" :
						   "may have held the guest back";
}

/* Lockups and stalls without loss of liveness: believed unless the host held the guest back. */
static bool judge_weak(struct trial *t)
{
	const struct console_event *weak = first_in_run(t, is_weak);

	if (!weak)
		return false;
	if (t->ev->starvation != STARVATION_NONE) {
		t->v->excerpt = g_strdup(weak->excerpt);
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "'%s' on a host that %s: cannot tell the kernel's fault from the host's",
		       weak->title, starvation_name(t->ev));
	} else {
		decide_event(t, weak);
	}
	return true;
}

static bool taint_is_new(const struct evidence *ev, enum taint_bit bit)
{
	return ev->taint_before != UINT64_MAX && ev->taint_after != UINT64_MAX &&
	       (ev->taint_after & ~ev->taint_before) >> bit & 1;
}

/* The kernel marked itself, and the console does not say why. */
static bool judge_taint(struct trial *t)
{
	static const struct {
		enum taint_bit bit;
		enum verdict_kind kind;
		const char *title;
	} known[] = {
		{ TAINT_DIE, KIND_OOPS, "oops: the kernel is tainted 'D' (died)" },
		{ TAINT_BAD_PAGE, KIND_CORRUPTION,
		  "corruption: the kernel is tainted 'B' (bad page)" },
		{ TAINT_LOCKUP, KIND_LOCKUP, "lockup: the kernel is tainted 'L' (soft lockup)" },
	};
	const struct evidence *ev = t->ev;

	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
		if (!taint_is_new(ev, known[i].bit))
			continue;
		if (known[i].bit == TAINT_LOCKUP && ev->starvation != STARVATION_NONE) {
			decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "%s, on a host that %s",
			       known[i].title, starvation_name(ev));
			return true;
		}
		t->v->failed_us = ev->ended_us;
		decide(t, VERDICT_AFFECTED, known[i].kind, known[i].title,
		       "%s, and its console does not show why", known[i].title);
		return true;
	}
	return false;
}

/* What a failed self-check found, by its own words. */
static enum verdict_kind reason_kind(const char *reason)
{
	static const struct {
		const char *word;
		enum verdict_kind kind;
	} words[] = {
		{ "lost", KIND_LOST_EVENTS },    { "missed", KIND_LOST_EVENTS },
		{ "missing", KIND_LOST_EVENTS }, { "killed", KIND_KILLED_TASK },
		{ "signal", KIND_KILLED_TASK },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
		if (strstr(reason, words[i].word))
			return words[i].kind;
	}
	return KIND_CORRUPTION;
}

static void judge_fail(struct trial *t)
{
	const char *reason = t->ev->reason && *t->ev->reason ? t->ev->reason : "self-check failed";
	enum verdict_kind kind = reason_kind(reason);
	g_autofree char *title = g_strdup_printf("%s: %s", verdict_kind_name(kind), reason);

	t->v->failed_us = t->ev->ended_us;
	decide(t, VERDICT_AFFECTED, kind, title, "the probe's self-check: %s", reason);
}

/* Was a warning of the kernel lost with the console, or never shown? */
static bool is_warn(enum console_class class)
{
	return class == CONSOLE_WARN;
}

static void judge_pass(struct trial *t)
{
	const struct evidence *ev = t->ev;
	bool taint_same = ev->taint_before != UINT64_MAX && ev->taint_after == ev->taint_before;

	if (!(ev->exposure > 0) || isinf(ev->exposure))
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "the probe passed without exposure: what it looks for could not happen");
	else if (ev->console_dropped && !taint_same)
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "%zu bytes of the console were dropped, and a splat may be among them",
		       ev->console_dropped);
	else if (taint_is_new(ev, TAINT_WARN) && !first_in_run(t, is_warn))
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "the kernel warned (taint 'W'), and its console does not show of what");
	else
		decide(t, VERDICT_CLEAN, KIND_NONE, NULL, "the probe passed, exposure %.0f",
		       ev->exposure);
}

static void judge_result(struct trial *t)
{
	const struct evidence *ev = t->ev;
	const char *reason = ev->reason && *ev->reason ? ev->reason : "no reason given";

	switch (ev->result) {
	case PROBE_PASS:
		judge_pass(t);
		break;
	case PROBE_FAIL:
		judge_fail(t);
		break;
	case PROBE_SKIP:
		decide(t, VERDICT_UNSUPPORTED, KIND_NONE, NULL, "%s", reason);
		break;
	case PROBE_ERROR:
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "the probe could not do its work: %s",
		       reason);
		break;
	default:
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "the guest said bye without a result");
	}
}

/* Endings that no splat, hang or taint explained. */
static void judge_end(struct trial *t)
{
	const struct evidence *ev = t->ev;

	switch (ev->end) {
	case JOB_END_DONE:
		judge_result(t);
		break;
	case JOB_END_GUEST_EXIT:
		t->v->failed_us = ev->ended_us;
		decide(t, VERDICT_AFFECTED, KIND_SILENT_STOP, "silent-stop: the guest reset",
		       "the guest ended while the probe ran, without a word on its console");
		break;
	case JOB_END_TIMEOUT:
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "the limit passed with the guest alive and the probe unfinished");
		break;
	default:
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "the run was stopped for a splat that its console does not hold");
	}
}

/* --- around the verdict -------------------------------------------------------------------- */

static bool is_finding(enum console_class class)
{
	return class == CONSOLE_WARN || class == CONSOLE_RACE || class == CONSOLE_UNDEFINED ||
	       class == CONSOLE_OOM || class == CONSOLE_USER_FAULT;
}

static void collect_findings(struct trial *t)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new();

	for (unsigned i = 0; i < t->report->n; i++) {
		const struct console_event *event = &t->report->events[i];

		if (!in_run(t, event) || !is_finding(event->class) ||
		    g_ptr_array_find_with_equal_func(found, event->title, g_str_equal, NULL))
			continue;
		g_ptr_array_add(found, event->title);
	}
	if (!found->len)
		return;
	t->v->findings = g_new0(char *, found->len + 1);
	for (unsigned i = 0; i < found->len; i++)
		t->v->findings[i] = g_strdup(found->pdata[i]);
}

/* An engine that is not trusted makes the job ours; what it would have said stays in the reason. */
static void distrust(struct verdict *v, const char *trouble)
{
	g_autofree char *old = g_steal_pointer(&v->reason);

	v->reason = g_strdup_printf("%s (otherwise %s: %s)", trouble, verdict_value_name(v->value),
				    v->title ? v->title : old);
	g_clear_pointer(&v->title, g_free);
	v->value = VERDICT_INFRA;
	v->kind = KIND_NONE;
	v->failed_us = 0;
	v->retry = false;
}

void judge_job(const struct evidence *ev, const struct judge_params *params, struct verdict *ret)
{
	g_autoptr(console) c = console_scan(ev->console, ev->console ? ev->console_len : 0);
	struct trial t = { .ev = ev, .params = params, .report = console_report(c), .v = ret };

	*ret = (struct verdict){ .exposure = ev->exposure, .exposure_slack = ev->exposure_slack };
	t.run_offset = run_offset(ev);
	if (!judge_lab(&t) && !judge_boot(&t) && !judge_splat(&t) && !judge_hang(&t) &&
	    !judge_weak(&t) && !judge_taint(&t))
		judge_end(&t);
	collect_findings(&t);
	if (ret->value == VERDICT_AFFECTED)
		ret->hazard = g_strdup(signature_match(ev, params, ret, t.run_offset));
	if (ev->engine_trouble && ret->value != VERDICT_INFRA)
		distrust(ret, ev->engine_trouble);
}
