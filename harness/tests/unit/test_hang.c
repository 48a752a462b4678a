// SPDX-License-Identifier: GPL-2.0-or-later
/* Deadlock rules, waiting loops, noise, and the chains that titles are made of. */
#include "judge/autopsy.h"
#include "judge/hang.h"
#include "parse/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define IF_ON 0x246
#define IF_OFF 0x46
#define SPIN "native_queued_spin_lock_slowpath"

/* What a vCPU does in every sample of a window of 2.5 s, six samples; `odd` in one sample only. */
struct window_cpu {
	const char *symbol;
	uint64_t rflags;
	bool halted, pauses, user, odd, stack_moves;
	unsigned rip_step;	/* bytes between samples; 0: 1 */
};

enum ticks { TICKS_UNKNOWN, TICKS_PASS, TICKS_STAND };

struct window {
	const char *name;
	unsigned ncpus;
	uint64_t silent;
	struct window_cpu cpu[4];
	int64_t span_ms;	/* 0: 2500 */
	enum ticks jiffies;
	int64_t silent_s;	/* 0: 3 */
	bool no_time, paused, talks;
	double share;		/* of the wall time that the vCPUs had; 0: all */
	enum hang_rule want;
};

#define IDLE { "default_idle", IF_ON, .halted = true }
#define CSD "smp_call_function_many_cond"
#define FAR 4096

