// SPDX-License-Identifier: GPL-2.0-or-later
/* Read a journal as evidence. Everything in it may have come from a hostile guest. */
#include "run/evidence.h"

#include "parse/wire.h"
#include "run/host.h"

#include <string.h>

#define STARVED_SHARE 0.1

/* What is taken from the events on one walk over them. */
struct reading {
	struct evidence ev;
	json_t *hello, *begin, *result, *start, *hang, *dump;	/* borrowed */
	json_t *amplify, *unamplified, *profile, *amplified, *plan;	/* borrowed */
	json_t *host_start, *host_end;	/* borrowed */
	bool enough;
	double last_counter;
	size_t status_at, console_at;
	int64_t first_delay_us, last_delay_us;	/* of the run; -1: no reading yet */
	int64_t first_injected_us, last_injected_us;	/* the amplifier's part of these */
	struct hang_cpu *cpus;
	struct hang_task tasks[HANG_TASKS_MAX];
	GArray *marks;			/* of struct console_mark */
};

void outcome_free(struct outcome *o)
{
	if (!o)
		return;
	g_free(o->dir);
	verdict_clear(&o->verdict);
	g_free(o->rung);
	g_free(o->nmi_source);
	g_free(o->cpu_model);
	g_free(o->accel);
	g_free(o->amplify);
	g_free(o->engine_version);
	g_free(o->unamplified);
	g_free(o->sites);
	g_free(o->sites_missing);
	g_free(o->plan);
	json_decref(o->delays);
	json_decref(o->exposure);
	json_decref(o->limits);
	json_decref(o->host);
	g_free(o->dump);
	g_free(o->no_dump);
	g_free(o->digest);
	g_free(o);
}

static const char *get(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void read_delay(struct reading *r, const json_t *event)
{
	r->last_delay_us = json_integer_value(json_object_get(event, "delay_us"));
	r->last_injected_us = json_integer_value(json_object_get(event, "injected_us"));
	if (r->first_delay_us >= 0)
		return;
	r->first_delay_us = r->last_delay_us;
	r->first_injected_us = r->last_injected_us;
}

/* The exposure counter of one status reading; the largest step between two is what may be missing
 * behind the last one. */
static void read_status(struct reading *r, const json_t *event, const struct journal_view *view)
{
	json_int_t n = json_integer_value(json_object_get(event, "n"));
	struct wire_status page = { 0 };

	if (r->begin)
		read_delay(r, event);
	if (n <= 0 || (size_t)n > sizeof(page) || r->status_at + n > view->len[STREAM_STATUS])
		return;
	memcpy(&page, view->data[STREAM_STATUS] + r->status_at, n);
	r->status_at += n;
	if (!json_is_true(json_object_get(event, "valid")))
		return;
	if (r->begin && page.counters[0] > r->last_counter) {
		r->ev.exposure_slack = MAX(r->ev.exposure_slack,
					   page.counters[0] - r->last_counter);
		r->ev.exposure = r->last_counter = page.counters[0];
	}
}

static void read_console(struct reading *r, const json_t *event, int64_t at_us)
{
	const struct console_mark mark = { .offset = r->console_at, .at_us = at_us };

	g_array_append_val(r->marks, mark);
	r->console_at += MAX(json_integer_value(json_object_get(event, "n")), 0);
	r->ev.console_dropped = json_integer_value(json_object_get(event, "dropped"));
}

static void read_end(struct reading *r, const json_t *event, int64_t at_us)
{
	const char *name = get(event, "end");

	if (!name || !job_end_parse(name, &r->ev.end))
		r->ev.end = JOB_END_UNFINISHED;
	r->ev.end_detail = get(event, "detail");
	r->ev.wire_torn = json_integer_value(json_object_get(event, "wire_torn"));
	r->ev.wire_lost = json_integer_value(json_object_get(event, "wire_lost"));
	/* a failure is dated by its first sign, not by when the session stopped looking */
	at_us = json_integer_value(json_object_get(event, "splat_us")) ?: at_us;
	if (!r->ev.ended_us)
		r->ev.ended_us = at_us;
}

/* What run/amplifier.h tells; false: it is another event. */
static bool read_amplifier(struct reading *r, json_t *event, const char *name)
{
	const struct {
		const char *name;
		json_t **last;
	} events[] = { { "amplify", &r->amplify }, { "unamplified", &r->unamplified },
		       { "profile", &r->profile }, { "amplified", &r->amplified },
		       { "plan", &r->plan } };

	for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
		if (strcmp(name, events[i].name) != 0)
			continue;
		*events[i].last = event;
		return true;
	}
	return false;
}

