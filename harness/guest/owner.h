/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose is what klab leaves on a host: names of domains and volumes carry the process that they
 * belong to, as "HOST-PID-START": 8 hex digits of the host (or container), its process id, the
 * clock tick of its start. Two processes never share one, and whether it still lives can be told
 * where it ran, and only there.
 */
#ifndef KLAB_GUEST_OWNER_H
#define KLAB_GUEST_OWNER_H

#include "base/lab.h"

#define OWNER_JOB_MAX 100 /* bytes of a job's name that a domain carries */

enum owner {
	OWNER_NONE, /* the name is none of klab's */
	OWNER_ALIVE,
	OWNER_DEAD,
	OWNER_ELSEWHERE, /* of another host: nobody here can tell */
};

/* This process, for the names that it gives; borrowed. */
const char *owner_self(void);
/* "klab-OWNER-JOB", for a domain; the caller frees. Bytes that no domain's name may have are '_'.
 */
char *owner_domain_name(const char *job);
/*
 * Whose is "PREFIX-OWNER", "PREFIX-OWNER-..." or "PREFIX-OWNER...."? Total: any text has an answer.
 * A process that cannot be looked at counts as alive.
 */
enum owner owner_of(const char *name, const char *prefix);

#endif
