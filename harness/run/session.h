/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest from start to end: boot, hello, the probe (or the symbol list), bye; everything seen goes
 * into the journal as it comes. The session decides when to stop looking, never what it means.
 */
#ifndef KLAB_RUN_SESSION_H
#define KLAB_RUN_SESSION_H

#include "guest/guest.h"
#include "judge/judge.h"
#include "parse/symbols.h"
#include "run/amplifier.h"
#include "run/job.h"

#include <signal.h>

enum session_purpose { SESSION_PROBE, SESSION_SYMBOLS };

struct session_params {
	enum session_purpose purpose;
	const struct job *job;
	const struct guest_backend *backend;
	const char *dir;		/* the job's folder; spec.json is there */
	const char *initrd;
	struct amplifier *amplifier;	/* or NULL: nothing is amplified */
	const struct symbols *symbols;	/* or NULL: addresses stay numbers */
	const char *symbols_from;	/* for the journal: "image", "guest", "none"; or NULL */
	const volatile sig_atomic_t *interrupted;	/* set by a signal: stop; may be NULL */
	const char *replay_of;		/* replay backend: the job folder to play */
	const struct turn *turn;	/* how the host is shared, for the journal, or NULL */
};

/*
 * Run it. True when the journal got its end record, whatever that says; false only when the journal
 * itself cannot be written. *ret_end (may be NULL): how it ended; *ret_symbols (may be NULL): the
 * text that the guest sent, or NULL if it did not finish sending; the caller frees it.
 */
bool session_run(const struct session_params *params, enum job_end *ret_end, char **ret_symbols,
		 GError **error);

#endif
