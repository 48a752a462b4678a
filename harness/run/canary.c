// SPDX-License-Identifier: GPL-2.0-or-later
/* The canaries' table and the host's half of their faults. See canary.h. */
#include "run/canary.h"

#include <fnmatch.h>
#include <string.h>

#define RFLAGS_IF (UINT32_C(1) << 9)
#define TEXT_STEP 65536
#define TEXT_REACH (6 << 20)	/* bytes of kernel text searched, either way */

/* --- moments and places ------------------------------------------------------------------------- */

static bool in_kernel(const struct guest_regs *regs)
{
	return !regs->cpl && regs->rip >> 63;
}

/* Its interrupts are on: no lock that others would spin on with them off is held. */
static bool at_ease(const struct guest_regs *regs)
{
	return in_kernel(regs) && regs->rflags & RFLAGS_IF;
}

/* The first "jmp ." (EB FE) in a piece of text, be it the middle of another instruction; 0: none. */
static uint64_t find_loop_in(struct guest *g, unsigned cpu, uint64_t at)
{
	g_autofree uint8_t *text = g_malloc(TEXT_STEP);

	if (!guest_read_virt(g, cpu, at, text, TEXT_STEP, NULL))
		return 0;
	for (size_t i = 0; i + 1 < TEXT_STEP; i++)
		if (text[i] == 0xeb && text[i + 1] == 0xfe)
			return at + i;
	return 0;
}

/* Kernel text is full of that pair, and it is there to be executed: nothing needs to be written. */
static uint64_t find_loop(struct guest *g, unsigned cpu, uint64_t rip)
{
	uint64_t near = rip & ~(uint64_t)(TEXT_STEP - 1), found = 0;

	for (int64_t off = 0; !found && off < TEXT_REACH; off += TEXT_STEP)
		found = find_loop_in(g, cpu, near - off);
	for (int64_t off = TEXT_STEP; !found && off < TEXT_REACH; off += TEXT_STEP)
		found = find_loop_in(g, cpu, near + off);
	return found;
}

static json_t *describe(const struct guest_cpu_set *sets, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:i, s:I, s:I}", "vcpu", (int)sets[i].cpu,
						      "rip", (json_int_t)sets[i].rip, "rflags",
						      (json_int_t)sets[i].rflags));
	return json_pack("{s:o}", "set", list);
}

/* What to set of a paused guest; how many vCPUs, 0 when the moment does not suit. */
typedef unsigned choose_fn(struct guest *g, const struct guest_regs *regs,
			   struct guest_cpu_set *sets);

static enum canary_try set_registers(struct guest *g, choose_fn *choose, json_t **ret_what,
				     GError **error)
{
	struct guest_regs regs[CANARY_VCPUS];
	struct guest_cpu_set sets[CANARY_VCPUS];
	unsigned n;

	if (!guest_pause(g, true, error) || !guest_read_regs(g, regs, CANARY_VCPUS, error))
		return CANARY_FAILED;
	n = choose(g, regs, sets);
	if (!n)
		return guest_pause(g, false, error) ? CANARY_AGAIN : CANARY_FAILED;
	if (!guest_set_cpus(g, sets, n, error))
		return CANARY_FAILED;
	*ret_what = describe(sets, n);
	return CANARY_DONE;
}

/* --- the host's halves -------------------------------------------------------------------------- */

#define VICTIM (CANARY_VCPUS - 1)	/* vCPU 0 has the console and the agent's UART */

static unsigned choose_oops(struct guest *g, const struct guest_regs *regs,
			    struct guest_cpu_set *sets)
{
	if (!at_ease(&regs[VICTIM]))
		return 0;
	sets[0] = (struct guest_cpu_set){ VICTIM, 0, regs[VICTIM].rflags };
	return 1;
}

static enum canary_try oops(struct guest *g, json_t **ret_what, GError **error)
{
	return set_registers(g, choose_oops, ret_what, error);
}

/*
 * In a task, interrupts on. Not in the idle task: its interrupts tell the watchdog that all is well. A
 * kernel that preempts itself takes the CPU from that task, and then the task never comes back.
 */
