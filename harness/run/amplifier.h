/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One job's amplifier: the control page (amplify/page.h) made, handed to the engine, armed while the
 * probe runs, tuned and read; or, without a plugin, the host's own jitter (run/jitter_host.h). What
 * it did goes into the journal:
 *
 *	amplify		{"level","sites","names","missing","dropped"}: what was set up
 *	unamplified	{"why"}: it does nothing from here on, and the run goes on without
 *	profile		{"candidates","learned","granules","accesses","ms"}
 *	plan		{"file","sites"}: plan.txt has what was delayed at the end (amplify/plan.h)
 *	amplified	{"delays","slept_ms","conflicts","lost"} or {"stops","squeezes","idles"}
 *
 * and each delay into the stream delays.log: "US VCPU SITE MEANT_US", where a line "# SITE SYMBOL"
 * goes before the first use of a number.
 */
#ifndef KLAB_RUN_AMPLIFIER_H
#define KLAB_RUN_AMPLIFIER_H

#include "guest/guest.h"
#include "parse/symbols.h"
#include "run/job.h"
#include "store/journal.h"

#define AMPLIFIER_PLAN "plan.txt"
#define AMPLIFIER_PROFILE "profile"	/* told as the level where auto has its profile alone */

struct amplifier;
void amplifier_free(struct amplifier *a);
typedef struct amplifier amplifier;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(amplifier, amplifier_free)

/* For a job and its kernel's symbols (borrowed; NULL: none). An error is the lab's. */
bool amplifier_new(const struct job *job, const struct symbols *symbols, struct amplifier **ret,
		   GError **error);
/* Does it do what the job asked for? True of "off", too. */
bool amplifier_as_asked(const struct amplifier *a);

/* --- by the session, in this order; NULL is an amplifier that is off ------------------------ */

/* Tell the journal, whose times count from t0_us of the guest's clock, what is set up. */
bool amplifier_open(struct amplifier *a, struct journal *journal, GError **error);
/* Fill in what the engine needs; leaves *spec as it is without a plugin. */
void amplifier_spec(const struct amplifier *a, struct guest_spec *spec);
/* The engine did not start with the plugin: go on without. False: there is none to give up. */
bool amplifier_give_up(struct amplifier *a, const char *why);
/* The probe runs from now on. */
void amplifier_arm(struct amplifier *a, struct guest *guest, int64_t t0_us);
/* Make no delays for a while: the guest is looked at closely, or prints its last words. */
void amplifier_hold(struct amplifier *a, bool hold);
/* Between two events: read, record, tune. Cheap when nothing is due. */
bool amplifier_poll(struct amplifier *a, GError **error);
/* Wall time for which the most delayed vCPU was kept from running, at most, since the start. */
int64_t amplifier_injected_us(const struct amplifier *a);
/* The probe is over, or the guest: no more delays; the plan goes into `dir`. */
bool amplifier_close(struct amplifier *a, const char *dir, GError **error);

#endif
