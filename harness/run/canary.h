/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Canaries: faults that are provoked for real in a real guest, each with the verdict that it must
 * get. A lab that does not find these finds nothing; one that finds something in the quiet one, or
 * blames a kernel for a host's pause, is not to be believed either.
 *
 * A canary is a job of the probe "canary-NAME". The guest's half of a fault is in the agent
 * (guests/init/canary.c), the host's half here: registers of vCPUs, set at a moment that suits. That
 * works on every kernel, as it needs nothing of it.
 */
#ifndef KLAB_RUN_CANARY_H
#define KLAB_RUN_CANARY_H

#include "conf/probes.h"
#include "guest/guest.h"
#include "judge/judge.h"

#include <jansson.h>

#define CANARY_PREFIX "canary-"
#define CANARY_VCPUS 2
#define CANARY_AFTER_US (1000 * 1000)	/* of the run: the host's half comes then */
#define CANARY_TRIES_MAX 2000		/* looks for a moment that suits */

struct canary_want {
	enum verdict_kind kind;
	const char *title;	/* glob, or NULL: any */
};

enum canary_try { CANARY_DONE, CANARY_AGAIN, CANARY_FAILED };

struct canary {
	const char *name, *summary;
	const char *by;		/* who provokes it: "guest", "host" or "nobody" */
	unsigned duration_s;	/* of the run, if nothing ends it before */
	enum verdict_value value;
	struct canary_want want[2];	/* of an affected: one of these, kernels differ in words */
	enum infra_class infra;		/* of an infra */
	/* The host's half, on a guest that runs and is left running; NULL: it has none. */
	enum canary_try (*provoke)(struct guest *g, json_t **ret_what, GError **error);
};

/* All of them, ending in a NULL name; and one by its probe's name, or NULL if that is no canary. */
const struct canary *canary_all(void);
const struct canary *canary_of_probe(const char *probe);
/* One attempt at the host's half. CANARY_DONE: *ret_what (json object) tells what was done.
 * CANARY_AGAIN: the vCPUs were doing something else, try again in a few milliseconds. */
enum canary_try canary_provoke(const struct canary *c, struct guest *g, json_t **ret_what,
			       GError **error);
/* The record of its probe, for planning; probe_info_free() it. */
struct probe_info *canary_probe_new(const struct canary *c);

/* Is this the verdict that it must get? UNSHOWN: the kernel cannot do it, or the lab failed. Pure. */
enum canary_answer { CANARY_RIGHT, CANARY_WRONG, CANARY_UNSHOWN };
enum canary_answer canary_check(const struct canary *c, const struct verdict *given);
/* "affected oops 'oops: *'": what is wanted, for people; the caller frees it. */
char *canary_wanted(const struct canary *c);

#endif
