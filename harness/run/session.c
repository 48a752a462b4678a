// SPDX-License-Identifier: GPL-2.0-or-later
/* Drive one guest and write down what is seen. See session.h. */
#include "run/session_state.h"

#include "guest/owner.h"
#include "run/dump.h"
#include "run/host.h"
#include "run/turn.h"

#include <string.h>

#define STILL_LIMIT_US (10 * G_USEC_PER_SEC)	/* of a guest that is kept from running */
#define LINGER_US (3 * G_USEC_PER_SEC)		/* after a fatal splat: let it finish its report */
#define CANARY_RETRY_US 3000

static const struct {
	const char *what;
	enum job_end end;	/* when the state's limit passes */
} states[] = {
	[STATE_BOOT] = { "boot to its hello", JOB_END_NO_HELLO },
	[STATE_SYMBOLS] = { "send its symbols", JOB_END_TIMEOUT },
	[STATE_SETUP] = { "set the probe up", JOB_END_TIMEOUT },
	[STATE_RUN] = { "end the probe", JOB_END_TIMEOUT },
	[STATE_SETTLE] = { "beat on all its CPUs after the probe", JOB_END_TIMEOUT },
	[STATE_LEAVE] = { "say bye", JOB_END_TIMEOUT },
	[STATE_GONE] = { "power off", JOB_END_DONE },	/* it said bye: that is enough */
};

int64_t session_now_us(struct session *s)
{
	return s->guest ? guest_now_us(s->guest) : s->t0_us;
}

void session_finish(struct session *s, enum job_end end, const char *detail)
{
	if (s->ended)
		return;
	s->ended = true;
	s->state = STATE_OVER;
	s->end = end;
	s->detail = g_strdup(detail);
}

void session_fail(struct session *s, enum job_end end, GError **error)
{
	session_finish(s, end, (*error)->message);
	g_clear_error(error);
}

void session_enter(struct session *s, enum state state, int64_t limit_us)
{
	s->state = state;
	s->deadline_us = session_now_us(s) + limit_us;
}

void session_note(struct session *s, const char *ev, json_t *fields, bool sync)
{
	if (!journal_event(s->journal, session_now_us(s) - s->t0_us, ev, fields, sync,
			   s->failure ? NULL : &s->failure))
		session_finish(s, JOB_END_LAB, "the journal cannot be written");
}

