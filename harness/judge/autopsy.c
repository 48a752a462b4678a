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

static bool is_guessed(const char *frame)
{
	return g_str_has_prefix(frame, "? ");
}

static bool stack_certain(const struct hang_cpu *cpu)
{
	for (unsigned i = 0; i < HANG_FRAMES_MAX && cpu->frame[i]; i++)
		if (is_guessed(cpu->frame[i]))
			return false;
	return cpu->frame[0] != NULL;
}

/*
 * Who waits with interrupts on is often met in one: the timer's comes on time, however long the wait.
 * The stack from the waiting loop on, or NULL. Only where the walk through the interrupt is certain.
 */
static const char *const *wait_below(const struct hang_cpu *cpu)
{
	const char *const *frame = cpu->stack, *const *end = cpu->stack + STACK_MAX;

	if (!stack_certain(cpu))
		return NULL;
	while (frame < end && *frame && !frame_context(*frame))
		frame++;
	while (frame < end && *frame && g_strcmp0(frame_context(*frame), "irq") == 0)
		frame++;
	return frame > cpu->stack && frame < end && *frame && frame_spins(*frame) ? frame : NULL;
}

/* What its title is made of; ends as cpu->stack does. */
static const char *const *story_stack(const struct hang_cpu *cpu)
{
	const char *const *below = wait_below(cpu);

	return below ? below : cpu->stack;
}

static unsigned story_len(const struct hang_cpu *cpu)
{
	return STACK_MAX - (story_stack(cpu) - cpu->stack);
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
	if (cpu_spins(cpu) || wait_below(cpu))
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

/* What a title must keep: in which context it happened, and that BPF was at it. */
static bool chain_keeps(const char *name)
{
	static const char *const words[] = { "bpf", "nmi", "irq", "int3", NULL };

	return g_strv_contains(words, name);
}

static void chain_shorten(GPtrArray *chain, unsigned max)
{
	for (unsigned i = chain->len; i-- > 1 && chain->len > max;)
		if (!chain_keeps(chain->pdata[i]))
			g_ptr_array_remove_index(chain, i);
	if (chain->len > max)
		g_ptr_array_set_size(chain, max);
}

char *autopsy_chain(const char *const *stack, unsigned n, unsigned max)
{
	g_autoptr(GPtrArray) chain = g_ptr_array_new();
	GString *text;

	for (unsigned i = 0; i < n && stack[i]; i++) {
		const char *context = frame_context(stack[i]);
		const char *name = context ? context : frame_is_bpf(stack[i]) ? "bpf" : stack[i];

		/* A context without anything in it says nothing. */
		if ((!context && frame_is_noise(name)) || (context && !chain->len) ||
		    chain_has(chain, name))
			continue;
		g_ptr_array_add(chain, (gpointer)name);
		/* What an NMI or an interrupt interrupted is chance, and no part of a title. */
		if (context && !g_str_equal(context, "int3"))
			break;
	}
	if (!chain->len)
		return NULL;
	chain_shorten(chain, max);
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
	g_autofree char *chain = autopsy_chain(story_stack(cpu), story_len(cpu), STACK_MAX);
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
	g_autofree char *chain =
		autopsy_chain(story_stack(&cpus[cpu]), story_len(&cpus[cpu]), CHAIN_MAX);
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

/* --- contexts and locks ------------------------------------------------------------------------ */

static bool is_marker(const char *frame)
{
	return *frame == '<';
}

/* The lock that this vCPU waits for: of the innermost context that waits. A spinning task is often
 * met in its timer interrupt, which waits for nothing. addr is 0 if none does. */
static const struct hang_lock *wanted(const struct hang_cpu *cpu)
{
	for (unsigned i = 0; i < HANG_CONTEXTS_MAX; i++)
		if (cpu->lock[i].addr)
			return &cpu->lock[i];
	return &cpu->lock[0];
}

/* "nmi> irq> task": what runs, and what that has interrupted; NULL without frames. */
static char *nesting(const struct hang_cpu *cpu)
{
	const char *last = "", *before;
	GString *text;

	if (!cpu->frame[0])
		return NULL;
	text = g_string_new(NULL);
	for (unsigned i = 0; i < HANG_FRAMES_MAX && cpu->frame[i]; i++) {
		before = last;
		last = cpu->frame[i];
		if (!is_marker(last))
			continue;
		if (!g_str_equal(last, "<user>"))
			g_string_append_printf(text, "%.*s> ", (int)strcspn(last + 1, ">"),
					       last + 1);
		else if (frame_context(before)) /* else the task's own system call or fault */
			g_string_append_printf(text, "%s> user", frame_context(before));
	}
	if (!text->len || !g_str_has_suffix(text->str, "user"))
		g_string_append(text, "task");
	return g_string_free(text, FALSE);
}

/* The idle task waits for interrupts there, and holds nothing. */
static bool is_idle(const char *frame)
{
	static const char *const names[] = {
		"default_idle", "default_idle_call", "native_safe_halt", "pv_native_safe_halt",
		"acpi_safe_halt", "mwait_idle", "intel_idle", "poll_idle", "cpu_idle_poll",
		"arch_cpu_idle", NULL,
	};
	g_autofree char *name = g_strndup(frame, strcspn(frame, ".+"));

	return g_strv_contains(names, name);
}

/*
 * Of what was interrupted on this vCPU, what may hold `lock`: it does not wait for it, and is not the
 * idle loop. "f+0x1/0x2 or g+0x3/0x4"; NULL if there is nothing.
 */
static char *may_hold(const struct hang_cpu *cpu, uint64_t lock)
{
	GString *who = g_string_new(NULL);
	unsigned context = 0;

	for (unsigned i = 0; i + 1 < HANG_FRAMES_MAX && cpu->frame[i] && cpu->frame[i + 1]; i++) {
		if (!is_marker(cpu->frame[i]))
			continue;
		context++;
		if ((context < HANG_CONTEXTS_MAX && cpu->lock[context].addr == lock) ||
		    is_idle(cpu->frame[i + 1]))
			continue;
		g_string_append_printf(who, "%s%s", who->len ? " or " : "", cpu->frame[i + 1]);
	}
	return g_string_free(who, !who->len);
}

/*
 * Who can hold a spinlock? Its holder does not sleep: it is what some vCPU runs, or what an interrupt
 * or NMI took a vCPU away from. What waits for the lock itself, is idle, or runs user code does not.
 * Only told where all stacks are certain.
 */
static char *holder(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n,
		    const struct hang_lock *lock)
{
	g_autofree char *found = NULL;
	unsigned which = 0;

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *who = NULL;

		if (states[i] == CPU_IDLE || states[i] == CPU_USER)
			continue;
		if (!stack_certain(&cpus[i]) || lock->guessed ||
		    wanted(&cpus[i])->addr != lock->addr)
			return NULL;
		who = may_hold(&cpus[i], lock->addr);
		if (who && found)
			return NULL;
		if (!who)
			continue;
		found = g_steal_pointer(&who);
		which = i;
	}
	return found ? g_strdup_printf("it can only be held by what vCPU %u was interrupted in: %s",
				       which, found) :
		       g_strdup("nobody who runs can hold it: it was taken twice or never released");
}

static char *lock_label(const struct hang_lock *lock)
{
	return lock->name ? g_strdup_printf("%s (0x%" G_GINT64_MODIFIER "x)", lock->name,
					    lock->addr) :
			    g_strdup_printf("0x%" G_GINT64_MODIFIER "x%s", lock->addr,
					    lock->guessed ? " (a guess)" : "");
}

static char *waiters(const struct hang_cpu *cpus, unsigned n, uint64_t lock)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < n; i++)
		if (wanted(&cpus[i])->addr == lock)
			g_string_append_printf(text, "%s%u", text->len ? "," : "", i);
	return g_string_free(text, FALSE);
}

