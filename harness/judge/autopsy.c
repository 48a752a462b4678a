// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which vCPU tells the story, and what is it? A spinning one in an NMI is most likely the one that
 * waits for itself; the others only queue behind it. Same registers, same words.
 */
#include "judge/autopsy.h"

#include "parse/frames.h"

#include <string.h>

#define STACK_MAX G_N_ELEMENTS(((struct hang_cpu *)NULL)->stack)
#define CHAIN_MAX 5
#define RFLAGS_IF (UINT64_C(1) << 9)
#define LOOP_MAX 4096 /* bytes between two samples of one waiting loop */

enum cpu_state { CPU_BEATS, CPU_SPINS, CPU_RUNS_IRQS_OFF, CPU_RUNS, CPU_USER, CPU_DEAD, CPU_IDLE };

static const char *const state_names[] = {
	[CPU_BEATS] = "alive", [CPU_SPINS] = "spins",       [CPU_RUNS_IRQS_OFF] = "runs, IRQs off",
	[CPU_RUNS] = "runs",   [CPU_USER] = "in user mode", [CPU_DEAD] = "halted, IRQs off",
	[CPU_IDLE] = "halted",
};

static bool is_known(const char *symbol)
{
	return symbol && *symbol && !g_str_equal(symbol, "?");
}

static bool irqs_off(const struct hang_cpu *cpu)
{
	return !(cpu->rflags[0] & RFLAGS_IF) && !(cpu->rflags[1] & RFLAGS_IF);
}

/* rip's own function or, for an inlined or paravirtual helper, its caller. */
static bool cpu_spins(const struct hang_cpu *cpu)
{
	uint64_t a = cpu->rip[0], b = cpu->rip[1];

	if ((a > b ? a - b : b - a) > LOOP_MAX)
		return false;
	return cpu->pauses || frame_spins(cpu->stack[0]) ||
	       (is_known(cpu->stack[0]) && frame_is_noise(cpu->stack[0]) &&
		frame_spins(cpu->stack[1]));
}

static enum cpu_state cpu_state(const struct hang_cpu *cpu)
{
	if (cpu->beats)
		return CPU_BEATS;
	if (cpu->halted[0] && cpu->halted[1])
		return irqs_off(cpu) ? CPU_DEAD : CPU_IDLE;
	if (cpu->halted[0] || cpu->halted[1])
		return CPU_RUNS;
	if (!(cpu->rip[0] >> 63) && !(cpu->rip[1] >> 63))
		return CPU_USER;
	if (cpu_spins(cpu))
		return CPU_SPINS;
	return irqs_off(cpu) ? CPU_RUNS_IRQS_OFF : CPU_RUNS;
}

static bool chain_has(const GPtrArray *chain, const char *name)
{
	for (unsigned i = 0; i < chain->len; i++) {
		if (g_str_equal(chain->pdata[i], name))
			return true;
	}
	return false;
}

char *autopsy_chain(const char *const *stack, unsigned n, unsigned max)
{
	g_autoptr(GPtrArray) chain = g_ptr_array_new();
	GString *text;

	for (unsigned i = 0; i < n && stack[i] && chain->len < max; i++) {
		const char *context = frame_context(stack[i]);
		const char *name = context ? context : frame_is_bpf(stack[i]) ? "bpf" : stack[i];

		/* A context without anything in it says nothing. */
		if ((!context && frame_is_noise(name)) || (context && !chain->len) ||
		    chain_has(chain, name))
			continue;
		g_ptr_array_add(chain, (gpointer)name);
		/* NMIs have a stack of their own: what lies above their entry is not theirs. */
		if (context && g_str_equal(context, "nmi"))
			break;
	}
	if (!chain->len)
		return NULL;
	text = g_string_new(chain->pdata[0]);
	for (unsigned i = 1; i < chain->len; i++)
		g_string_append_printf(text, " <- %s", (const char *)chain->pdata[i]);
	return g_string_free(text, FALSE);
}

/* "0,1,3": the vCPUs in that state, or with any state but `state` when `invert`. */
static char *cpu_list(const enum cpu_state *states, unsigned n, enum cpu_state state, bool invert)
{
	GString *text = g_string_new(NULL);
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		if ((states[i] == state) == invert)
			continue;
		if (count++ < 16)
			g_string_append_printf(text, "%s%u", text->len ? "," : "", i);
	}
	if (count > 16)
		g_string_append_printf(text, ",... (%u)", count);
	return g_string_free(text, FALSE);
}

/* How much the stack of a vCPU in the wanted state tells. */
static unsigned story_score(const struct hang_cpu *cpu)
{
	g_autofree char *chain = autopsy_chain(cpu->stack, STACK_MAX, STACK_MAX);
	unsigned score = 1;

	if (!chain)
		return score;
	for (unsigned i = 0; i < STACK_MAX && cpu->stack[i]; i++) {
		if (frame_is_nmi(cpu->stack[i]))
			return score + 200 + (strstr(chain, "bpf") ? 100 : 0);
	}
	return score + (irqs_off(cpu) ? 50 : 0) + MIN(strlen(chain) / 16, 20);
}

static int story_cpu(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n,
		     enum cpu_state state)
{
	unsigned best_score = 0;
	int best = -1;