void session_say(struct session *s, const char *type, json_t *args)
{
	g_autoptr(GError) error = NULL;
	char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
	char line[WIRE_LINE_MAX];
	size_t len = wire_format(line, sizeof(line), ++s->seq, type, text ? text : "");

	free(text);
	json_decref(args);
	if (!guest_send(s->guest, line, len, &error))
		session_fail(s, JOB_END_LAB, &error);
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_bytes(struct session *s, enum journal_stream stream, const struct guest_event *ev)
{
	g_autoptr(GError) error = NULL;

	if (!journal_stream(s->journal, ev->at_us - s->t0_us, stream, ev->data, ev->len, NULL,
			    &error)) {
		session_fail(s, JOB_END_LAB, &error);
		return;
	}
	if (stream == STREAM_WIRE) {
		wire_parser_feed(&s->wire, ev->data, ev->len);
		return;
	}
	/* each NMI of ours makes the kernel talk: that says nothing about it */
	if (!s->storm.on)
		watch_heard(&s->watch, ev->len);
	console_feed(s->console, ev->data, ev->len);
	if (!s->splat_us && console_fatal(s->console))
		s->splat_us = ev->at_us;
}

static void on_exit_event(struct session *s, const struct guest_event *ev)
{
	g_autofree char *message = g_strchomp(g_strdup(ev->message));
	g_autofree char *detail = NULL;

	s->gone = true;
	session_note(s, "exit", json_pack("{s:i, s:i, s:s}", "how", (int)ev->how, "status", ev->status,
				  "message", message), false);
	if (s->splat_us) {
		session_finish(s, JOB_END_SPLAT, NULL);
	} else if (ev->how == GUEST_EXIT_POWEROFF) {
		if (s->state == STATE_GONE)
			session_finish(s, JOB_END_DONE, NULL);
		else
			session_finish(s, JOB_END_GUEST_EXIT, "the guest reset or powered off");
	} else {
		detail = ev->how == GUEST_EXIT_KILLED ?
				 g_strdup_printf("QEMU was killed by signal %d%s%s", ev->status,
						 *message ? ": " : "", message) :
				 g_strdup_printf("QEMU ended with code %d%s%s", ev->status,
						 *message ? ": " : "", message);
		session_finish(s, JOB_END_ENGINE, detail);
	}
}

static void take_event(struct session *s, const struct guest_event *ev)
{
	if (ev->kind == GUEST_CONSOLE)
		on_bytes(s, STREAM_CONSOLE, ev);
	else if (ev->kind == GUEST_WIRE)
		on_bytes(s, STREAM_WIRE, ev);
	else if (ev->kind == GUEST_EXIT)
		on_exit_event(s, ev);
}

/* The step failed because the engine is going, or the way to it: let its exit event say so. */
static void explain_failure(struct session *s, GError **error)
{
	g_autoptr(GError) lost = NULL;
	struct guest_event ev;

	for (int i = 0; i < 50 && !s->ended; i++) {
		if (guest_next(s->guest, 20, &ev, &lost))
			take_event(s, &ev);
		else
			session_fail(s, JOB_END_LAB, &lost);
	}
	if (!s->ended)
		session_fail(s, JOB_END_ENGINE, error);
	g_clear_error(error);
}

/* A CPU on its way offline or back beats no more: whether the storm keeps it does not show. */
static bool any_parked(const struct wire_status *page)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(page->parked); i++)
		if (page->parked[i])
			return true;
	return false;
}

/* The storm must not be what silences the guest, least of all a starved one. */
static void inject(struct session *s)
{
	bool hold = s->watch.live.longest_us > NMI_HOLD_US || s->watch.state != LIVE_OK ||
		    any_parked(&s->watch.page);
	g_autoptr(GError) error = NULL;

	if (s->splat_us || s->watch.scene.n_samples || !nmi_storm_due(&s->storm, session_now_us(s), hold))
		return;
	if (guest_nmi(s->guest, &error))
		nmi_storm_next(&s->storm, session_now_us(s), s->rand);
	else
		explain_failure(s, &error);
}

/*
 * The target is of a rate that amplified runs by one rung gave: a run that could not be amplified as
 * planned, or goes by another rung, has its whole duration. What counts is the probe's own last word;
 * this reading is at most behind it.
 */
static void check_exposure(struct session *s)
{
	const struct job *job = s->p->job;
	double had = s->watch.page.counters[0];
	bool as_planned = amplifier_as_asked(s->p->amplifier) && !s->other_rung;

	if (s->ended || s->enough || s->state != STATE_RUN || s->splat_us || !as_planned ||
	    !(job->exposure_target > 0) || had < job->exposure_target)
		return;
	s->enough = true;
	session_note(s, "enough", json_pack("{s:f, s:f}", "exposure", had, "target",
				    job->exposure_target), true);
	session_say(s, "stop", NULL);
	session_enter(s, STATE_RUN, GRACE_US + job->smp * GRACE_CPU_US);
}

static void provoke(struct session *s)
{
	g_autoptr(GError) error = NULL;
	json_t *what = NULL;

	if (s->ended || !s->canary || s->splat_us || session_now_us(s) < s->canary_us)
		return;
	switch (canary_provoke(s->canary, s->guest, &what, &error)) {
	case CANARY_DONE:
		session_note(s, "provoked", what, true);
		s->canary = NULL;
		return;
	case CANARY_AGAIN:
		s->canary_us = session_now_us(s) + CANARY_RETRY_US;
		if (++s->canary_tries > CANARY_TRIES_MAX)
			session_finish(s, JOB_END_LAB, "no moment suited the fault that was to be provoked");
		return;
	case CANARY_FAILED:
		explain_failure(s, &error);
	}
}

