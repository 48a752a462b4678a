/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When is the next NMI to be injected from outside? At the probe's rate with jitter, as far as the
 * guest bears it. Pure: time comes from the caller, chance from its GRand.
 *
 * Every unhandled NMI makes every CPU print about 130 bytes at KERN_EMERG, with interrupts off, over
 * a UART of some 0.3 MiB/s: more than NMI_CPUS_HZ of them a second starve the guest of its beats.
 */
#ifndef KLAB_RUN_NMI_STORM_H
#define KLAB_RUN_NMI_STORM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NMI_CPUS_HZ 320	/* NMIs a second times vCPUs that take them */
#define NMI_HOLD_US (400 * 1000)	/* a beat this late holds injection back */
#define NMI_LATE_US (200 * 1000)	/* do not make up for more than this */

struct nmi_storm {
	bool on;
	double period_us;
	int64_t next_us;
};

void nmi_storm_start(struct nmi_storm *storm, double hz, unsigned smp, int64_t now_us);
/* Is one due? `hold`: the guest is short of breath, the storm waits for NMI_LATE_US. */
bool nmi_storm_due(struct nmi_storm *storm, int64_t now_us, bool hold);
/* One was injected: date the next. */
void nmi_storm_next(struct nmi_storm *storm, int64_t now_us, GRand *rand);

#endif
