/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's beginning and end: its files are where its host finds them, it is created paused and
 * for this connection only, and both of its serial ports are open as streams before it runs.
 */
#ifndef KLAB_GUEST_LIBVIRT_LIFE_H
#define KLAB_GUEST_LIBVIRT_LIFE_H

#include "guest/guest.h"
#include "guest/libvirt_conn.h"

#define LIBVIRT_PORTS 2

struct libvirt_life {
	virDomainPtr dom;
	virStreamPtr stream[LIBVIRT_PORTS];
	int lifecycle;	/* the number of its callback, -1: none */
};

/* Who is called, from the event loop, with `user`. */
struct libvirt_ears {
	virStreamEventCallback stream;
	virConnectDomainEventCallback lifecycle;
	void *user;
};

/* What a start that failed made is in *ret all the same, and goes with libvirt_life_stop(). */
bool libvirt_life_start(struct libvirt_conn *c, const struct guest_spec *spec, const char *name,
			const struct libvirt_ears *ears, struct libvirt_life *ret, GError **error);
/* A connection that is lost takes the domain with it, and keeps what libvirt made of it: a thread
 * may still be using that. */
void libvirt_life_stop(struct libvirt_conn *c, struct libvirt_life *life);
/*
 * The connection that a domain was created for is lost. A daemon that lives ends the domain; one that
 * was killed comes back with it, and knows of no connection to end it with. So it is waited for, about
 * ten seconds, and told. Who comes back later still has it until `klab doctor --clean`, or another run.
 */
void libvirt_life_end_lost(const char *uri, const char *name);

#endif