static const struct window windows[] = {
	{ "all spin", 4, 15, { { SPIN, IF_OFF }, { SPIN, IF_ON }, { SPIN, IF_ON }, { SPIN, IF_OFF } },
	  .want = HANG_D1 },
	{ "all spin, one knows its silence", 2, 1, { { SPIN, IF_OFF }, { SPIN, IF_ON } },
	  .want = HANG_D1 },
	{ "all spin, all beat: contention", 2, 0, { { SPIN, IF_OFF }, { SPIN, IF_OFF } },
	  .want = HANG_NONE },
	{ "one vCPU, self-deadlock", 1, 1, { { SPIN, IF_OFF } }, .want = HANG_D1 },
	{ "one of four, IRQs off", 4, 4,
	  { { "default_idle", IF_ON, .halted = true }, { "do_sys_poll", IF_ON },
	    { "queued_write_lock_slowpath", IF_OFF }, { "default_idle", IF_ON, .halted = true } },
	  .want = HANG_D2 },
	{ "one of two spins with IRQs on", 2, 1,
	  { { SPIN, IF_ON }, { "default_idle", IF_ON, .halted = true } }, .want = HANG_NONE },
	{ "spins with IRQs off but beats", 2, 2,
	  { { SPIN, IF_OFF }, { "default_idle", IF_ON, .halted = true } }, .want = HANG_NONE },
	{ "halted with IRQs off", 2, 2,
	  { { "default_idle", IF_ON, .halted = true }, { "panic", IF_OFF, .halted = true } },
	  .want = HANG_D3 },
	{ "offline on purpose", 2, 0,
	  { { "default_idle", IF_ON, .halted = true }, { "play_dead", IF_OFF, .halted = true } },
	  .want = HANG_NONE },
	{ "idle and silent", 2, 3,
	  { { "default_idle", IF_ON, .halted = true }, { "default_idle", IF_ON, .halted = true } },
	  .want = HANG_NONE },
	{ "one sample elsewhere", 1, 1, { { SPIN, IF_OFF, .odd = true } }, .want = HANG_NONE },
	{ "stack moves", 1, 1, { { SPIN, IF_OFF, .stack_moves = true } }, .want = HANG_NONE },
	{ "window too short", 1, 1, { { SPIN, IF_OFF } }, .span_ms = 1900, .want = HANG_NONE },
	{ "four vCPUs on two host CPUs", 1, 1, { { SPIN, IF_OFF } }, .share = 0.5, .want = HANG_D1 },
	{ "starved: too little time had", 1, 1, { { SPIN, IF_OFF } }, .share = 0.3,
	  .want = HANG_NONE },
	{ "starved for long", 1, 1, { { SPIN, IF_OFF } }, .share = 0.3, .span_ms = 4000,
	  .want = HANG_D1 },
	{ "no symbols, PAUSE", 2, 3, { { NULL, IF_OFF, .pauses = true },
				       { NULL, IF_OFF, .pauses = true } }, .want = HANG_D1 },
	{ "no symbols, no PAUSE", 1, 1, { { NULL, IF_OFF, .rip_step = FAR } }, .want = HANG_NONE },
	{ "D2: no symbols, no PAUSE, and goes nowhere", 1, 1, { { NULL, IF_OFF } }, .want = HANG_D2 },
	{ "PAUSE in user mode", 1, 1, { { NULL, IF_ON, .pauses = true, .user = true } },
	  .want = HANG_NONE },
	{ "unknown loop with PAUSE", 1, 1, { { "some_driver_wait", IF_OFF, .pauses = true } },
	  .want = HANG_D1 },
	{ "D4: cross call to a CPU that spins", 2, 3, { { CSD, IF_ON }, { SPIN, IF_OFF } },
	  .want = HANG_D4 },
	{ "D4: and the target does something unknown", 2, 3,
	  { { CSD, IF_ON }, { "frob", IF_OFF, .rip_step = FAR } }, .want = HANG_D4 },
	{ "D4: both wait for each other, interrupts off", 2, 3,
	  { { "csd_lock_wait", IF_OFF }, { "csd_lock_wait", IF_OFF } }, .want = HANG_D4 },
	{ "D4: the target is halted for good", 2, 3,
	  { { CSD, IF_ON }, { "panic", IF_OFF, .halted = true } }, .want = HANG_D4 },
	{ "cross call, the target takes interrupts", 2, 3,
	  { { CSD, IF_ON }, { "vfs_read", IF_ON, .rip_step = FAR } }, .want = HANG_NONE },
	{ "cross call, the target beats", 2, 1,
	  { { CSD, IF_ON }, { "vfs_read", IF_OFF, .rip_step = FAR } }, .want = HANG_NONE },
	{ "cross call, the target's stack moves", 2, 3,
	  { { CSD, IF_ON }, { "vfs_read", IF_OFF, .rip_step = FAR, .stack_moves = true } },
	  .want = HANG_NONE },
	{ "D4: an interrupt in between", 2, 2,
	  { { CSD, IF_ON, .odd = true }, { "vfs_read", IF_OFF, .rip_step = FAR } },
	  .want = HANG_D4 },
	{ "one cross call after the other", 2, 2,
	  { { CSD, IF_ON, .stack_moves = true }, { "vfs_read", IF_OFF, .rip_step = FAR } },
	  .want = HANG_NONE },
	{ "a CPU that awaits a cross call is not its own target", 1, 1,
	  { { CSD, IF_OFF, .stack_moves = true } }, .want = HANG_NONE },

	{ "D5: all idle, time passes", 2, 3, { IDLE, IDLE }, .jiffies = TICKS_PASS, .silent_s = 6,
	  .want = HANG_D5 },
	{ "all idle, not yet for long", 2, 3, { IDLE, IDLE }, .jiffies = TICKS_PASS, .silent_s = 4,
	  .want = HANG_NONE },
	{ "all idle, time stands: a stopped tick", 2, 3, { IDLE, IDLE }, .jiffies = TICKS_STAND,
	  .silent_s = 6, .want = HANG_NONE },
	{ "all idle, jiffies unknown", 2, 3, { IDLE, IDLE }, .silent_s = 6, .want = HANG_NONE },
	{ "all idle, one beats", 2, 1, { IDLE, IDLE }, .jiffies = TICKS_PASS, .silent_s = 6,
	  .want = HANG_NONE },
	{ "one runs", 2, 3, { IDLE, { "vfs_read", IF_ON, .rip_step = FAR } },
	  .jiffies = TICKS_PASS, .silent_s = 6, .want = HANG_NONE },
	{ "all idle, one with interrupts off", 2, 3,
	  { IDLE, { "default_idle", IF_OFF, .halted = true } }, .jiffies = TICKS_PASS,
	  .silent_s = 6, .want = HANG_D3 },

	{ "D6: runs, and jiffies stand", 2, 1, { { "vfs_read", IF_OFF, .rip_step = FAR }, IDLE },
	  .jiffies = TICKS_STAND, .want = HANG_D6 },
	{ "D6: with interrupts on, the timer is dead", 1, 1,
	  { { "vfs_read", IF_ON, .rip_step = FAR } }, .jiffies = TICKS_STAND, .want = HANG_D6 },
	{ "runs, and jiffies pass", 2, 1, { { "vfs_read", IF_OFF, .rip_step = FAR }, IDLE },
	  .jiffies = TICKS_PASS, .want = HANG_NONE },
	{ "runs, jiffies unknown", 2, 1, { { "vfs_read", IF_OFF, .rip_step = FAR }, IDLE },
	  .want = HANG_NONE },
	{ "runs in user mode, jiffies stand", 1, 1,
	  { { "main", IF_ON, .user = true, .rip_step = FAR } }, .jiffies = TICKS_STAND,
	  .want = HANG_NONE },
	{ "runs and beats, jiffies stand", 2, 2, { { "vfs_read", IF_OFF, .rip_step = FAR }, IDLE },
	  .jiffies = TICKS_STAND, .want = HANG_NONE },
	{ "prints on and on, jiffies stand", 2, 1,
	  { { "vprintk_emit", IF_OFF, .rip_step = FAR }, IDLE }, .jiffies = TICKS_STAND,
	  .talks = true, .want = HANG_NONE },

	{ "D7: paused", 2, 3, { { SPIN, IF_OFF }, { SPIN, IF_OFF } }, .paused = true,
	  .want = HANG_D7 },
	{ "D7: threads get no time", 2, 3, { { SPIN, IF_OFF }, IDLE }, .no_time = true,
	  .want = HANG_D7 },
	{ "D7: one wants time, stuck in user mode", 2, 3,
	  { { "main", IF_ON, .user = true }, IDLE }, .no_time = true, .want = HANG_D7 },
	{ "idle threads want no time", 2, 3, { IDLE, IDLE }, .no_time = true, .want = HANG_NONE },
	{ "dead ones neither", 2, 3,
	  { { "panic", IF_OFF, .halted = true }, { "panic", IF_OFF, .halted = true } },
	  .no_time = true, .want = HANG_D3 },
	{ "too early to miss time", 2, 3, { { SPIN, IF_OFF }, { SPIN, IF_OFF } }, .no_time = true,
	  .span_ms = 1500, .want = HANG_NONE },

	{ "D2: a tight loop without a name", 2, 1, { { "frob", IF_OFF }, IDLE }, .want = HANG_D2 },
	{ "a tight loop with interrupts on", 2, 1, { { "frob", IF_ON }, IDLE }, .want = HANG_NONE },
	{ "a wide loop", 2, 1, { { "frob", IF_OFF, .rip_step = 16 }, IDLE }, .want = HANG_NONE },
	{ "a tight loop of one who prints", 2, 1, { { "io_serial_in", IF_OFF }, IDLE },
	  .talks = true, .want = HANG_NONE },
	{ "waits for one who prints", 2, 1, { { SPIN, IF_OFF }, { "io_serial_in", IF_OFF } },
	  .talks = true, .want = HANG_NONE },
	{ "3.10 ticket lock", 2, 1, { { "_raw_spin_lock", IF_OFF, .pauses = true },
				      { "default_idle", IF_ON, .halted = true } }, .want = HANG_D2 },
};