/* A line a lock: "lock vmap_area_lock (0x...), word 0x...: vCPUs 0,1,2 wait for it". */
static char *locks(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *label = lock_label(wanted(&cpus[i]));
		g_autofree char *list = waiters(cpus, n, wanted(&cpus[i])->addr);
		g_autofree char *who = NULL;
		bool seen = false;

		for (unsigned j = 0; j < i && !seen; j++)
			seen = wanted(&cpus[j])->addr == wanted(&cpus[i])->addr;
		if (seen || !wanted(&cpus[i])->addr)
			continue;
		who = holder(cpus, states, n, wanted(&cpus[i]));
		g_string_append_printf(text, "lock %s, word 0x%x: vCPU%s %s wait%s for it%s%s\n",
				       label, wanted(&cpus[i])->word, strchr(list, ',') ? "s" : "",
				       list, strchr(list, ',') ? "" : "s", who ? "; " : "",
				       who ? who : "");
	}
	return g_string_free(text, FALSE);
}

/* --- the table --------------------------------------------------------------------------------- */

static void add_frames(GString *text, const char *const *frame)
{
	const char *sep = ": ";

	for (unsigned i = 0; i < HANG_FRAMES_MAX && frame[i]; i++) {
		g_string_append_printf(text, "%s%s", sep, frame[i]);
		/* "<nmi>" stands where the arrow would: what follows did not call it */
		sep = is_marker(frame[i]) || (i + 1 < HANG_FRAMES_MAX && frame[i + 1] &&
					      is_marker(frame[i + 1])) ? " " : " <- ";
	}
}

