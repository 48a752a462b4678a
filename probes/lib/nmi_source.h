/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a probe's NMIs come from: a PMU that samples on every CPU where the guest has one, else the
 * host, which injects them as often as the probe's record (nmi_hz) or the user says.
 */
#ifndef KLAB_PROBE_NMI_SOURCE_H
#define KLAB_PROBE_NMI_SOURCE_H

#include "probes/lib/probe.h"

/* Name the source in the run, and start the guest's own. */
void nmi_source_start(struct probe_run *run);
void nmi_source_stop(void);

/* The parameter of a record that the host acts on; usual: the record's nmi_hz, as text. */
#define NMI_HZ_PARAM(usual)                                                                        \
	{                                                                                          \
		"nmi-hz",                                                                          \
			"NMIs a second that the host injects where there is no PMU (" usual ")",   \
			1, 200                                                                     \
	}

#endif
