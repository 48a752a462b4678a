/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's memory as an ELF core, by libvirt's own call: 9.0 dies of a dump that was asked for
 * behind its back (an event without a job). On this host libvirt opens our descriptor by its name
 * in /proc; on another one the core goes into a storage pool, comes over the connection, and is
 * removed there.
 */
#ifndef KLAB_GUEST_LIBVIRT_DUMP_H
#define KLAB_GUEST_LIBVIRT_DUMP_H

#include "guest/libvirt_conn.h"

/* `pool` as in guest_spec. */
bool libvirt_dump(struct libvirt_conn *c, virDomainPtr dom, const char *pool, int fd,
		  int timeout_ms, GError **error);

#endif