static void read_event(struct reading *r, json_t *event, const struct journal_view *view)
{
	const char *name = get(event, "ev") ?: "";
	int64_t at_us = json_integer_value(json_object_get(event, "t"));

	if (read_amplifier(r, event, name))
		return;
	if (strcmp(name, "chunk") == 0) {
		if (g_strcmp0(get(event, "stream"), "status") == 0)
			read_status(r, event, view);
		else if (g_strcmp0(get(event, "stream"), "console") == 0)
			read_console(r, event, at_us);
	} else if (strcmp(name, "start") == 0) {
		r->start = event;
	} else if (strcmp(name, "enough") == 0) {
		r->enough = true;
	} else if (strcmp(name, "host") == 0) {
		*(g_strcmp0(get(event, "when"), "end") == 0 ? &r->host_end : &r->host_start) = event;
	} else if (strcmp(name, "hello") == 0 && !r->hello) {
		r->hello = event;
		r->ev.started_us = at_us;	/* the start command is the answer to it */
	} else if (strcmp(name, "begin") == 0 && !r->begin) {
		r->begin = event;
		r->ev.began_us = at_us;
	} else if (strcmp(name, "result") == 0 && !r->result) {
		r->result = event;
		r->ev.ended_us = at_us;
	} else if (strcmp(name, "hang") == 0) {
		r->hang = event;
		/* the silence began before it was found out */
		r->ev.silent_us = json_integer_value(json_object_get(event, "since_us"));
		r->ev.ended_us = r->ev.silent_us;
	} else if (strcmp(name, "dump") == 0) {
		r->dump = event;
	} else if (strcmp(name, "end") == 0) {
		read_end(r, event, at_us);
	}
}

static void read_result(struct reading *r)
{
	static const struct {
		const char *word;
		enum probe_result result;
	} words[] = { { "pass", PROBE_PASS }, { "fail", PROBE_FAIL }, { "skip", PROBE_SKIP },
		      { "error", PROBE_ERROR } };
	const char *word = get(r->result, "result"), *key;
	json_t *counter, *taint = json_object_get(r->result, "taint");
	json_t *counters = json_object_get(r->begin, "counters");

	for (size_t i = 0; word && i < G_N_ELEMENTS(words); i++)
		if (strcmp(word, words[i].word) == 0)
			r->ev.result = words[i].result;
	r->ev.reason = get(r->result, "reason");
	if (json_is_integer(taint))
		r->ev.taint_after = json_integer_value(taint);
	key = json_string_value(json_array_get(counters, 0));
	counter = key ? json_object_get(json_object_get(r->result, "exposure"), key) : NULL;
	if (counter) {
		r->ev.exposure = json_number_value(counter);
		r->ev.exposure_slack = 0;
	}
}

static uint64_t pair(const json_t *json, const char *key, size_t i)
{
	return json_integer_value(json_array_get(json_object_get(json, key), i));
}

static void read_locks(const json_t *locks, struct hang_cpu *cpu)
{
	for (size_t i = 0; i < MIN(json_array_size(locks), G_N_ELEMENTS(cpu->lock)); i++) {
		const json_t *lock = json_array_get(locks, i);

		cpu->lock[i].addr = json_integer_value(json_object_get(lock, "addr"));
		cpu->lock[i].word = json_integer_value(json_object_get(lock, "word"));
		cpu->lock[i].name = get(lock, "name");
		cpu->lock[i].guessed = json_is_true(json_object_get(lock, "guessed"));
	}
}

static void read_frames(const json_t *json, const char **stack, size_t stack_max,
			const char **frame)
{
	const json_t *names = json_object_get(json, "stack"), *frames = json_object_get(json, "frames");

	for (size_t i = 0; i < MIN(json_array_size(names), stack_max - 1); i++)
		stack[i] = json_string_value(json_array_get(names, i)) ?: "?";
	for (size_t i = 0; i < MIN(json_array_size(frames), HANG_FRAMES_MAX - 1); i++)
		frame[i] = json_string_value(json_array_get(frames, i)) ?: "?";
}

