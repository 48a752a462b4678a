/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status page of wire.h: one locked page that the host reads by physical address, with a
 * heartbeat thread on every CPU.
 */
#ifndef KLAB_STATUS_H
#define KLAB_STATUS_H

#include "probes/lib/wire.h"

/* Map and lock the page; shared with the children that fork later. nonce_hex may be NULL. 0 or a
 * negative errno. */
int status_init(unsigned ncpus, const char *nonce_hex);
struct wire_status *status_page(void);
void status_beat_start(void);

/* Where the page is now, 0 if the kernel does not tell. */
uint64_t status_phys(void);

void status_phase(enum wire_phase phase);

#endif
