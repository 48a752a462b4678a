// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of vCPUs with whole stacks and locks: contexts, waiters, who can hold the lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "judge/autopsy.h"

#include <string.h>

#define RIP { 0xffffffff81001000, 0xffffffff81001010 }
#define OFF { 0x46, 0x46 }
#define ON { 0x246, 0x246 }
#define SPIN "queued_spin_lock_slowpath"
#define LOCK 0xffffffff82001234
#define VMAP { LOCK, 1, "vmap_area_lock", false }
#define NMI_STACK { SPIN, "find_vmap_area", "__check_object_size", "strncpy_from_user",           \
		    "strncpy_from_user_nofault", "bpf_probe_read_user_str", "?", "bpf_trace_run3",    \
		    "nmi_handle", "exc_nmi", "end_repeat_nmi" }
#define NMI_FRAMES SPIN "+0x2c/0x260", "find_vmap_area+0x15/0x60",                                \
		   "0xffffffffa0000178 (module or BPF)", "exc_nmi+0xd9/0x100",                     \
		   "end_repeat_nmi+0x16/0x1f", "<nmi>"

struct autopsy_case {
	const char *name;
	unsigned n;
	struct hang_cpu cpu[3];
	const char *want[4];	/* all occur in the table */
	const char *never;	/* and this does not */
};

static const struct autopsy_case cases[] = {
	{ "the holder is what an NMI interrupted", 3,
	  { { RIP, OFF, .stack = NMI_STACK, .lock = { VMAP, VMAP },
	      .frame = { NMI_FRAMES, SPIN "+0x2c/0x260", "alloc_vmap_area+0x24e/0x850",
			 "entry_SYSCALL_64_after_hwframe+0x4b/0xb5", "<user>" } },
	    { RIP, OFF, .stack = NMI_STACK, .lock = { VMAP },
	      .frame = { NMI_FRAMES, "s_show+0x7e/0x1f0", "vfs_read+0x1/0x2",
			 "entry_SYSCALL_64_after_hwframe+0x4b/0xb5", "<user>" } },
	    { RIP, OFF, .stack = NMI_STACK, .lock = { VMAP },
	      .frame = { NMI_FRAMES, "default_idle+0x10/0x20", "do_idle+0xa3/0x100" } } },
	  { "vCPU 0: spins on vmap_area_lock (0xffffffff82001234), in nmi> task, rip "
	    "0xffffffff81001010: " SPIN "+0x2c/0x260 <- find_vmap_area+0x15/0x60 <- 0xffffffffa0000178 "
	    "(module or BPF) <- exc_nmi+0xd9/0x100 <- end_repeat_nmi+0x16/0x1f <nmi> " SPIN "+0x2c",
	    "0xb5 <user>\nvCPU 1: ",
	    "lock vmap_area_lock (0xffffffff82001234), word 0x1: vCPUs 0,1,2 wait for it; it can only "
	    "be held by what vCPU 1 was interrupted in: s_show+0x7e/0x1f0\n" } },
	{ "an NMI in an interrupt: both may hold it", 1,
	  { { RIP, OFF, .stack = NMI_STACK, .lock = { VMAP },
	      .frame = { NMI_FRAMES, "raise_softirq+0x0/0x80",
			 "asm_sysvec_apic_timer_interrupt+0x16/0x20", "<irq>",
			 "insert_vmap_area+0x2d/0xf0", "ret_from_fork+0x22/0x30" } } },
	  { "in nmi> irq> task", "vCPU 0 waits for it; it can only be held by what vCPU 0 was "
	    "interrupted in: raise_softirq+0x0/0x80 or insert_vmap_area+0x2d/0xf0" } },
	{ "an interrupt of user code", 1,
	  { { RIP, OFF, .stack = { SPIN, "tick_handler", "sysvec_x", "asm_sysvec_x" },
	      .lock = { { LOCK, 0x101, NULL, false } },
	      .frame = { SPIN "+0x1/0x2", "tick_handler+0x1/0x2", "asm_sysvec_x+0x16/0x20",
			 "<user>" } } },
	  { "spins on 0xffffffff82001234, in irq> user, rip", "word 0x101: vCPU 0 waits for it; nobody "
	    "who runs can hold it: it was taken twice or never released" } },
	{ "guessed stacks name no holder", 1,
	  { { RIP, OFF, .stack = { SPIN, "f" }, .lock = { VMAP },
	      .frame = { SPIN "+0x1/0x2", "? f+0x1/0x2" } } },
	  { "in task", "vCPU 0 waits for it\n" }, "held by" },
	{ "another vCPU runs kernel code", 2,
	  { { RIP, OFF, .stack = { SPIN, "f" }, .lock = { VMAP },
	      .frame = { SPIN "+0x1/0x2", "f+0x1/0x2" } },
	    { RIP, OFF, .stack = { "g" }, .frame = { "g+0x1/0x2" } } },
	  { "vCPU 0 waits for it\n" }, "held" },
	{ "no names at all", 2,
	  { { RIP, OFF, .pauses = true, .stack = { "?", "?" },
	      .lock = { { LOCK, 1, NULL, true } },
	      .frame = { "0xffffffff81001010", "0xffffffff81002000" } },
	    { RIP, OFF, .pauses = true, .stack = { "?" }, .lock = { { LOCK, 1, NULL, true } },
	      .frame = { "0xffffffff81001010" } } },
	  { "spins on 0xffffffff82001234 (a guess), in task",
	    "lock 0xffffffff82001234 (a guess), word 0x1: vCPUs 0,1 wait for it\n" }, "held" },
	{ "a journal without frames", 1, { { RIP, OFF, .stack = { SPIN, "f" } } },
	  { "vCPU 0: spins, rip 0xffffffff81001000: " SPIN " <- f\n" }, "lock 0x" },
};