/* A guest that is kept from running can neither fail nor end in time. */
static void check_still(struct session *s)
{
	g_autofree char *detail = NULL;

	s->deadline_us += s->watch.lost_us - s->lost_us;
	s->lost_us = s->watch.lost_us;
	if (s->ended || watch_still_us(&s->watch) <= STILL_LIMIT_US)
		return;
	detail = g_strdup_printf("%s for more than %d s", s->watch.paused ?
				 "the engine had stopped all vCPUs" :
				 "no vCPU had any time of a host CPU",
				 (int)(STILL_LIMIT_US / G_USEC_PER_SEC));
	session_finish(s, JOB_END_PAUSED, detail);
}

static void check_limits(struct session *s)
{
	g_autofree char *detail = NULL;
	int64_t now = session_now_us(s) - watch_still_us(&s->watch);

	if (s->ended)
		return;
	if (s->p->interrupted && *s->p->interrupted)
		session_finish(s, JOB_END_INTERRUPTED, "interrupted");
	else if (s->splat_us && now - s->splat_us > LINGER_US)
		session_finish(s, JOB_END_SPLAT, NULL);
	else if (now > s->deadline_us) {
		detail = g_strdup_printf("the guest did not %s within its limit",
					 states[s->state].what);
		session_finish(s, states[s->state].end, detail);
	}
}

/* The guest's last words, and what its vCPUs are at when they are silent, are its own. */
static void amplify(struct session *s)
{
	g_autoptr(GError) error = NULL;

	if (s->ended)
		return;
	if (s->state == STATE_RUN)
		amplifier_hold(s->p->amplifier, s->splat_us || s->watch.state == LIVE_SUSPECT ||
							s->watch.state == LIVE_SILENT);
	if (!amplifier_poll(s->p->amplifier, &error))
		session_fail(s, JOB_END_LAB, &error);
	s->watch.injected_us = amplifier_injected_us(s->p->amplifier);
}

static void look(struct session *s)
{
	g_autoptr(GError) error = NULL;
	bool hang = false;

	/* a splat is being printed: the vCPUs that wait for it are no hang of their own */
	if (s->ended || s->splat_us || s->state == STATE_GONE)
		return;
	if (!watch_poll(&s->watch, &hang, &error))
		explain_failure(s, &error);
	else if (hang)
		session_finish(s, JOB_END_HANG, NULL);
}

/*
 * A probe may pass while a CPU that it does not need hangs: nobody is let go before all have shown
 * that they live. (A recorded guest says bye whenever the recorded session let it go.)
 */
static void settle(struct session *s)
{
	if (!s->ended && s->state == STATE_SETTLE && watch_beaten_since(&s->watch, s->result_us))
		session_leave(s);
}

static int wait_ms(struct session *s)
{
	int64_t due_us = s->watch.status_phys ? s->watch.next_poll_us - session_now_us(s) : WATCH_POLL_US;

	if (s->storm.on)
		due_us = MIN(due_us, s->storm.next_us - session_now_us(s));
	if (s->canary)
		due_us = MIN(due_us, s->canary_us - session_now_us(s));
	return CLAMP(due_us / 1000, 0, WATCH_POLL_US / 1000);
}

static void drive(struct session *s)
{
	while (!s->ended) {
		g_autoptr(GError) error = NULL;
		struct guest_event ev;

		if (!guest_next(s->guest, wait_ms(s), &ev, &error)) {
			session_fail(s, JOB_END_LAB, &error);
			break;
		}
		take_event(s, &ev);
		if (!s->ended)
			inject(s);
		provoke(s);
		amplify(s);
		look(s);
		settle(s);
		check_still(s);
		check_exposure(s);
		check_limits(s);
	}
}