#define SAMPLES 6

static struct hang_sample *window_make(const struct window *w)
{
	struct hang_sample *samples = g_new0(struct hang_sample, SAMPLES);
	int64_t span_ms = w->span_ms ? w->span_ms : 2500;

	for (unsigned i = 0; i < SAMPLES; i++) {
		samples[i].at_us = 1000000 + span_ms * 1000 * i / (SAMPLES - 1);
		samples[i].wall_us = 77000000 + samples[i].at_us;
		samples[i].at_us *= w->share ? w->share : 1;
		samples[i].run_us = 5000000 + (w->no_time ? 0 : samples[i].at_us);
		samples[i].jiffies = 4294937296 + (w->jiffies == TICKS_PASS ? i : 0);
		samples[i].jiffies_known = w->jiffies != TICKS_UNKNOWN;
		samples[i].paused = w->paused && i == 2;
		samples[i].talks = w->talks;
		for (unsigned c = 0; c < w->ncpus; c++) {
			const struct window_cpu *cpu = &w->cpu[c];
			bool away = cpu->odd && i == 3;

			samples[i].cpu[c] = (struct hang_sample_cpu){
				.rip = 0xffffffff81000000 + c * 65536 +
				       i * (cpu->rip_step ? cpu->rip_step : 1) + away * 4096,
				.rsp = 0xffff888000010000 * (c + 1) + (cpu->stack_moves ? i * 4096 : 0),
				.rflags = cpu->rflags,
				.halted = cpu->halted,
				.pauses = cpu->pauses,
				.cpl = cpu->user ? 3 : 0,
				.symbol = away ? "vfs_read" : cpu->symbol,
			};
		}
	}
	return samples;
}