	for (unsigned i = 0; i < n; i++) {
		unsigned score = states[i] == state ? story_score(&cpus[i]) : 0;

		if (score <= best_score)
			continue;
		best_score = score;
		best = i;
	}
	return best;
}

/* Title of a state that at least one silent vCPU is in. */
static char *state_title(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n,
			 enum cpu_state state, const char *lead)
{
	int cpu = story_cpu(cpus, states, n, state);
	g_autofree char *chain = autopsy_chain(cpus[cpu].stack, STACK_MAX, CHAIN_MAX);
	g_autofree char *list = cpu_list(states, n, state, false);
	const char *const verbs[] = { [CPU_SPINS] = "spin",
				      [CPU_RUNS_IRQS_OFF] = "run with IRQs off",
				      [CPU_RUNS] = "run",
				      [CPU_USER] = "run user code",
				      [CPU_DEAD] = "halted with IRQs off",
				      [CPU_IDLE] = "halted" };

	if (state == CPU_DEAD || state == CPU_IDLE)
		return g_strdup_printf("%s: vCPUs %s %s", lead, list, verbs[state]);
	if (chain)
		return g_strdup_printf("%s: %s", lead, chain);
	if (is_known(cpus[cpu].stack[0]))
		return g_strdup_printf("%s: %s", lead, cpus[cpu].stack[0]);
	return g_strdup_printf("%s: vCPUs %s %s (no symbols)", lead, list, verbs[state]);
}

/* "top symbols: native_queued_spin_lock_slowpath (0,1,3), pv_native_safe_halt (2)". */
static char *top_symbols(const struct hang_cpu *cpus, unsigned n)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < n && text->len < 400; i++) {
		const char *name = cpus[i].stack[0];
		bool seen = false;

		for (unsigned j = 0; j < i && !seen; j++)
			seen = is_known(name) && is_known(cpus[j].stack[0]) &&
			       g_str_equal(name, cpus[j].stack[0]);
		if (seen || !is_known(name))
			continue;
		g_string_append_printf(text, "%s%s (", text->len ? ", " : "; top symbols: ", name);
		for (unsigned j = i, count = 0; j < n && count < 16; j++) {
			if (is_known(cpus[j].stack[0]) && g_str_equal(name, cpus[j].stack[0]))
				g_string_append_printf(text, "%s%u", count++ ? "," : "", j);
		}
		g_string_append_c(text, ')');
	}
	return g_string_free(text, FALSE);
}

static char *table(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < n && i < AUTOPSY_LINES_MAX; i++) {
		g_string_append_printf(text, "vCPU %u: %s, rip 0x%" G_GINT64_MODIFIER "x", i,
				       state_names[states[i]], cpus[i].rip[0]);
		for (unsigned j = 0; j < STACK_MAX && cpus[i].stack[j]; j++)
			g_string_append_printf(text, "%s%s", j ? " <- " : ": ", cpus[i].stack[j]);
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

void autopsy_hang(const struct hang_cpu *cpus, unsigned ncpus, struct autopsy *ret)
{
	/* The first state that a vCPU is in decides: what spins says more than what sleeps. */
	static const struct {
		enum cpu_state state;
		enum verdict_kind kind;
	} order[] = {
		{ CPU_SPINS, KIND_DEADLOCK },   { CPU_RUNS_IRQS_OFF, KIND_LOCKUP },
		{ CPU_RUNS, KIND_LOCKUP },      { CPU_USER, KIND_LOCKUP },
		{ CPU_DEAD, KIND_SILENT_STOP }, { CPU_IDLE, KIND_SILENT_STOP },
	};
	g_autofree enum cpu_state *states = NULL;
	g_autofree char *silent = NULL, *tops = NULL;

	*ret = (struct autopsy){ .kind = KIND_SILENT_STOP };
	if (!cpus || !ncpus) {
		ret->title = g_strdup("silent-stop: heartbeats stopped");
		ret->reason = g_strdup("heartbeats stopped and no registers could be read");
		return;
	}
	states = g_new(enum cpu_state, ncpus);
	for (unsigned i = 0; i < ncpus; i++)
		states[i] = cpu_state(&cpus[i]);
	for (unsigned i = 0; i < G_N_ELEMENTS(order) && !ret->title; i++) {
		if (story_cpu(cpus, states, ncpus, order[i].state) < 0)
			continue;
		ret->kind = order[i].kind;
		ret->title = state_title(cpus, states, ncpus, order[i].state,
					 verdict_kind_name(order[i].kind));
	}
	if (!ret->title)
		ret->title = g_strdup("silent-stop: heartbeats stopped, then went on");
	silent = cpu_list(states, ncpus, CPU_BEATS, true);
	tops = top_symbols(cpus, ncpus);
	ret->reason =
		g_strdup_printf("heartbeats of vCPUs %s stopped%s", *silent ? silent : "-", tops);
	ret->excerpt = table(cpus, states, ncpus);
}

void autopsy_clear(struct autopsy *autopsy)
{
	g_free(autopsy->title);
	g_free(autopsy->reason);
	g_free(autopsy->excerpt);
	*autopsy = (struct autopsy){ 0 };
}