static unsigned choose_soft_lockup(struct guest *g, const struct guest_regs *regs,
				   struct guest_cpu_set *sets)
{
	const struct guest_regs *victim = &regs[VICTIM];
	uint64_t loop = at_ease(victim) && !victim->halted ? find_loop(g, VICTIM, victim->rip) : 0;

	sets[0] = (struct guest_cpu_set){ VICTIM, loop, victim->rflags };
	return loop ? 1 : 0;
}

static enum canary_try soft_lockup(struct guest *g, json_t **ret_what, GError **error)
{
	return set_registers(g, choose_soft_lockup, ret_what, error);
}

/* Not halted: with interrupts off it would stay so, and that is another fault. */
static unsigned choose_stuck(struct guest *g, const struct guest_regs *regs,
			     struct guest_cpu_set *sets)
{
	const struct guest_regs *victim = &regs[VICTIM];
	uint64_t loop = at_ease(victim) && !victim->halted ? find_loop(g, VICTIM, victim->rip) : 0;

	sets[0] = (struct guest_cpu_set){ VICTIM, loop, victim->rflags & ~RFLAGS_IF };
	return loop ? 1 : 0;
}

static enum canary_try stuck(struct guest *g, json_t **ret_what, GError **error)
{
	return set_registers(g, choose_stuck, ret_what, error);
}

/* All asleep at once, and what would wake them is masked. */
static unsigned choose_stop(struct guest *g, const struct guest_regs *regs,
			    struct guest_cpu_set *sets)
{
	for (unsigned i = 0; i < CANARY_VCPUS; i++) {
		if (!at_ease(&regs[i]) || !regs[i].halted)
			return 0;
		sets[i] = (struct guest_cpu_set){ i, regs[i].rip, regs[i].rflags & ~RFLAGS_IF };
	}
	return CANARY_VCPUS;
}

static enum canary_try silent_stop(struct guest *g, json_t **ret_what, GError **error)
{
	return set_registers(g, choose_stop, ret_what, error);
}

static enum canary_try pause_all(struct guest *g, json_t **ret_what, GError **error)
{
	if (!guest_pause(g, true, error))
		return CANARY_FAILED;
	*ret_what = json_object();
	return CANARY_DONE;
}

/* --- the table ---------------------------------------------------------------------------------- */

static const struct canary canaries[] = {
	{ .name = "quiet", .summary = "nothing happens", .by = "nobody", .duration_s = 3,
	  .value = VERDICT_CLEAN },
	{ .name = "panic", .summary = "the kernel panics (sysrq)", .by = "guest",
	  .value = VERDICT_AFFECTED,
	  .want = { { KIND_PANIC, "panic: *sysrq*" },
		    { KIND_OOPS, "oops: * in sysrq_handle_crash" } } },
	{ .name = "oops", .summary = "a vCPU executes address 0", .by = "host",
	  .value = VERDICT_AFFECTED, .want = { { KIND_OOPS, "oops: NULL pointer dereference*" } },
	  .provoke = oops },
	{ .name = "soft-lockup", .summary = "a vCPU loops in the kernel, interrupts on",
	  .by = "host", .duration_s = 5, .value = VERDICT_AFFECTED,
	  .want = { { KIND_LOCKUP, "*lockup*" }, { KIND_HUNG_TASK, "hung-task: *" } },
	  .provoke = soft_lockup },
	{ .name = "stuck-cpu", .summary = "a vCPU loops with interrupts off, the others live",
	  .by = "host", .value = VERDICT_AFFECTED, .want = { { KIND_LOCKUP, "lockup: *" } },
	  .provoke = stuck },
	{ .name = "ipi-deadlock", .summary = "a vCPU waits for one that loops with interrupts off",
	  .by = "host", .value = VERDICT_AFFECTED,
	  /* a kernel that tells no symbols does not tell who waits for whom */
	  .want = { { KIND_DEADLOCK, "deadlock: *" }, { KIND_LOCKUP, "lockup: *(no symbols)" } },
	  .provoke = stuck },
	{ .name = "lock-program", .summary = "BPF programs on a spin lock function take a lock",
	  .by = "guest", .value = VERDICT_AFFECTED,
	  .want = { { KIND_DEADLOCK, "deadlock: *" }, { KIND_LOCKUP, "lockup: *" } } },
	{ .name = "silent-stop", .summary = "all vCPUs halt with interrupts off", .by = "host",
	  .value = VERDICT_AFFECTED,
	  .want = { { KIND_SILENT_STOP, "silent-stop: vCPUs 0,1 halted with IRQs off" } },
	  .provoke = silent_stop },
	{ .name = "killed-init", .summary = "PID 1 dies of a trap", .by = "guest",
	  .value = VERDICT_AFFECTED, .want = { { KIND_KILLED_TASK, "*init*" } } },
	{ .name = "reset", .summary = "the guest resets without a word", .by = "guest",
	  .value = VERDICT_AFFECTED, .want = { { KIND_SILENT_STOP, "silent-stop: the guest reset" } } },
	{ .name = "taint", .summary = "the kernel is tainted as after an oops", .by = "guest",
	  .duration_s = 2, .value = VERDICT_AFFECTED,
	  .want = { { KIND_OOPS, "oops: the kernel is tainted 'D'*" } } },
	{ .name = "flood", .summary = "the console is flooded for 10 s", .by = "guest",
	  .duration_s = 10, .value = VERDICT_INCONCLUSIVE },
	{ .name = "paused", .summary = "the engine stops all vCPUs", .by = "host",
	  .value = VERDICT_INFRA, .infra = INFRA_PAUSED, .provoke = pause_all },
	{ NULL },
};