static void test_rules(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(windows); i++) {
		const struct window *w = &windows[i];
		g_autofree struct hang_sample *samples = window_make(w);
		uint64_t silent[2] = { w->silent };
		const struct hang_window window = {
			.samples = samples, .n = SAMPLES, .ncpus = w->ncpus, .silent = silent,
			.silent_us = (w->silent_s ? w->silent_s : 3) * G_USEC_PER_SEC,
		};
		enum hang_rule rule = hang_judge(&window);

		if (rule != w->want)
			fail_msg("%s: rule %d, want %d", w->name, rule, w->want);
	}
}

static void test_too_little(void **unused)
{
	g_autofree struct hang_sample *samples = window_make(&windows[0]);
	uint64_t silent[2] = { 15 };

	const struct hang_window good = { .samples = samples, .n = SAMPLES, .ncpus = 4,
					  .silent = silent };
	struct hang_window w;

	assert_int_equal(hang_judge(&good), HANG_D1);
	w = good, w.n = 1;
	assert_int_equal(hang_judge(&w), HANG_NONE);
	w = good, w.n = 0;
	assert_int_equal(hang_judge(&w), HANG_NONE);
	w = good, w.ncpus = 0;
	assert_int_equal(hang_judge(&w), HANG_NONE);
	w = good, w.ncpus = HANG_CPUS_MAX + 1;
	assert_int_equal(hang_judge(&w), HANG_NONE);
	w = good, w.silent = NULL;
	assert_int_equal(hang_judge(&w), HANG_NONE);
}

/* What a guest did before it hung does not hide the hang, and its newest 2 s are what counts. */
static void test_newest_samples_count(void **unused)
{
	g_autofree struct hang_sample *samples = g_new0(struct hang_sample, 2 * SAMPLES);
	g_autofree struct hang_sample *hung = window_make(&windows[0]);
	uint64_t silent[2] = { 15 };
	struct hang_window w = { .samples = samples, .ncpus = 4, .silent = silent };

	for (unsigned i = 0; i < SAMPLES; i++) {
		samples[i] = samples[SAMPLES + i] = hung[i];
		samples[i].cpu[2].symbol = "vfs_read";
		samples[SAMPLES + i].at_us += 3000000;
		samples[SAMPLES + i].wall_us += 3000000;
		samples[SAMPLES + i].run_us += 3000000;
	}
	for (w.n = 2; w.n <= 2 * SAMPLES; w.n++)
		assert_int_equal(hang_judge(&w),
				 samples[w.n - 1].at_us >= hung[0].at_us + 5000000 ? HANG_D1 :
				 samples[w.n - 1].at_us >= hung[0].at_us + 2000000 ? HANG_D2 :
										      HANG_NONE);
	w.n = 2 * SAMPLES;
	assert_in_range(hang_window_start(&w), SAMPLES, SAMPLES + 1);
}

/* The wait must be in the samples that are shown, and in half of them. */
static void test_interrupted_wait(void **unused)
{
	static const struct {
		const char *at;	/* where the waiter is: w(aits), i(nterrupted) */
		enum hang_rule want;
	} cases[] = {
		{ "wwwwww", HANG_D4 },	 { "wiiwww", HANG_D4 },	  { "wiiwiw", HANG_D4 },
		{ "wwwwwi", HANG_NONE }, { "wiiiiw", HANG_NONE }, { "iiiiii", HANG_NONE },
	};
	static const struct window w = { "x", 2, 3, { { CSD, IF_ON },
						      { "vfs_read", IF_OFF, .rip_step = FAR } },
					 .span_ms = 2400 };
	uint64_t silent[2] = { 3 };

	for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
		g_autofree struct hang_sample *samples = window_make(&w);
		const struct hang_window window = { .samples = samples, .n = SAMPLES, .ncpus = 2,
						    .silent = silent };
		enum hang_rule rule;

		for (unsigned i = 0; i < SAMPLES; i++)
			if (cases[c].at[i] == 'i')
				samples[i].cpu[0].symbol = "native_apic_mem_write";
		rule = hang_judge(&window);
		if (rule != cases[c].want)
			fail_msg("%s: rule %d, want %d", cases[c].at, rule, cases[c].want);
	}
}

