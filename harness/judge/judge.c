// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One job's evidence to one verdict. Order of evidence: the lab's own failures, splats on the
 * console, liveness, early exit, taint, the probe's self-check; `clean` is what is left, and needs
 * exposure.
 */
#include "judge/trial.h"

#include "judge/autopsy.h"
#include "judge/hang.h"
#include "judge/infra.h"
#include "judge/signature.h"

#include <math.h>
#include <string.h>

enum taint_bit { TAINT_BAD_PAGE = 5, TAINT_DIE = 7, TAINT_WARN = 9, TAINT_LOCKUP = 14 };

void decide(struct trial *t, enum verdict_value value, enum verdict_kind kind, const char *title,
	    const char *fmt, ...)
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

static size_t run_offset(const struct evidence *ev)
{
	int64_t start_us = trial_start_us(ev);

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

/* --- events of the console ----------------------------------------------------------------- */

static enum verdict_kind event_kind(enum console_class class)
{
	switch (class) {
	case CONSOLE_OOPS:
	case CONSOLE_WARN: /* this and the others are findings: only where a rule denies them */
		return KIND_OOPS;
	case CONSOLE_CORRUPTION:
	case CONSOLE_RACE:
	case CONSOLE_UNDEFINED:
		return KIND_CORRUPTION;
	case CONSOLE_OOM:
	case CONSOLE_USER_FAULT:
		return KIND_KILLED_TASK;
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

void decide_event(struct trial *t, const struct console_event *event)
{
	const struct console_rule *denied = event_denied(t, event);
	const struct evidence *ev = t->ev;

	t->v->excerpt = g_strdup(event->excerpt);
	t->v->failed_us = console_us(ev, event->offset);
	t->v->splat = !is_weak(event->class);
	t->v->weak = is_weak(event->class);
	decide(t, VERDICT_AFFECTED, event_kind(event->class), event->title,
	       "the console shows '%s'%s%s%s", event->title,
	       event->corrupted ? " (torn, the title may be inexact)" : "",
	       denied ? ", which a rule denies: " : "", denied ? denied->reason : "");
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
		[JOB_END_PAUSED] = "the guest stood still, and not by its kernel",
	};
	const struct evidence *ev = t->ev;

	if (!what[ev->end])
		return false;
	decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s%s%s", what[ev->end],
	       ev->end_detail ? ": " : "", ev->end_detail ? ev->end_detail : "");
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
	t->v->infra = INFRA_WEATHER;
	t->v->excerpt = g_strdup(event->excerpt);
	decide(t, VERDICT_INFRA, KIND_NONE, NULL,
	       "%s, where memory holds no int3: the emulator ran a stale translation",
	       event->title);
}

/* Splats while the probe ran that need no second witness. */
static bool judge_splat(struct trial *t)
{
	const struct console_event *event = first_failure(t), *other;

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
		t->v->infra = INFRA_WEATHER;
		t->v->excerpt = g_strdup(other->excerpt);
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "%s", other->title);
		return true;
	}
	event = first_in_run(t, is_panic);
	/* A panic that a lockup brought about is that lockup; whether it counts is asked below. */
	if (!event || first_in_run(t, is_weak))
		return false;
	if (event->class == CONSOLE_KILLED_INIT && !event->signal) {
		t->v->infra = INFRA_AGENT;
		decide(t, VERDICT_INFRA, KIND_NONE, NULL, "the guest's agent ended by itself");
	} else {
		decide_event(t, event);
	}
	return true;
}

/* What the vCPUs have to do with each other does not show in a table of single ones. */
static void add_rule(const struct evidence *ev, struct autopsy *autopsy)
{
	const char *words = ev->hang_rule >= HANG_D4 ? hang_rule_words(ev->hang_rule) : NULL;
	g_autofree char *old = NULL;

	if (!words)
		return;
	old = g_steal_pointer(&autopsy->reason);
	autopsy->reason = g_strdup_printf("%s: %s", words, old);
}

