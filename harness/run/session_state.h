/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session from the inside: its state, and what session.c and session_records.c do to it. */
#ifndef KLAB_RUN_SESSION_STATE_H
#define KLAB_RUN_SESSION_STATE_H

#include "parse/console.h"
#include "parse/wire.h"
#include "run/canary.h"
#include "run/nmi_storm.h"
#include "run/session.h"
#include "run/watch.h"
#include "store/journal.h"

#define GRACE_US (60 * G_USEC_PER_SEC)		/* end of the duration to the end record */
#define GRACE_CPU_US (13 * G_USEC_PER_SEC)	/* and so much more a vCPU: they share few host CPUs */

enum state { STATE_BOOT, STATE_SYMBOLS, STATE_SETUP, STATE_RUN, STATE_SETTLE,
	     STATE_LEAVE, STATE_GONE, STATE_OVER };

struct session {
	const struct session_params *p;
	struct guest *guest;
	struct journal *journal;
	struct wire_parser wire;
	struct console *console;
	struct watch watch;
	enum state state;
	int64_t t0_us, deadline_us;	/* of the present state */
	int64_t splat_us;		/* a fatal splat was seen then; 0: none */
	struct nmi_storm storm;
	GRand *rand;
	uint64_t seq;
	GString *deflated;		/* the symbol stream so far */
	char *symbols;
	const struct canary *canary;	/* the host's half of its fault is to come; or NULL */
	int64_t canary_us;		/* when the next attempt is due */
	unsigned canary_tries;
	int64_t result_us;		/* the probe said how it went */
	int64_t lost_us;		/* standstills that the deadline has made up for */
	bool other_rung;		/* than that whose rate set the exposure target */
	bool enough;			/* its exposure suffices: the guest was told to stop */
	bool ended;
	bool gone;			/* the guest's exit was seen */
	enum job_end end;
	char *detail;
	GError *failure;		/* the first error of a step that has no way to return it */
};

int64_t session_now_us(struct session *s);
/* End it; the first end counts. */
void session_finish(struct session *s, enum job_end end, const char *detail);
/* An error of ours ends the session, unless the engine's own end explains it in a moment. */
void session_fail(struct session *s, enum job_end end, GError **error);
void session_enter(struct session *s, enum state state, int64_t limit_us);
/* Write an event into the journal; `fields` is consumed. */
void session_note(struct session *s, const char *ev, json_t *fields, bool sync);
/* Send a record to the guest; `args` is consumed, and may be NULL. */
void session_say(struct session *s, const char *type, json_t *args);

/* Let the guest go: it was told, and has a little time for its bye. */
void session_leave(struct session *s);
/* A record came from the guest; `user` is the session. */
void session_on_record(const struct wire_record *record, void *user);

#endif
