/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of perf events, taken apart field by field: what is left over or missing is the kernel's
 * fault. All events whose records share a ring must have PERF_SAMPLE_WHOLE as their sample_type and
 * PERF_SAMPLE_REGS as their sample_regs_user; each has its own sample_stack_user.
 */
#ifndef KLAB_PROBE_PERF_SAMPLE_H
#define KLAB_PROBE_PERF_SAMPLE_H

#include "probes/lib/event_ring.h"

#define PERF_SAMPLE_WHOLE                                                                          \
	(PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID | PERF_SAMPLE_CPU |  \
	 PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER |                      \
	 PERF_SAMPLE_STACK_USER)
#define PERF_SAMPLE_REGS 0x1c0u /* BP, SP, IP of x86's enum perf_event_x86_regs */

struct perf_sample {
	uint64_t ip, time, id, period;
	uint32_t pid, tid, cpu;
	uint64_t chain_len;
	const uint64_t *chain; /* in the record */
	uint64_t stack_size, stack_filled;
};

/* NULL, or what is wrong with the record (a static string). */
const char *perf_sample_parse(const void *record, struct perf_sample *ret);

#endif
