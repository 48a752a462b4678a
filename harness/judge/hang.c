// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Deadlock rules over register samples. A rule holds only if it holds in every sample of the
 * window: one sample of a live guest under lock contention looks just like a deadlock.
 */
#include "judge/hang.h"

#include "parse/frames.h"

#define WINDOW_MIN_US (2 * G_USEC_PER_SEC)
#define RFLAGS_IF (UINT64_C(1) << 9)
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

static bool spins_always(const struct hang_sample *samples, unsigned n, unsigned cpu)
{
	for (unsigned i = 0; i < n; i++) {
		if (!cpu_spins(&samples[i].cpu[cpu]) ||
		    STACK_PAGE(samples[i].cpu[cpu].rsp) != STACK_PAGE(samples[0].cpu[cpu].rsp))
			return false;
	}
	return true;
}

static bool irqs_off_always(const struct hang_sample *samples, unsigned n, unsigned cpu)
{
	for (unsigned i = 0; i < n; i++) {
		if (!irqs_off(&samples[i].cpu[cpu]))
			return false;
	}
	return true;
}

static bool dead_always(const struct hang_sample *samples, unsigned n, unsigned cpu)
{
	for (unsigned i = 0; i < n; i++) {
		if (!samples[i].cpu[cpu].halted)
			return false;
	}
	return irqs_off_always(samples, n, cpu);
}

enum hang_rule hang_judge(const struct hang_sample *samples, unsigned n, unsigned ncpus,
			  const uint64_t *silent)
{
	bool all_spin = true, any_silent = false, d2 = false, d3 = false;

	if (n < 2 || !ncpus || ncpus > HANG_CPUS_MAX || !silent ||
	    samples[n - 1].at_us - samples[0].at_us < WINDOW_MIN_US)
		return HANG_NONE;
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		bool spins = spins_always(samples, n, cpu);

		all_spin = all_spin && spins;
		if (!(silent[cpu / 64] >> (cpu % 64) & 1))
			continue;
		any_silent = true;
		d2 = d2 || (spins && irqs_off_always(samples, n, cpu));
		d3 = d3 || dead_always(samples, n, cpu);
	}
	if (all_spin && any_silent)
		return HANG_D1;
	return d2 ? HANG_D2 : d3 ? HANG_D3 : HANG_NONE;
}