static void test_words(void **unused)
{
	for (int rule = HANG_D1; rule <= HANG_D7; rule++)
		assert_true(*hang_rule_words(rule));
	assert_null(hang_rule_words(HANG_NONE));
	assert_null(hang_rule_words(-1));
	assert_null(hang_rule_words(HANG_D7 + 1));
}

static void test_symbols(void **unused)
{
	static const struct {
		const char *name;
		bool spins, noise;
		const char *context;
	} names[] = {
		{ "native_queued_spin_lock_slowpath", true, true },
		{ "queued_spin_lock_slowpath", true, true },
		{ "__pv_queued_spin_lock_slowpath", true, true },
		{ "resilient_queued_spin_lock_slowpath", true, true },
		{ "queued_write_lock_slowpath", true, true },
		{ "_raw_spin_lock_irqsave", true, true },
		{ "smp_call_function_many_cond", true, true },
		{ "smp_call_function_single", true, true },
		{ "csd_lock_wait.constprop.0", true, true },
		{ "multi_cpu_stop", true, true },
		{ "osq_lock", true, true },
		{ "find_vmap_area", false, false },
		{ "__check_object_size.part.0", false, false },
		{ "copy_from_user_nofault", false, false },
		{ "poke_int3_handler", false, false },
		{ "smp_text_poke_int3_handler", false, false },
		{ "patch_cmp", false, false },
		{ "text_poke_bp_batch", false, false },
		{ "vmalloc", false, false },
		{ "asm_exc_nmi", false, true, "nmi" },
		{ "end_repeat_nmi", false, true, "nmi" },
		{ "sysvec_apic_timer_interrupt", false, true, "irq" },
		{ "exc_int3", false, true, "int3" },
		{ "do_int3", false, true, "int3" },
		{ "entry_SYSCALL_64_after_hwframe", false, true },
		{ "do_syscall_64", false, true },
		{ "schedule_timeout", false, true },
		{ "mutex_lock_nested", false, true },
		{ "page_fault_oops", false, true },
		{ "?", false, true },
		{ "", false, true },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *context = frame_context(names[i].name);

		if (hang_symbol_spins(names[i].name) != names[i].spins)
			fail_msg("%s: spins", names[i].name);
		if (hang_symbol_is_noise(names[i].name) != names[i].noise)
			fail_msg("%s: noise", names[i].name);
		if (g_strcmp0(context, names[i].context))
			fail_msg("%s: context %s", names[i].name, context);
	}
	assert_true(hang_symbol_is_noise(NULL));
	assert_false(hang_symbol_spins(NULL));
}

static void test_chains(void **unused)
{
	static const struct {
		const char *stack[12];
		const char *want;
	} chains[] = {
		{ { SPIN, "_raw_spin_lock", "find_vmap_area", "__check_object_size",
		    "copy_from_user_nofault", "bpf_probe_read_user", "?", "bpf_trace_run2",
		    "nmi_handle", "default_do_nmi", "exc_nmi", "end_repeat_nmi" },
		  "find_vmap_area <- __check_object_size <- copy_from_user_nofault <- bpf <- nmi" },
		{ { SPIN, "_raw_spin_lock", "alloc_vmap_area", "__get_vm_area_node",
		    "__vmalloc_node_range", "copy_process", "kernel_clone", "__do_sys_clone" },
		  "alloc_vmap_area <- __get_vm_area_node <- __vmalloc_node_range <- copy_process <- "
		  "kernel_clone" },
		{ { "exc_nmi", "vfs_read", "nmi_handle", "vfs_write" }, "vfs_read <- nmi" },
		{ { SPIN, "_raw_spin_lock", "?", "do_syscall_64" }, NULL },
		{ { "find_vmap_area", "find_vmap_area", "vfs_read", "find_vmap_area" },
		  "find_vmap_area <- vfs_read" },
		{ { NULL }, NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++) {
		g_autofree char *chain =
			autopsy_chain(chains[i].stack, G_N_ELEMENTS(chains[i].stack), 5);

		if (g_strcmp0(chain, chains[i].want))
			fail_msg("chain %u: '%s', want '%s'", i, chain, chains[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_too_little),
		cmocka_unit_test(test_newest_samples_count),
		cmocka_unit_test(test_interrupted_wait),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