static void test_tables(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct autopsy_case *c = &cases[i];
		struct autopsy a;

		autopsy_hang(c->cpu, c->n, &a);
		for (unsigned w = 0; w < G_N_ELEMENTS(c->want) && c->want[w]; w++)
			if (!strstr(a.excerpt, c->want[w]))
				fail_msg("%s: no '%s' in:\n%s", c->name, c->want[w], a.excerpt);
		if (c->never && strstr(a.excerpt, c->never))
			fail_msg("%s: '%s' in:\n%s", c->name, c->never, a.excerpt);
		assert_int_equal(a.kind, KIND_DEADLOCK);
		autopsy_clear(&a);
	}
}

/* A title is short, and keeps the context. */
static void test_title(void **state)
{
	struct autopsy a;

	autopsy_hang(cases[0].cpu, 1, &a);
	assert_string_equal(a.title, "deadlock: find_vmap_area <- __check_object_size <- "
				     "strncpy_from_user <- bpf <- nmi");
	assert_non_null(strstr(a.reason, "; vCPU 0 waits for vmap_area_lock"));
	autopsy_clear(&a);
}

/* What was interrupted is another thing each time. */
#define TICK "tick_sched_timer", "__sysvec_apic_timer_interrupt", "asm_sysvec_apic_timer_interrupt"
#define TICK_FRAMES "tick_sched_timer+0x1/0x2", "asm_sysvec_apic_timer_interrupt+0x1/0x2", "<irq>"

/* Two locks taken crosswise, with interrupts on: the tick that one is met in waits for nothing. */
static void test_lock_below_interrupt(void **state)
{
	const struct hang_cpu cpus[2] = {
		{ RIP, ON, .stack = { TICK, SPIN, "ab" },
		  .frame = { TICK_FRAMES, SPIN "+0x1/0x2", "ab+0x1/0x2" },
		  .lock = { { 0 }, { LOCK, 1, "lock_b", false } } },
		{ RIP, ON, .stack = { SPIN, "ba" }, .frame = { SPIN "+0x1/0x2", "ba+0x1/0x2" },
		  .lock = { { LOCK + 64, 1, "lock_a", false } } },
	};
	struct autopsy a;

	autopsy_hang(cpus, 2, &a);
	assert_int_equal(a.kind, KIND_DEADLOCK);
	assert_non_null(strstr(a.excerpt, "vCPU 0: spins on lock_b (0x"));
	assert_non_null(strstr(a.excerpt, "vCPU 1: spins on lock_a (0x"));
	assert_non_null(strstr(a.excerpt, "\nlock lock_b (0x"));
	assert_non_null(strstr(a.excerpt, "\nlock lock_a (0x"));
	autopsy_clear(&a);
}