static void read_hang_cpu(const json_t *json, struct hang_cpu *cpu)
{
	json_t *halted = json_object_get(json, "halted");

	for (size_t i = 0; i < 2; i++) {
		cpu->rip[i] = pair(json, "rip", i);
		cpu->rflags[i] = pair(json, "rflags", i);
		cpu->halted[i] = json_is_true(json_array_get(halted, i));
	}
	cpu->pauses = json_is_true(json_object_get(json, "pauses"));
	cpu->beats = json_is_true(json_object_get(json, "beats"));
	read_frames(json, cpu->stack, G_N_ELEMENTS(cpu->stack), cpu->frame);
	read_locks(json_object_get(json, "locks"), cpu);
}

static void read_tasks(struct reading *r)
{
	const json_t *tasks = json_object_get(r->hang, "tasks");

	r->ev.n_tasks = MIN(json_array_size(tasks), HANG_TASKS_MAX);
	r->ev.blocked = json_integer_value(json_object_get(r->hang, "blocked"));
	r->ev.no_tasks = get(r->hang, "no_tasks");
	for (unsigned i = 0; i < r->ev.n_tasks; i++) {
		const json_t *task = json_array_get(tasks, i);
		struct hang_task *t = &r->tasks[i];

		t->comm = get(task, "comm") ?: "?";
		t->pid = json_integer_value(json_object_get(task, "pid"));
		read_frames(task, t->stack, G_N_ELEMENTS(t->stack), t->frame);
	}
	r->ev.tasks = r->tasks;
}

static void read_hang(struct reading *r)
{
	json_t *cpus = json_object_get(r->hang, "cpus");

	r->ev.hang_rule = CLAMP(json_integer_value(json_object_get(r->hang, "rule")), 0, G_MAXINT);
	r->ev.ncpus = MIN(json_array_size(cpus), WIRE_CPUS_MAX);
	if (!r->ev.ncpus)
		return;
	r->cpus = g_new0(struct hang_cpu, r->ev.ncpus);
	for (unsigned i = 0; i < r->ev.ncpus; i++)
		read_hang_cpu(json_array_get(cpus, i), &r->cpus[i]);
	r->ev.hang = r->cpus;
	read_tasks(r);
}

/* Starved is who waited for a host CPU for more than STARVED_SHARE of the probe's run. Delays that we
 * made ourselves are no fault of the host's. */
static void read_starvation(struct reading *r)
{
	int64_t run_us = r->ev.ended_us - r->ev.began_us;
	double injected_us = MAX((double)r->last_injected_us - r->first_injected_us, 0);
	double waited_us = (double)r->last_delay_us - r->first_delay_us - injected_us;

	if (r->first_delay_us < 0 || run_us <= 0)
		return;
	r->ev.starvation = waited_us > STARVED_SHARE * run_us ? STARVATION_SEEN : STARVATION_NONE;
}

static double read_taken(const struct reading *r)
{
	json_t *summary = host_summary(r->host_start, r->host_end);
	double taken = host_taken(summary);

	json_decref(summary);
	return taken;
}

static void read_all(struct reading *r, const struct journal_view *view)
{
	json_t *event;
	size_t i;

	r->first_delay_us = -1;
	r->marks = g_array_new(FALSE, FALSE, sizeof(struct console_mark));

	r->ev.kernel_id = get(json_object_get(view->spec, "kernel"), "id");
	r->ev.release = get(json_object_get(view->spec, "kernel"), "release");
	r->ev.console = view->data[STREAM_CONSOLE];
	r->ev.console_len = view->len[STREAM_CONSOLE];
	r->ev.engine_trouble = get(view->spec, "engine_trouble");
	r->ev.taint_before = r->ev.taint_after = UINT64_MAX;
	json_array_foreach(view->events, i, event)
		read_event(r, event, view);
	if (json_is_integer(json_object_get(r->hello, "taint")))
		r->ev.taint_before = json_integer_value(json_object_get(r->hello, "taint"));
	r->ev.day = get(r->start, "day");
	r->ev.host_taken = read_taken(r);
	r->ev.emulated = g_strcmp0(get(view->spec, "accel"), "tcg") == 0;
	r->ev.marks = (const struct console_mark *)r->marks->data;
	r->ev.n_marks = r->marks->len;
	read_result(r);
	read_hang(r);
	read_starvation(r);
}

