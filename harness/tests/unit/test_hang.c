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
};

struct window {
	const char *name;
	unsigned ncpus;
	uint64_t silent;
	struct window_cpu cpu[4];
	int64_t span_ms;	/* 0: 2500 */
	enum hang_rule want;
};

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
	{ "no symbols, PAUSE", 2, 3, { { NULL, IF_OFF, .pauses = true },
				       { NULL, IF_OFF, .pauses = true } }, .want = HANG_D1 },
	{ "no symbols, no PAUSE", 1, 1, { { NULL, IF_OFF } }, .want = HANG_NONE },
	{ "PAUSE in user mode", 1, 1, { { NULL, IF_ON, .pauses = true, .user = true } },
	  .want = HANG_NONE },
	{ "unknown loop with PAUSE", 1, 1, { { "some_driver_wait", IF_OFF, .pauses = true } },
	  .want = HANG_D1 },
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
		for (unsigned c = 0; c < w->ncpus; c++) {
			const struct window_cpu *cpu = &w->cpu[c];
			bool away = cpu->odd && i == 3;

			samples[i].cpu[c] = (struct hang_sample_cpu){
				.rip = 0xffffffff81000000 + c * 4096 + i,
				.rsp = 0xffff888000010000 * (c + 1) + (cpu->stack_moves ? i * 4096 : i),
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
		enum hang_rule rule = hang_judge(samples, SAMPLES, w->ncpus, silent);

		if (rule != w->want)
			fail_msg("%s: rule %d, want %d", w->name, rule, w->want);
	}
}

static void test_too_little(void **unused)
{
	g_autofree struct hang_sample *samples = window_make(&windows[0]);
	uint64_t silent[2] = { 15 };

	assert_int_equal(hang_judge(samples, 1, 4, silent), HANG_NONE);
	assert_int_equal(hang_judge(samples, 0, 4, silent), HANG_NONE);
	assert_int_equal(hang_judge(samples, SAMPLES, 0, silent), HANG_NONE);
	assert_int_equal(hang_judge(samples, SAMPLES, HANG_CPUS_MAX + 1, silent), HANG_NONE);
	assert_int_equal(hang_judge(samples, SAMPLES, 4, NULL), HANG_NONE);
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
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