/* --- start and end ---------------------------------------------------------------------------- */

static void make_nonce(struct session *s, char *ret_hex)
{
	for (int i = 0; i < WIRE_NONCE_LEN; i++) {
		s->watch.nonce[i] = g_rand_int(s->rand);
		g_snprintf(ret_hex + 2 * i, 3, "%02x", s->watch.nonce[i]);
	}
}

/*
 * oops=panic, panic=-1 and -no-reboot: the first oops is told in full and then the guest ends.
 * nokaslr: symbols of the cache hold. apic_extnmi=all: injected NMIs reach every CPU (4.5+).
 * no_timer_check: a starved host makes the IO-APIC timer check panic.
 */
static char *command_line(const char *nonce)
{
	return g_strdup_printf("console=ttyS0,115200 loglevel=5 nokaslr no_timer_check "
			       "apic_extnmi=all oops=panic panic=-1 printk.time=1 "
			       "random.trust_cpu=on klab.nonce=%s", nonce);
}

static void note_host(struct session *s, const char *when)
{
	bool elsewhere = s->p->job->host && s->p->job->host->remote;
	struct host_load load;
	struct guest_sched sched;
	json_t *fields;

	if (s->p->replay_of || (elsewhere && s->guest))
		return;	/* this host is not the one that the guest has */
	host_load_take(&load);
	fields = elsewhere ? json_object() : host_load_json(&load);
	json_object_set_new(fields, "when", json_string(when));
	if (s->guest)
		/* of a guest that is gone the last reading is what is left */
		json_object_set_new(fields, "run_us", json_integer(
			guest_read_sched(s->guest, &sched, NULL) ?
				MAX(sched.run_us, s->watch.run_us) : s->watch.run_us));
	if (!s->guest && s->p->turn) {
		json_object_set_new(fields, "alone", json_boolean(s->p->turn->alone));
		json_object_set_new(fields, "waited_ms", json_integer(s->p->turn->waited_ms));
		json_object_set_new(fields, "crowded", json_boolean(s->p->turn->crowded));
	}
	session_note(s, "host", fields, false);
}

/* An engine that does not take the plugin may do without. */
static bool start_engine(struct session *s, const char *append, GError **error)
{
	const struct job *job = s->p->job;
	struct guest_spec spec = {
		.engine = job->engine, .kernel = job->kernel->image, .initrd = s->p->initrd,
		.append = append, .smp = job->smp, .mem_mib = job->mem_mib, .accel = job->accel,
		.cpu_model = job->cpu_model, .journal = s->p->replay_of,
	}, plain;
	g_autofree char *cell = g_strdup_printf("%s.%u", job->cell, job->attempt);
	g_autofree char *name = owner_domain_name(cell);
	g_autoptr(GError) why = NULL;

	if (job->host)
		job_host_place(job->host, job->engine, name, &spec);
	plain = spec;
	amplifier_spec(s->p->amplifier, &spec);
	if (guest_start(s->p->backend, &spec, &s->guest, &why))
		return true;
	if (amplifier_give_up(s->p->amplifier, why->message))
		return guest_start(s->p->backend, &plain, &s->guest, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static bool start_guest(struct session *s, GError **error)
{
	const struct job *job = s->p->job;
	char nonce[2 * WIRE_NONCE_LEN + 1];
	g_autofree char *append = NULL;

	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *day = g_date_time_format(now, "%Y-%m-%d");

	note_host(s, "start");
	make_nonce(s, nonce);
	append = command_line(nonce);
	session_note(s, "start", json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s*}", "day", day, "backend",
				   s->p->backend->name, "accel", job->accel, "cpu_model",
				   job->cpu_model, "append", append, "nonce", nonce, "symbols",
				   s->p->symbols_from, "connect", job->host ? job->host->uri : NULL), true);
	if (!amplifier_open(s->p->amplifier, s->journal, error))
		return false;
	return start_engine(s, append, error);
}

