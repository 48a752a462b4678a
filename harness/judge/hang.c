// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Deadlock rules over register samples. A rule holds only if it holds in every sample of the
 * window: one sample of a live guest under lock contention looks just like a deadlock.
 */
#include "judge/hang.h"

#include "parse/frames.h"

#define WINDOW_MIN_US (2 * G_USEC_PER_SEC)	/* of wall time */
#define WINDOW_HAD_US (8 * G_USEC_PER_SEC / 10)	/* of time that the vCPUs had */
#define RFLAGS_IF (UINT64_C(1) << 9)
#define TIGHT_BYTES 32
#define STACK_PAGE(rsp) ((rsp) & ~UINT64_C(0xfff))

bool hang_symbol_spins(const char *symbol)
{
	return frame_spins(symbol);
}

bool hang_symbol_is_noise(const char *symbol)
{
	return frame_is_noise(symbol);
}

/* A PAUSE near RIP tells a waiting loop where names are missing or loops are inlined. */
static bool cpu_spins(const struct hang_sample_cpu *cpu)
{
	return !cpu->halted && !cpu->cpl && (cpu->pauses || frame_spins(cpu->symbol));
}

static bool irqs_off(const struct hang_sample_cpu *cpu)
{
	return !(cpu->rflags & RFLAGS_IF);
}

static bool spans_enough(const struct hang_sample *first, const struct hang_sample *last)
{
	return last->wall_us - first->wall_us >= WINDOW_MIN_US &&
	       last->at_us - first->at_us >= WINDOW_HAD_US;
}

static bool stack_stays(const struct hang_window *w, unsigned cpu)
{
	uint64_t page = STACK_PAGE(w->samples[0].cpu[cpu].rsp);

	for (unsigned i = 1; i < w->n; i++)
		if (STACK_PAGE(w->samples[i].cpu[cpu].rsp) != page)
			return false;
	return true;
}

static bool spins_always(const struct hang_window *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!cpu_spins(&w->samples[i].cpu[cpu]))
			return false;
	return stack_stays(w, cpu);
}

static bool irqs_off_always(const struct hang_window *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!irqs_off(&w->samples[i].cpu[cpu]))
			return false;
	return true;
}

static bool halted_always(const struct hang_window *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!w->samples[i].cpu[cpu].halted)
			return false;
	return true;
}

static bool in_kernel_always(const struct hang_window *w, unsigned cpu)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->samples[i].cpu[cpu].halted || w->samples[i].cpu[cpu].cpl)
			return false;
	return true;
}

static uint64_t rip_span(const struct hang_window *w, unsigned cpu)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned i = 0; i < w->n; i++) {
		low = MIN(low, w->samples[i].cpu[cpu].rip);
		high = MAX(high, w->samples[i].cpu[cpu].rip);
	}
	return high - low;
}

/* A loop of a few instructions on a stack that does not move needs neither a name nor a PAUSE. */
static bool loops_tightly(const struct hang_window *w, unsigned cpu)
{
	for (unsigned i = 1; i < w->n; i++)
		if (w->samples[i].cpu[cpu].rsp != w->samples[0].cpu[cpu].rsp)
			return false;
	return in_kernel_always(w, cpu) && rip_span(w, cpu) <= TIGHT_BYTES;
}

static bool is_silent(const struct hang_window *w, unsigned cpu)
{
	return w->silent[cpu / 64] >> (cpu % 64) & 1;
}

/* It was told to answer a cross call, and cannot: interrupts off, and it does not leave its stack. */
static bool never_answers(const struct hang_window *w, unsigned cpu)
{
	return is_silent(w, cpu) && irqs_off_always(w, cpu) && stack_stays(w, cpu);
}

static bool awaits_ipi(const struct hang_sample_cpu *cpu)
{
	return !cpu->halted && !cpu->cpl && frame_awaits_ipi(cpu->symbol);
}

/*
 * Who waits for a cross call takes interrupts meanwhile, on a slow host for most of the time: half of
 * the samples will do, all on one stack, as the other side is certain.
 */
static bool awaits_cross_call(const struct hang_window *w, unsigned cpu)
{
	uint64_t page = 0;
	unsigned count = 0;

	for (unsigned i = 0; i < w->n; i++) {
		const struct hang_sample_cpu *s = &w->samples[i].cpu[cpu];

		if (!awaits_ipi(s))
			continue;
		if (count && STACK_PAGE(s->rsp) != page)
			return false;
		page = STACK_PAGE(s->rsp);
		count++;
	}
	return count >= 2 && 2 * count >= w->n;
}

static int find_waiter(const struct hang_window *w)
{
	for (unsigned a = 0; a < w->ncpus; a++)
		for (unsigned b = 0; b < w->ncpus && awaits_cross_call(w, a); b++)
			if (a != b && never_answers(w, b))
				return a;
	return -1;
}

/* The autopsy shows a window's first and last sample: those must show the wait too. */
static bool shows_wait(const struct hang_window *w, unsigned cpu)
{
	return awaits_ipi(&w->samples[0].cpu[cpu]) && awaits_ipi(&w->samples[w->n - 1].cpu[cpu]);
}

static bool is_spin_deadlock(const struct hang_window *w)
{
	bool any_silent = false;

	for (unsigned cpu = 0; cpu < w->ncpus; cpu++) {
		if (!spins_always(w, cpu))
			return false;
		any_silent = any_silent || is_silent(w, cpu);
	}
	return any_silent;
}