/* A cross call is waited for with interrupts on: the sample may find the tick. */
static void test_wait_below_interrupt(void **state)
{
	const struct hang_cpu stuck = { RIP, OFF, .stack = { "stuck" }, .frame = { "stuck+0x1/0x2" } };
	struct hang_cpu cpus[2] = {
		{ RIP, ON, .stack = { TICK, "smp_call_function_many_cond", "text_poke_bp_batch" },
		  .frame = { TICK_FRAMES, "smp_call_function_many_cond+0x1/0x2" } },
		stuck,
	};
	struct autopsy a;

	autopsy_hang(cpus, 2, &a);
	assert_int_equal(a.kind, KIND_DEADLOCK);
	assert_string_equal(a.title, "deadlock: text_poke_bp_batch");
	autopsy_clear(&a);
	/* what a guessed stack holds below the interrupt may be stale; and not all that is met waits */
	cpus[0].frame[1] = "? asm_sysvec_apic_timer_interrupt+0x1/0x2";
	autopsy_hang(cpus, 2, &a);
	assert_int_equal(a.kind, KIND_LOCKUP);
	autopsy_clear(&a);
	cpus[0] = (struct hang_cpu){ RIP, ON, .stack = { TICK, "memcpy" }, .frame = { TICK_FRAMES } };
	autopsy_hang(cpus, 2, &a);
	assert_int_equal(a.kind, KIND_LOCKUP);
	autopsy_clear(&a);
}

static void test_title_of_interrupt(void **state)
{
	static const char *const in_irq[] = { "stuck_handler", "handle_irq_event",
					      "__common_interrupt", "asm_common_interrupt",
					      "vfs_read", NULL };
	static const char *const tick[] = { "tick_sched_timer", "hrtimer_interrupt",
					    "asm_sysvec_apic_timer_interrupt", "endless_loop",
					    "vfs_read", NULL };
	g_autofree char *a = autopsy_chain(in_irq, 5, 5), *b = autopsy_chain(tick, 5, 5);

	assert_string_equal(a, "stuck_handler <- irq");
	assert_string_equal(b, "endless_loop <- vfs_read");
}

#define IDLE { RIP, ON, { true, true }, .stack = { "default_idle" },                              \
	       .frame = { "default_idle+0x1/0x2" } }

/* All idle: who sleeps is told, or why that is not known. */
static void test_tasks(void **state)
{
	static const struct hang_cpu idle[] = { IDLE, IDLE };
	static const struct hang_task tasks[] = {
		{ "kworker/0:1", 12, { "__schedule", "schedule", "mutex_lock", "cgroup_write" },
		  { "__schedule+0x1/0x2", "schedule+0x1/0x2", "mutex_lock+0x1/0x2",
		    "cgroup_write+0x1/0x2", "<user>" } },
		{ "b", 13, { NULL }, { NULL } },
	};
	struct evidence ev = { .end = JOB_END_HANG, .hang = idle, .ncpus = 2, .tasks = tasks,
			       .n_tasks = 2, .blocked = 5 };
	struct autopsy a;

	autopsy_hang(idle, 2, &a);
	autopsy_add_tasks(&ev, &a);
	assert_string_equal(a.title, "silent-stop: a task sleeps in cgroup_write");
	assert_non_null(strstr(a.excerpt, "vCPU 1: halted, rip 0xffffffff81001010: default_idle+0x1/0x2\n"));
	assert_non_null(strstr(a.excerpt, "\ntask kworker/0:1 (12) sleeps uninterruptibly: "
			       "__schedule+0x1/0x2 <- schedule+0x1/0x2 <- mutex_lock+0x1/0x2 <- "
			       "cgroup_write+0x1/0x2 <user>\ntask b (13) sleeps uninterruptibly\n"
			       "and 3 more tasks\n"));
	autopsy_clear(&a);

	ev = (struct evidence){ .end = JOB_END_HANG, .hang = idle, .ncpus = 2,
				.no_tasks = "the kernel has no BTF" };
	autopsy_hang(idle, 2, &a);
	autopsy_add_tasks(&ev, &a);
	assert_string_equal(a.title, "silent-stop: vCPUs 0,1 halted");
	assert_non_null(strstr(a.excerpt, "sleeping tasks cannot be listed: the kernel has no BTF\n"));
	autopsy_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_title_of_interrupt),
		cmocka_unit_test(test_lock_below_interrupt),
		cmocka_unit_test(test_wait_below_interrupt),
		cmocka_unit_test(test_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
