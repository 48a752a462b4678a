// SPDX-License-Identifier: GPL-2.0-or-later
/* A user probe whose string arguments are longer than the page that they are kept in. */
#include "probes/lib/probe.h"
#include "probes/lib/target.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <string.h>

#define PROGRAM "/uprobe-strings"

static char text[3000], *code; /* two such texts do not fit into a page */
static uint64_t calls[WIRE_CPUS_MAX];

static enum probe_result setup(struct probe_run *run)
{
	char event[200];

	run->rung = "tracefs";
	memset(text, 'k', sizeof(text) - 1);
	if (target_write(PROGRAM, 1) || !(code = target_map(PROGRAM, 1)))
		return probe_error(run, "there is no program to probe");
	text_format(event, sizeof(event), "p:klab/strings %s:0x%llx +0(%%di):string +0(%%di):string\n",
		    PROGRAM, (unsigned long long)target_offset(1, TARGET_NOP));
	if (tracefs_write("uprobe_events", event) ||
	    tracefs_write("events/klab/strings/enable", "1\n"))
		return probe_skip(run, "no events on user probes: CONFIG_UPROBE_EVENTS is off");
	return PROBE_PASS;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	while (!probe_stopped(run)) {
		struct target_call call = { .fn = (uintptr_t)code + target_offset(1, TARGET_NOP),
					    .reg[TARGET_RDI] = (uintptr_t)text };

		target_enter(&call);
		__atomic_store_n(&calls[cpu], calls[cpu] + 1, __ATOMIC_RELAXED);
	}
}

static void sample(struct probe_run *run)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		sum += __atomic_load_n(&calls[cpu], __ATOMIC_RELAXED);
	probe_count(run, 0, sum);
}

PROBE(uprobe_strings) = {
	.name = "uprobe-strings", .summary = "user probes record more text than a page holds",
	.hazards = LIST("uprobe-args-overrun"), .kconfig = LIST("CONFIG_UPROBES=y"),
	.amplify = LIST("uprobe_dispatcher", "__uprobe_trace_func"), .counters = LIST("long-hits"),
	.setup = setup, .worker = worker, .sample = sample,
};