/* Members that are numbers or text, without the event's own two. */
static void add_totals(json_t *totals, const json_t *event)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)event, key, value)
		if (strcmp(key, "t") != 0 && strcmp(key, "ev") != 0 &&
		    (json_is_integer(value) || json_is_string(value)))
			json_object_set(totals, key, value);
}

static json_t *delay_totals(const struct reading *r)
{
	json_t *totals;

	if (!r->amplified)
		return NULL;
	totals = json_object();
	add_totals(totals, r->amplified);
	for (size_t i = 0; r->profile && i < 2; i++) {
		static const char *const keys[] = { "candidates", "learned" };
		json_t *value = json_object_get(r->profile, keys[i]);

		if (json_is_integer(value))
			json_object_set(totals, keys[i], value);
	}
	return totals;
}

static void describe_delays(struct outcome *o, const struct journal_view *view,
			    const struct reading *r)
{
	/* a klab before these events told it by its plugin's arguments */
	const char *old = get(r->start, "plugin") ? get(view->spec, "amplify") : NULL;
	const char *level = r->amplify ? get(r->amplify, "level") : old;

	o->delayed = (level && !r->unamplified) || r->last_injected_us > 0;
	o->amplify = g_strdup(level && !r->unamplified ? level : "off");
	if (r->unamplified)
		o->unamplified = g_strdup(get(r->unamplified, "why") ?: "no reason given");
	if (o->delayed)
		o->sites = g_strdup(get(r->amplify, "names") ?: get(r->start, "sites"));
	o->sites_missing = g_strdup(get(r->amplify, "missing"));
	o->plan = g_strdup(get(r->plan, "file"));
	o->delays = delay_totals(r);
}

static struct outcome *describe(const char *dir, const struct journal_view *view,
				const struct reading *r)
{
	struct outcome *o = g_new0(struct outcome, 1);
	json_t *exposure = json_object_get(r->result, "exposure");
	const char *name = json_string_value(
		json_array_get(json_object_get(view->spec, "counters"), 0));

	o->dir = g_strdup(dir);
	o->began_us = r->ev.began_us;
	o->ended_us = r->ev.ended_us;
	o->rung = g_strdup(get(r->begin, "rung"));
	o->nmi_source = g_strdup(get(r->begin, "nmi_source"));
	o->cpu_model = g_strdup(get(view->spec, "cpu_model"));
	o->accel = g_strdup(get(view->spec, "accel"));
	o->engine_version = g_strdup(get(json_object_get(view->spec, "engine"), "version"));
	describe_delays(o, view, r);
	o->limits = json_deep_copy(json_object_get(r->begin, "limits")) ?: json_array();
	o->dump = g_strdup(get(r->dump, "file"));
	o->no_dump = g_strdup(get(r->dump, "why_not"));
	o->digest = g_strdup(view->digest);
	o->host = host_summary(r->host_start, r->host_end);
	o->enough = r->enough;
	o->alone = json_is_true(json_object_get(r->host_start, "alone"));
	o->seed = g_ascii_strtoull(get(view->spec, "seed") ?: "0", NULL, 10);
	o->end = r->ev.end;
	o->exposure = json_is_object(exposure) ? json_deep_copy(exposure) : json_object();
	if (name && !json_object_get(o->exposure, name))
		json_object_set_new(o->exposure, name, json_integer(r->ev.exposure));
	return o;
}

bool outcome_load(const char *dir, const struct judge_params *params, struct outcome **ret,
		  GError **error)
{
	g_autoptr(journal_view) view = NULL;
	g_autoptr(console_rules) rules = NULL;
	struct reading r = { .ev = { .end = JOB_END_UNFINISHED } };
	struct outcome *o;

	if (!journal_load(dir, &view, error))
		return false;
	if (!console_rules_from_json(json_object_get(view->spec, "console_rules"), &rules, error))
		return lab_prefix(error, "'%s/spec.json'", dir);
	r.ev.rules = rules;
	read_all(&r, view);
	if (view->torn)
		r.ev.end = JOB_END_UNFINISHED;
	o = describe(dir, view, &r);
	judge_job(&r.ev, params, &o->verdict);
	g_array_free(r.marks, TRUE);
	g_free(r.cpus);
	*ret = o;
	return true;
}
