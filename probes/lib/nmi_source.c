// SPDX-License-Identifier: GPL-2.0-or-later
/* NMIs by a PMU: see nmi_source.h. */
#include "probes/lib/nmi_source.h"

#include "probes/lib/perf.h"

#include <unistd.h>

#define PMU_HZ 1000

static int pmu_fd[WIRE_CPUS_MAX];

/* A sampling event without a buffer still interrupts. */
static bool pmu_start(unsigned ncpus)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.freq = 1,
		.sample_freq = PMU_HZ,
	};

	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		pmu_fd[cpu] = perf_open(&attr, -1, cpu);
		if (pmu_fd[cpu] < 0)
			return false;
	}
	return true;
}

void nmi_source_start(struct probe_run *run)
{
	run->nmi_source = pmu_start(run->ncpus) ? "pmu" : "host";
}

void nmi_source_stop(void)
{
	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
		if (pmu_fd[cpu] > 0)
			close(pmu_fd[cpu]);
}
