// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs in tasks, interrupts and NMIs: see map_contexts.h. */
#include "probes/lib/map_contexts.h"

#include "probes/lib/engine.h"
#include "probes/lib/perf.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 1000000
#define TICK_NS_EMULATED 5000000
#define NAP_US 500
#define NAP_US_EMULATED 2000

static struct bpf_link *irq_attach(struct bpf_program *program, unsigned cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = engine_emulates() ? TICK_NS_EMULATED : TICK_NS,
	};
	int fd = perf_open(&attr, -1, cpu);
	struct bpf_link *link = fd < 0 ? NULL : bpf_program__attach_perf_event(program, fd);

	if (!link && fd >= 0)
		close(fd);
	return link;
}

int map_contexts_attach(struct map_contexts *c, const struct map_programs *programs, unsigned ncpus)
{
	c->ncpus = ncpus;
	c->nmi = bpf_program__attach_raw_tracepoint(programs->nmi, "nmi_handler");
	if (!c->nmi)
		return -errno;
	c->task = bpf_program__attach_raw_tracepoint(programs->task, "task_rename");
	for (unsigned cpu = 0; cpu < ncpus; cpu++)
		c->irq[cpu] = irq_attach(programs->irq, cpu);
	return 0;
}

void map_contexts_detach(struct map_contexts *c)
{
	bpf_link__destroy(c->task);
	bpf_link__destroy(c->nmi);
	c->task = c->nmi = NULL;
	for (unsigned cpu = 0; cpu < c->ncpus; cpu++) {
		bpf_link__destroy(c->irq[cpu]);
		c->irq[cpu] = NULL;
	}
}

void map_task_enter(void)
{
	prctl(PR_SET_NAME, "klab-maps");
}

void map_nap(uint64_t *rand)
{
	unsigned us = engine_emulates() ? NAP_US_EMULATED : NAP_US;
	struct timespec nap = { .tv_nsec = rand_next(rand) % us * 1000 };

	nanosleep(&nap, NULL);
}

/* A task of ours runs on a CPU only when its interrupts and NMIs have returned: no waiting for time
 * to pass, however slow the host is. */
void map_settle(unsigned ncpus)
{
	for (unsigned cpu = 0; cpu < ncpus; cpu++)
		cpu_pin(cpu);
}
