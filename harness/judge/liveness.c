// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Liveness from status pages. Silence is added up reading by reading: wall time less the time in
 * which the host held the vCPU threads back. Must not look at any clock itself.
 */
#include "judge/liveness.h"

#include <glib.h>
#include <string.h>

static const char *const state_names[] = {
	[LIVE_OK] = "ok",     [LIVE_STARVED] = "starved", [LIVE_PAUSED] = "paused",
	[LIVE_SLOW] = "slow", [LIVE_SUSPECT] = "suspect", [LIVE_SILENT] = "silent",
};

const char *liveness_state_name(enum liveness_state state)
{
	return state_names[state];
}

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

/* How much of the span since the last reading counts as silence of who is silent. */
static int64_t step_us(const struct liveness *l, const struct liveness_reading *r)
{
	int64_t wall = MAX(r->at_us - l->last_us, 0);
	int64_t delay = MAX(r->run_delay_us - l->last_delay_us, 0);

	if (r->paused)
		return 0;
	return CLAMP(wall - delay, 0, MAX(l->limits.suspect_us / 2, 1)) /
	       (r->talks ? LIVE_TALK_SHARE : 1);
}

/* From where on a silence is longer than what this guest is known for, within a limit. */
static int64_t slow_until_us(const struct liveness *l)
{
	return CLAMP(LIVE_SLOW_FACTOR * l->recovered_us, l->limits.suspect_us,
		     MAX(l->limits.silent_us, l->limits.suspect_us));
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

/* Count the silence of each CPU on. A page's beat or a parked CPU ends it. */
static void count(struct liveness *l, const struct liveness_reading *r, bool valid)
{
	int64_t step = step_us(l, r), still = r->paused ? MAX(r->at_us - l->last_us, 0) : 0;

	l->longest_us = 0;
	for (unsigned i = 0; i < MAX(l->ncpus, 1); i++) {
		struct liveness_cpu *cpu = &l->cpu[i];
		bool beats = valid && r->page->cpu[i].beats != cpu->beats;

		if (beats || (valid && bit_test(r->page->parked, i))) {
			if (beats && !bit_test(r->page->parked, i))
				l->recovered_us = MAX(l->recovered_us, cpu->counted_us);
			cpu->beats = r->page->cpu[i].beats;
			cpu_restart(cpu, r->at_us, r->run_delay_us);
			continue;
		}
		cpu->counted_us += step;
		cpu->since_us += still;
		l->longest_us = MAX(l->longest_us, cpu->counted_us);
	}
}

static enum liveness_state state_of(struct liveness *l, int64_t at_us)
{
	int64_t slow_us = slow_until_us(l);
	int64_t silent_us = MAX(l->limits.silent_us, slow_us + l->limits.suspect_us);

	if (!collect(l, at_us, l->limits.suspect_us, false))
		return collect(l, at_us, l->limits.suspect_us, true) ? LIVE_STARVED : LIVE_OK;
	if (!collect(l, at_us, slow_us, false)) {
		collect(l, at_us, l->limits.suspect_us, false);
		return LIVE_SLOW;
	}
	return l->longest_us >= silent_us ? LIVE_SILENT : LIVE_SUSPECT;
}

enum liveness_state liveness_feed(struct liveness *l, const struct liveness_reading *r)
{
	bool valid = page_is_valid(l, r->page);
	enum liveness_state state;

	if (!l->started)
		start(l, r->at_us, r->run_delay_us);
	if (valid && !l->ncpus)
		learn_cpus(l, r->at_us, r->page, r->run_delay_us);
	count(l, r, valid);
	l->last_us = MAX(r->at_us, l->last_us);
	l->last_delay_us = MAX(r->run_delay_us, l->last_delay_us);
	state = state_of(l, r->at_us);
	return r->paused ? LIVE_PAUSED : state;
}