static bool judge_hang(struct trial *t)
{
	const struct console_event *weak = first_in_run(t, is_weak);
	const struct evidence *ev = t->ev;
	struct autopsy autopsy;

	if (ev->end != JOB_END_HANG)
		return false;
	autopsy_hang(ev->hang, ev->ncpus, &autopsy);
	autopsy_add_tasks(ev, &autopsy);
	add_rule(ev, &autopsy);
	t->v->failed_us = ev->silent_us ? ev->silent_us : ev->ended_us;
	/* Where the registers tell nothing, the kernel's own words do; and what a looping CPU was
	 * at when the watchdog saw it says more than the interrupt that it is in now. */
	if (weak && (autopsy.kind == KIND_SILENT_STOP ||
		     (autopsy.kind == KIND_LOCKUP && weak->class == CONSOLE_SOFT_LOCKUP))) {
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
	return ev->starvation == STARVATION_SEEN ? "held the guest back"
						 : "may have held the guest back";
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
		bool (*explains)(enum console_class class); /* where a rule allows it */
	} known[] = {
		{ TAINT_DIE, KIND_OOPS, "oops: the kernel is tainted 'D' (died)", is_strong },
		{ TAINT_BAD_PAGE, KIND_CORRUPTION,
		  "corruption: the kernel is tainted 'B' (bad page)", is_strong },
		{ TAINT_LOCKUP, KIND_LOCKUP, "lockup: the kernel is tainted 'L' (soft lockup)",
		  is_weak },
	};
	const struct evidence *ev = t->ev;

	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
		if (!taint_is_new(ev, known[i].bit) || first_allowed(t, known[i].explains))
			continue;
		if (known[i].bit == TAINT_LOCKUP && ev->starvation != STARVATION_NONE) {
			decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "%s, on a host that %s",
			       known[i].title, starvation_name(ev));
			return true;
		}
		t->v->failed_us = ev->ended_us;
		t->v->weak = known[i].bit == TAINT_LOCKUP;
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
		{ "hung-task", KIND_HUNG_TASK }, { "lost", KIND_LOST_EVENTS },
		{ "missed", KIND_LOST_EVENTS },  { "missing", KIND_LOST_EVENTS },
		{ "killed", KIND_KILLED_TASK },  { "signal", KIND_KILLED_TASK },
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
	/* the agent's own words begin with the kind */
	g_autofree char *lead = g_strconcat(verdict_kind_name(kind), ": ", NULL);
	g_autofree char *title = g_strconcat(g_str_has_prefix(reason, lead) ? "" : lead, reason,
					     NULL);

	t->v->failed_us = t->ev->ended_us;
	decide(t, VERDICT_AFFECTED, kind, title, "the probe's self-check: %s", reason);
}

static void judge_pass(struct trial *t)
{
	const struct evidence *ev = t->ev;
	g_autofree char *doubt = rules_doubt(t), *flood = flood_doubt(t);
	bool taint_same = ev->taint_before != UINT64_MAX && ev->taint_after == ev->taint_before;

	if (!(ev->exposure > 0) || isinf(ev->exposure))
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "the probe passed without exposure: what it looks for could not happen");
	else if (ev->console_dropped && !taint_same)
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
		       "%zu bytes of the console were dropped, and a splat may be among them",
		       ev->console_dropped);
	else if (flood)
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "%s", flood);
	else if (doubt)
		decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "%s", doubt);
	else if (taint_is_new(ev, TAINT_WARN) && !first_in_run(t, is_warn) &&
		 !first_allowed(t, is_warn))
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

static bool is_fatal(enum console_class class)
{
	return console_class_is_fatal(class) || is_weak(class);
}

/* What a rule allows may still have ended the run: then nothing more was seen of it. */
static bool judge_allowed_end(struct trial *t)
{
	const struct console_event *event = first_allowed(t, is_fatal);

	if (!event)
		return false;
	decide(t, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
	       "the run ended with '%s', which a rule allows", event->title);
	return true;
}

/* Endings that no splat, hang or taint explained. */
static void judge_end(struct trial *t)
{
	const struct evidence *ev = t->ev;

	if ((ev->end == JOB_END_GUEST_EXIT || ev->end == JOB_END_SPLAT) && judge_allowed_end(t))
		return;
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
	v->splat = v->weak = false;
	v->infra = INFRA_ENGINE_UNPROVEN;
}

/* What the boot printed has its own share of the events that are kept. */
static struct console *scan(const struct evidence *ev, size_t run_offset)
{
	const char *text = ev->console ? ev->console : "";
	size_t len = ev->console ? ev->console_len : 0, boot = MIN(run_offset, len);
	struct console *c = console_new();

	console_feed(c, text, boot);
	console_new_share(c);
	console_feed(c, text + boot, len - boot);
	console_finish(c);
	return c;
}

void judge_job(const struct evidence *ev, const struct judge_params *params, struct verdict *ret)
{
	size_t from = run_offset(ev);
	g_autoptr(console) c = scan(ev, from);
	struct trial t = { .ev = ev,
			   .params = params,
			   .report = console_report(c),
			   .run_offset = from,
			   .v = ret };

	*ret = (struct verdict){ .exposure = ev->exposure, .exposure_slack = ev->exposure_slack };
	trial_apply_rules(&t);
	if (!judge_lab(&t) && !judge_boot(&t) && !judge_splat(&t) && !judge_hang(&t) &&
	    !judge_weak(&t) && !judge_taint(&t))
		judge_end(&t);
	ret->findings = trial_findings(&t);
	if (ret->value == VERDICT_AFFECTED)
		ret->hazard = g_strdup(signature_match(ev, params, ret, t.run_offset));
	if (ev->engine_trouble && ret->value != VERDICT_INFRA)
		distrust(ret, ev->engine_trouble);
	infra_settle(ev, ret);
}
