/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUs taken offline and brought back. While one is off, its bit in the status page's parked mask
 * is set, so that a CPU that is parked is no dead CPU. One thread at a time; CPU 0 stays.
 */
#ifndef KLAB_PROBE_HOTPLUG_H
#define KLAB_PROBE_HOTPLUG_H

#include "probes/lib/wire.h"

#include <stdbool.h>

bool hotplug_possible(unsigned cpu);
/* 0 or a negative errno; then the CPU is where it was. */
int hotplug_off(struct wire_status *status, unsigned cpu);
/* Bring it back. A CPU that does not come stays parked: a negative errno. */
int hotplug_on(struct wire_status *status, unsigned cpu);
/* Bring back whatever is off, for teardown(): how many CPUs did not come. */
unsigned hotplug_restore(struct wire_status *status);

#endif