static void begin(struct session *s)
{
	g_autoptr(GError) error = NULL;
	uint8_t nonce[WIRE_NONCE_LEN];

	if (!start_guest(s, &error)) {
		session_finish(s, JOB_END_ENGINE, error->message);
		return;
	}
	memcpy(nonce, s->watch.nonce, sizeof(nonce));
	s->t0_us = guest_now_us(s->guest);
	watch_init(&s->watch, s->guest, s->journal, s->p->symbols, s->t0_us);
	memcpy(s->watch.nonce, nonce, sizeof(nonce));
	s->watch.scene.image = s->p->job->kernel->image;
	s->watch.scene.release = s->p->job->kernel->release;
	if (guest_cage(s->guest))
		session_note(s, "cage", json_pack("{s:s}", "is", guest_cage(s->guest)), false);
	session_enter(s, STATE_BOOT, s->p->job->boot_limit_ms * INT64_C(1000));
}

/* A guest that failed and still stands there. That there is no dump does not change what is judged. */
static void dump(struct session *s)
{
	bool failed = s->end == JOB_END_HANG || s->end == JOB_END_SPLAT ||
		      s->end == JOB_END_TIMEOUT;
	struct dump_result result;
	g_autoptr(GError) why = NULL;

	if (!s->p->job->dump || !s->guest || !failed)
		return;
	if (s->gone)
		lab_fail(&why, LAB_ERROR_INFRA, "the guest had ended by itself");
	else if (dump_write(s->guest, scene_facts(&s->watch.scene), s->p->dir,
			    s->p->job->mem_mib, &result, &why))
		session_note(s, "dump", json_pack("{s:s, s:I, s:b}", "file", DUMP_FILE, "bytes",
					  (json_int_t)result.bytes, "vmcoreinfo",
					  result.vmcoreinfo), true);
	if (why)
		session_note(s, "dump", json_pack("{s:s}", "why_not", why->message), false);
}

static bool write_end(struct session *s, GError **error)
{
	int64_t at_us = session_now_us(s) - s->t0_us;

	note_host(s, "end");
	if (!s->failure)
		amplifier_close(s->p->amplifier, s->p->dir, &s->failure);
	if (s->failure) {
		g_propagate_error(error, g_steal_pointer(&s->failure));
		return false;
	}
	return journal_event(s->journal, at_us, "end",
			     json_pack("{s:s, s:s?, s:i, s:i, s:I}", "end", job_end_name(s->end),
				       "detail", s->detail, "wire_torn", (int)s->wire.torn,
				       "wire_lost", (int)s->wire.lost, "splat_us",
				       (json_int_t)(s->splat_us ? s->splat_us - s->t0_us : 0)),
			     true, error);
}

static void session_clear(struct session *s)
{
	scene_clear(&s->watch.scene);
	guest_free(s->guest);
	journal_free(s->journal);
	console_free(s->console);
	g_rand_free(s->rand);
	g_string_free(s->deflated, TRUE);
	g_free(s->symbols);
	g_free(s->detail);
	g_clear_error(&s->failure);
	g_free(s);
}

bool session_run(const struct session_params *params, enum job_end *ret_end, char **ret_symbols,
		 GError **error)
{
	struct session *s = g_new0(struct session, 1);
	bool ok;

	s->p = params;
	s->rand = g_rand_new_with_seed(params->job->seed ^ params->job->seed >> 32);
	s->deflated = g_string_new(NULL);
	s->console = console_new();
	wire_parser_init(&s->wire, session_on_record, s);
	ok = journal_create(params->dir, &s->journal, error);
	if (ok) {
		begin(s);
		drive(s);
		dump(s);
		ok = write_end(s, error);
	}
	if (ok && ret_end)
		*ret_end = s->end;
	if (ok && ret_symbols)
		*ret_symbols = g_steal_pointer(&s->symbols);
	session_clear(s);
	return ok;
}
