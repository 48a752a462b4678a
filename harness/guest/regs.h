/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parse the text of QEMU's `info registers -a` (x86-64). Total. */
#ifndef KLAB_GUEST_REGS_H
#define KLAB_GUEST_REGS_H

#include "guest/guest.h"

/* Fill ret[0..n-1] from sections "CPU#N"; the number of vCPUs that were found with a RIP. */
unsigned regs_parse(const char *text, struct guest_regs *ret, unsigned n);

#endif