const struct canary *canary_all(void)
{
	return canaries;
}

const struct canary *canary_of_probe(const char *probe)
{
	if (!g_str_has_prefix(probe, CANARY_PREFIX))
		return NULL;
	for (const struct canary *c = canaries; c->name; c++)
		if (g_str_equal(c->name, probe + strlen(CANARY_PREFIX)))
			return c;
	return NULL;
}

enum canary_try canary_provoke(const struct canary *c, struct guest *g, json_t **ret_what,
			       GError **error)
{
	if (g->smp == CANARY_VCPUS)
		return c->provoke(g, ret_what, error);
	lab_fail(error, LAB_ERROR_USAGE, "a canary wants %d vCPUs, the guest has %u", CANARY_VCPUS,
		 g->smp);
	return CANARY_FAILED;
}

/* --- planning ----------------------------------------------------------------------------------- */

#define DURATION_S 20	/* of a run that its fault ends: more than any detector takes */

static char **list_of(const char *item)
{
	char **list = g_new0(char *, 2);

	list[0] = g_strdup(item);
	return list;
}

struct probe_info *canary_probe_new(const struct canary *c)
{
	struct probe_info *p = g_new0(struct probe_info, 1);

	p->name = g_strconcat(CANARY_PREFIX, c->name, NULL);
	p->summary = g_strdup(c->summary);
	p->hazards = list_of(NULL);
	p->kconfig = list_of(NULL);
	p->amplify = list_of(NULL);
	p->counters = list_of("samples");
	p->min_cpus = CANARY_VCPUS;
	p->duration_s = c->duration_s ? c->duration_s : DURATION_S;
	return p;
}

/* --- judging the judge -------------------------------------------------------------------------- */

static bool fits(const struct canary_want *want, const struct verdict *given)
{
	return want->kind != KIND_NONE && given->kind == want->kind &&
	       (!want->title || (given->title && fnmatch(want->title, given->title, 0) == 0));
}

enum canary_answer canary_check(const struct canary *c, const struct verdict *given)
{
	if (given->value == VERDICT_UNSUPPORTED ||
	    (given->value == VERDICT_INFRA && given->infra != c->infra))
		return CANARY_UNSHOWN;
	if (given->value != c->value)
		return CANARY_WRONG;
	if (c->value != VERDICT_AFFECTED || fits(&c->want[0], given) || fits(&c->want[1], given))
		return CANARY_RIGHT;
	return CANARY_WRONG;
}

char *canary_wanted(const struct canary *c)
{
	GString *text = g_string_new(verdict_value_name(c->value));

	if (c->infra != INFRA_NONE)
		g_string_append_printf(text, " %s", infra_class_name(c->infra));
	for (size_t i = 0; i < G_N_ELEMENTS(c->want) && c->want[i].kind != KIND_NONE; i++)
		g_string_append_printf(text, "%s'%s'", i ? " or " : " ", c->want[i].title);
	return g_string_free(text, FALSE);
}