/* Whoever prints has interrupts off for long, and others wait for it. */
static bool talks_on(const struct hang_window *w)
{
	for (unsigned i = 1; i < w->n; i++)
		if (!w->samples[i].talks)
			return false;
	return true;
}

static bool is_stuck(const struct hang_window *w, unsigned cpu)
{
	return irqs_off_always(w, cpu) && (spins_always(w, cpu) || loops_tightly(w, cpu));
}

static bool is_dead(const struct hang_window *w, unsigned cpu)
{
	return irqs_off_always(w, cpu) && halted_always(w, cpu);
}

/* Moves about in the kernel: what it does is no waiting loop. */
static bool is_busy(const struct hang_window *w, unsigned cpu)
{
	return in_kernel_always(w, cpu) && rip_span(w, cpu) > 0;
}

static bool any_silent_is(const struct hang_window *w,
			  bool (*what)(const struct hang_window *w, unsigned cpu))
{
	for (unsigned cpu = 0; cpu < w->ncpus; cpu++)
		if (is_silent(w, cpu) && what(w, cpu))
			return true;
	return false;
}

static bool all_idle(const struct hang_window *w)
{
	for (unsigned cpu = 0; cpu < w->ncpus; cpu++)
		for (unsigned i = 0; i < w->n; i++)
			if (!w->samples[i].cpu[cpu].halted || irqs_off(&w->samples[i].cpu[cpu]))
				return false;
	return true;
}

static bool all_silent(const struct hang_window *w)
{
	for (unsigned cpu = 0; cpu < w->ncpus; cpu++)
		if (!is_silent(w, cpu))
			return false;
	return true;
}

static bool jiffies_known(const struct hang_window *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!w->samples[i].jiffies_known)
			return false;
	return true;
}

static uint64_t jiffies_passed(const struct hang_window *w)
{
	return w->samples[w->n - 1].jiffies - w->samples[0].jiffies;
}

/* An idle kernel stops its tick: jiffies that stand still tell nothing there, those that pass do. */
static bool is_sleeping_deadlock(const struct hang_window *w)
{
	return w->silent_us >= HANG_SLEEP_US && all_silent(w) && all_idle(w) && jiffies_known(w) &&
	       jiffies_passed(w) > 0;
}

static bool is_timer_dead(const struct hang_window *w)
{
	return jiffies_known(w) && !jiffies_passed(w) && any_silent_is(w, is_busy);
}

/*
 * Threads of vCPUs that are not halted use every time they get: less than a thousandth of the wall
 * time means that they get none. A delay that the kernel adds up late would not show that.
 */
static bool gets_no_time(const struct hang_window *w)
{
	const struct hang_sample *first = &w->samples[0], *last = &w->samples[w->n - 1];
	bool wants = false;

	for (unsigned cpu = 0; cpu < w->ncpus; cpu++) {
		bool halted = false;

		for (unsigned i = 0; i < w->n; i++)
			halted = halted || w->samples[i].cpu[cpu].halted;
		wants = wants || !halted;
	}
	return wants && last->run_us && spans_enough(first, last) &&
	       last->run_us - first->run_us < (last->wall_us - first->wall_us) / 1000;
}

static bool is_kept_from_running(const struct hang_window *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->samples[i].paused)
			return true;
	return gets_no_time(w);
}

unsigned hang_window_start(const struct hang_window *w)
{
	for (unsigned i = w->n; i-- > 1;)
		if (spans_enough(&w->samples[i], &w->samples[w->n - 1]))
			return i;
	return 0;
}

static enum hang_rule judge_window(const struct hang_window *w)
{
	int waiter;

	if (is_kept_from_running(w))
		return HANG_D7;
	if (!spans_enough(&w->samples[0], &w->samples[w->n - 1]))
		return HANG_NONE;
	waiter = find_waiter(w);
	if (waiter >= 0)
		return shows_wait(w, waiter) ? HANG_D4 : HANG_NONE;
	if (is_spin_deadlock(w))
		return HANG_D1;
	if (any_silent_is(w, is_stuck) && !talks_on(w))
		return HANG_D2;
	if (any_silent_is(w, is_dead))
		return HANG_D3;
	if (is_timer_dead(w) && !talks_on(w))
		return HANG_D6;
	return is_sleeping_deadlock(w) ? HANG_D5 : HANG_NONE;
}

enum hang_rule hang_judge(const struct hang_window *w)
{
	struct hang_window newest = *w;
	unsigned start;

	if (w->n < 2 || !w->ncpus || w->ncpus > HANG_CPUS_MAX || !w->silent)
		return HANG_NONE;
	start = hang_window_start(w);
	newest.samples += start;
	newest.n -= start;
	return judge_window(&newest);
}

const char *hang_rule_words(int rule)
{
	static const char *const words[] = {
		[HANG_D1] = "every vCPU spins on a lock",
		[HANG_D2] = "a vCPU spins with interrupts off",
		[HANG_D3] = "a vCPU is halted with interrupts off",
		[HANG_D4] = "a cross call waits for a vCPU that has interrupts off",
		[HANG_D5] = "all vCPUs are idle and time passes: tasks sleep on each other",
		[HANG_D6] = "the kernel runs and its jiffies stand still",
		[HANG_D7] = "the vCPUs were kept from running",
	};

	return rule > HANG_NONE && rule < (int)G_N_ELEMENTS(words) ? words[rule] : NULL;
}
