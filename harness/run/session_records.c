// SPDX-License-Identifier: GPL-2.0-or-later
/* What a session does with the records that its guest sends: from its hello to its bye. */
#include "run/session_state.h"

#include "parse/symbol_stream.h"
#include "stats/calibration.h"

#include <string.h>

#define SETUP_LIMIT_US (60 * G_USEC_PER_SEC)	/* start to begin */
#define BYE_LIMIT_US (15 * G_USEC_PER_SEC)	/* end to bye */
#define SYMBOLS_LIMIT_US (180 * G_USEC_PER_SEC)
#define GONE_LIMIT_US (2 * G_USEC_PER_SEC)	/* bye to the engine's exit and its last words */

static uint64_t status_phys_of(json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "status_phys"));

	return text ? g_ascii_strtoull(text, NULL, 16) : 0;
}

static void start_probe(struct session *s)
{
	const struct job *job = s->p->job;

	session_enter(s, STATE_SETUP, SETUP_LIMIT_US + job->smp * GRACE_CPU_US);
	session_say(s, "start", json_pack("{s:s, s:i, s:I, s:O*}", "probe", job->probe, "duration_ms",
				  (int)job->duration_ms, "seed",
				  (json_int_t)(job->seed & G_MAXINT64), "params", job->params));
}

static void on_hello(struct session *s, json_t *json)
{
	g_autoptr(GError) error = NULL;

	session_note(s, "hello", json_deep_copy(json), true);
	if (s->state != STATE_BOOT)
		return;
	if (json_integer_value(json_object_get(json, "wire")) != WIRE_VERSION) {
		session_finish(s, JOB_END_LAB, "the guest agent speaks another version of the wire");
		return;
	}
	if (!watch_found(&s->watch, status_phys_of(json), s->p->job->mem_mib, &error)) {
		session_fail(s, JOB_END_LAB, &error);
		return;
	}
	if (s->p->purpose == SESSION_SYMBOLS) {
		session_enter(s, STATE_SYMBOLS, SYMBOLS_LIMIT_US);
		session_say(s, "symbols", NULL);
	} else {
		start_probe(s);
	}
}

/* A recorded guest has had its fault: only a backend that can set registers is asked to. */
static void await_canary(struct session *s)
{
	const struct canary *c = canary_of_probe(s->p->job->probe);

	if (!c || !c->provoke || !s->guest->be->set_cpus)
		return;
	s->canary = c;
	s->canary_us = session_now_us(s) + CANARY_AFTER_US;
}

static void on_begin(struct session *s, json_t *json)
{
	const char *source = json_string_value(json_object_get(json, "nmi_source"));

	s->other_rung = !calibration_same_rung(
		s->p->job->exposure_rung, json_string_value(json_object_get(json, "rung")));
	session_note(s, "begin", json_deep_copy(json), true);
	if (s->state != STATE_SETUP)
		return;
	if (g_strcmp0(source, "host") == 0 && s->p->job->nmi_hz > 0)
		nmi_storm_start(&s->storm, s->p->job->nmi_hz, s->p->job->smp, session_now_us(s));
	await_canary(s);
	amplifier_arm(s->p->amplifier, s->guest, s->t0_us);
	session_enter(s, STATE_RUN, s->p->job->duration_ms * INT64_C(1000) + GRACE_US +
				    s->p->job->smp * GRACE_CPU_US);
}

void session_leave(struct session *s)
{
	session_enter(s, STATE_LEAVE, BYE_LIMIT_US);
	s->storm.on = false;
	session_say(s, "bye", NULL);
}

static void on_end(struct session *s, json_t *json)
{
	session_note(s, "result", json_deep_copy(json), true);
	if (s->state != STATE_SETUP && s->state != STATE_RUN)
		return;
	s->storm.on = false;
	amplifier_hold(s->p->amplifier, true);
	s->result_us = session_now_us(s);
	session_enter(s, STATE_SETTLE, GRACE_US + s->p->job->smp * GRACE_CPU_US);
}

static void on_symbols(struct session *s, const char *payload)
{
	if (s->state != STATE_SYMBOLS || !symbol_stream_add(s->deflated, payload))
		return;
	s->symbols = s->wire.torn || s->wire.lost ? NULL : symbol_stream_text(s->deflated);
	session_note(s, "symbols", json_pack("{s:I, s:b}", "bytes", (json_int_t)s->deflated->len, "whole",
				     s->symbols != NULL), true);
	session_leave(s);
}

static void on_json(struct session *s, const char *type, const char *payload)
{
	json_t *json = json_loads(payload, 0, NULL);

	if (!json_is_object(json))
		session_note(s, "bad-record", json_pack("{s:s}", "type", type), false);
	else if (strcmp(type, "hello") == 0)
		on_hello(s, json);
	else if (strcmp(type, "begin") == 0)
		on_begin(s, json);
	else if (strcmp(type, "end") == 0)
		on_end(s, json);
	else if (status_phys_of(json))
		s->watch.status_phys = status_phys_of(json);
	json_decref(json);
}

void session_on_record(const struct wire_record *record, void *user)
{
	static const char *const with_json[] = { "hello", "begin", "end", "moved", NULL };
	struct session *s = user;

	if (s->ended)
		return;
	if (g_strv_contains(with_json, record->type))
		on_json(s, record->type, record->payload);
	else if (strcmp(record->type, "symbols") == 0)
		on_symbols(s, record->payload);
	else if (strcmp(record->type, "bye") == 0 &&
		 (s->state == STATE_LEAVE || s->state == STATE_SETTLE))
		session_enter(s, STATE_GONE, GONE_LIMIT_US);
}