static void add_stack(GString *text, const struct hang_cpu *cpu)
{
	add_frames(text, cpu->frame);
	for (unsigned i = 0; !cpu->frame[0] && i < STACK_MAX && cpu->stack[i]; i++)
		g_string_append_printf(text, "%s%s", i ? " <- " : ": ", cpu->stack[i]);
}

static char *table(const struct hang_cpu *cpus, const enum cpu_state *states, unsigned n)
{
	GString *text = g_string_new(NULL);
	g_autofree char *held = locks(cpus, states, n);

	for (unsigned i = 0; i < n && i < AUTOPSY_LINES_MAX; i++) {
		bool plain = states[i] == CPU_USER || states[i] == CPU_IDLE;
		g_autofree char *context = plain ? NULL : nesting(&cpus[i]);
		g_autofree char *lock = wanted(&cpus[i])->addr ? lock_label(wanted(&cpus[i])) : NULL;

		g_string_append_printf(text, "vCPU %u: %s%s%s%s%s, rip 0x%" G_GINT64_MODIFIER "x",
				       i, state_names[states[i]], lock ? " on " : "",
				       lock ? lock : "", context ? ", in " : "",
				       context ? context : "",
				       cpus[i].rip[cpus[i].frame[0] ? 1 : 0]);
		add_stack(text, &cpus[i]);
		g_string_append_c(text, '\n');
	}
	g_string_append(text, held);
	return g_string_free(text, FALSE);
}

/* "; vCPUs 0,1 wait for vmap_area_lock": the lock with the most waiters. */
static char *main_lock(const struct hang_cpu *cpus, unsigned n)
{
	g_autofree char *list = NULL;
	unsigned best = 0, which = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned count = 0;

		for (unsigned j = 0; wanted(&cpus[i])->addr && j < n; j++)
			count += wanted(&cpus[j])->addr == wanted(&cpus[i])->addr;
		if (count > best) {
			best = count;
			which = i;
		}
	}
	if (!best || !wanted(&cpus[which])->name)
		return g_strdup("");
	list = waiters(cpus, n, wanted(&cpus[which])->addr);
	return g_strdup_printf("; vCPU%s %s wait%s for %s", best > 1 ? "s" : "", list,
			       best > 1 ? "" : "s", wanted(&cpus[which])->name);
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
	g_autofree char *silent = NULL, *tops = NULL, *lock = NULL;

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
	lock = main_lock(cpus, ncpus);
	ret->reason = g_strdup_printf("heartbeats of vCPUs %s stopped%s%s",
				      *silent ? silent : "-", tops, lock);
	ret->excerpt = table(cpus, states, ncpus);
}

/* "a task sleeps in f <- g": names and numbers of tasks would make each title another one. */
static void title_of_tasks(const struct evidence *ev, struct autopsy *autopsy)
{
	g_autofree char *chain = NULL;

	for (unsigned i = 0; i < ev->n_tasks && !chain; i++)
		chain = autopsy_chain(ev->tasks[i].stack, STACK_MAX, CHAIN_MAX);
	if (!chain || autopsy->kind != KIND_SILENT_STOP)
		return;
	g_free(autopsy->title);
	autopsy->title = g_strdup_printf("silent-stop: a task sleeps in %s", chain);
}

void autopsy_add_tasks(const struct evidence *ev, struct autopsy *autopsy)
{
	GString *text;

	if (!ev->n_tasks && !ev->no_tasks)
		return;
	text = g_string_new(autopsy->excerpt);
	for (unsigned i = 0; i < ev->n_tasks; i++) {
		g_string_append_printf(text, "task %s (%d) sleeps uninterruptibly", ev->tasks[i].comm,
				       ev->tasks[i].pid);
		add_frames(text, ev->tasks[i].frame);
		g_string_append_c(text, '\n');
	}
	if (ev->blocked > ev->n_tasks)
		g_string_append_printf(text, "and %u more tasks\n", ev->blocked - ev->n_tasks);
	if (ev->no_tasks)
		g_string_append_printf(text, "sleeping tasks cannot be listed: %s\n", ev->no_tasks);
	title_of_tasks(ev, autopsy);
	g_free(autopsy->excerpt);
	autopsy->excerpt = g_string_free(text, FALSE);
}

void autopsy_clear(struct autopsy *autopsy)
{
	g_free(autopsy->title);
	g_free(autopsy->reason);
	g_free(autopsy->excerpt);
	*autopsy = (struct autopsy){ 0 };
}
