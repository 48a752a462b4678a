// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Liveness from status pages. Silence is added up reading by reading: wall time less the time in
 * which the host held the vCPU threads back. Must not look at any clock itself.
 */
#include "judge/liveness.h"

#include <glib.h>
#include <string.h>

void liveness_init(struct liveness *l, struct liveness_limits limits)
{
	*l = (struct liveness){ .limits = limits };
}

static bool bit_test(const uint64_t *mask, unsigned cpu)
{
	return mask[cpu / 64] >> (cpu % 64) & 1;
}

static void bit_set(uint64_t *mask, unsigned cpu)
{
	mask[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

/* Of a running guest the number of CPUs is fixed: another one means that the page is garbage. */
static bool page_is_valid(const struct liveness *l, const struct wire_status *page)
{
	return page && page->magic == WIRE_STATUS_MAGIC && page->version == WIRE_VERSION &&
	       page->ncpus >= 1 && page->ncpus <= WIRE_CPUS_MAX &&
	       (!l->ncpus || page->ncpus == l->ncpus);
}

static void cpu_restart(struct liveness_cpu *cpu, int64_t at_us, int64_t delay_us)
{
	cpu->since_us = at_us;
	cpu->delay_us = delay_us;
	cpu->counted_us = 0;
}

static void start(struct liveness *l, int64_t at_us, int64_t delay_us)
{
	for (unsigned i = 0; i < WIRE_CPUS_MAX; i++)
		cpu_restart(&l->cpu[i], at_us, delay_us);
	l->started = true;
	l->last_us = at_us;
	l->last_delay_us = delay_us;
}

/* The first valid page starts the count of all its CPUs anew: before it there was no page to read.
 */
static void learn_cpus(struct liveness *l, int64_t at_us, const struct wire_status *page,
		       int64_t delay_us)
{
	l->ncpus = page->ncpus;
	for (unsigned i = 0; i < l->ncpus; i++) {
		l->cpu[i].beats = page->cpu[i].beats;
		cpu_restart(&l->cpu[i], at_us, delay_us);
	}
}

static int64_t step_us(const struct liveness *l, int64_t at_us, int64_t run_delay_us)
{
	int64_t wall = MAX(at_us - l->last_us, 0);
	int64_t delay = MAX(run_delay_us - l->last_delay_us, 0);

	return CLAMP(wall - delay, 0, MAX(l->limits.suspect_us / 2, 1));
}

/* The mask of CPUs whose silence, counted or by the wall, has reached `limit_us`. */
static bool collect(struct liveness *l, int64_t at_us, int64_t limit_us, bool by_wall)
{
	bool any = false;

	memset(l->silent, 0, sizeof(l->silent));
	for (unsigned i = 0; i < MAX(l->ncpus, 1); i++) {
		const struct liveness_cpu *cpu = &l->cpu[i];
		int64_t silence = by_wall ? at_us - cpu->since_us : cpu->counted_us;

		if (silence < limit_us)
			continue;
		bit_set(l->silent, i);
		any = true;
	}
	return any;
}

enum liveness_state liveness_feed(struct liveness *l, int64_t at_us, const struct wire_status *page,
				  int64_t run_delay_us)
{
	bool valid = page_is_valid(l, page);
	int64_t step;

	if (!l->started)
		start(l, at_us, run_delay_us);
	if (valid && !l->ncpus)
		learn_cpus(l, at_us, page, run_delay_us);
	step = step_us(l, at_us, run_delay_us);
	l->longest_us = 0;
	for (unsigned i = 0; i < MAX(l->ncpus, 1); i++) {
		struct liveness_cpu *cpu = &l->cpu[i];

		if (valid && (page->cpu[i].beats != cpu->beats || bit_test(page->parked, i))) {
			cpu->beats = page->cpu[i].beats;
			cpu_restart(cpu, at_us, run_delay_us);
			continue;
		}
		cpu->counted_us += step;
		l->longest_us = MAX(l->longest_us, cpu->counted_us);
	}
	l->last_us = MAX(at_us, l->last_us);
	l->last_delay_us = MAX(run_delay_us, l->last_delay_us);
	if (collect(l, at_us, l->limits.suspect_us, false))
		return l->longest_us >= l->limits.silent_us ? LIVE_SILENT : LIVE_SUSPECT;
	return collect(l, at_us, l->limits.suspect_us, true) ? LIVE_STARVED : LIVE_OK;
}
