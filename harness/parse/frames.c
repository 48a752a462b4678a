// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of kernel functions by role. A pattern that ends in '*' is a prefix; compiler suffixes
 * (".part.0", ".isra.0", ".constprop.0", ".cold") never take part in the comparison.
 */
#include "parse/frames.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define PATTERNS_MAX 400 /* of one role */

enum role {
	ROLE_SPIN,
	ROLE_CROSS_CALL,
	ROLE_NMI,
	ROLE_IRQ,
	ROLE_INT3,
	ROLE_BPF,
	ROLE_ALLOCATOR,
	ROLE_MACHINERY,
	ROLE_NOISE,
};

/* Waiting loops. The ticket locks of 3.10 spin inside _raw_spin_lock itself. */
static const char *const spins[] = {
	"*queued_spin_lock_slowpath", "*queued_read_lock_slowpath", "*queued_write_lock_slowpath",
	"_raw_spin_lock*", "_raw_read_lock*", "_raw_write_lock*", "__ticket_spin_lock*",
	"ticket_spin_lock*", "do_raw_spin_lock", "__raw_spin_lock*", "__write_lock_failed",
	"__read_lock_failed", "osq_lock", "mutex_spin_on_owner", "rwsem_spin_on_owner",
	"rwsem_optimistic_spin", "mutex_optimistic_spin", "rt_mutex_adaptive_spinwait",
	"csd_lock_wait", "__csd_lock_wait", "csd_lock",
	"smp_call_function_many*", "smp_call_function_single*", "generic_exec_single",
	"multi_cpu_stop", "stop_machine_yield", "stop_machine_cpu_stop",
	NULL,
};

/* Waiting loops of cross calls: until other CPUs have answered an interrupt. */
static const char *const cross_calls[] = {
	"csd_lock_wait", "__csd_lock_wait", "csd_lock", "smp_call_function_many*",
	"smp_call_function_single*", "generic_exec_single", "native_flush_tlb_others", NULL,
};

static const char *const nmis[] = {
	"nmi", "asm_exc_nmi*", "exc_nmi*", "do_nmi", "default_do_nmi", "nmi_handle*", "end_repeat_nmi",
	"repeat_nmi", "first_nmi", "nested_nmi*", "nmi_restore", "nmi_no_fsgsbase", "nmi_swapgs",
	"unknown_nmi_error", "__bpf_trace_nmi_handler", "trace_nmi_handler",
	"perf_trace_nmi_handler", "__traceiter_nmi_handler", "perf_event_nmi_handler", NULL,
};

static const char *const irqs[] = {
	"sysvec_*", "__sysvec_*", "asm_sysvec_*", "common_interrupt", "__common_interrupt",
	"asm_common_interrupt", "do_IRQ",
	"apic_timer_interrupt", "smp_apic_timer_interrupt", "ret_from_intr", NULL,
};

static const char *const int3s[] = { "int3", "do_int3*", "exc_int3", "asm_exc_int3", NULL };

static const char *const bpfs[] = {
	"bpf_*", "__bpf_*", "___bpf_*", "trace_call_bpf", "__cgroup_bpf_*", "perf_trace_run_bpf_submit",
	"kprobe_multi_link_prog_run", NULL,
};

static const char *const allocators[] = {
	"kfree", "kfree_sensitive", "kzfree", "kvfree", "vfree", "kmalloc*", "__kmalloc*",
	"kmem_cache_alloc*", "__kmem_cache_alloc*", "kmem_cache_free*", "__kmem_cache_free*",
	"slab_alloc*", "slab_free*", "___slab_alloc", "__slab_alloc*", "new_slab*",
	"allocate_slab", "get_partial*", "get_from_partial_node", "get_any_partial",
	"free_to_pcs*", "alloc_from_pcs*", "refill_sheaf", "do_slab_free", "krealloc*",
	"__do_krealloc", "__free_pages*", "free_pages*", "__alloc_pages*", "get_page_from_freelist",
	"free_unref_page*", "free_pcp*", "__check_object_size", "__check_heap_object",
	"check_heap_object", "__fortify_report", "mempool_*", NULL,
};

static const char *const machinery[] = {
	/* schedule */
	"schedule*", "__schedule*", "io_schedule*", "preempt_schedule*", "__cond_resched*",
	"_cond_resched", "context_switch", "finish_task_switch*", "__switch_to*",
	"__ret_from_fork*", "ret_from_fork*", "kthread", "worker_thread", "process_one_work",
	"process_scheduled_works",
	/* entry */
	"entry_SYSCALL*", "entry_INT80*", "do_syscall_*", "do_int80_*", "do_fast_syscall_*",
	"x64_sys_call", "system_call_fast*", "syscall_return*", "syscall_exit*", "tracesys*",
	"sysret_*", "stub_*", "asm_*", "error_entry", "error_exit", "error_return", "error_code",
	"paranoid_*", "retint_*", "ret_from_intr", "common_interrupt*", "irq_entries_start",
	"apic_timer_interrupt", "smp_apic_timer_interrupt", "local_apic_timer_interrupt",
	"sysvec_*", "__sysvec_*", "run_*_on_irqstack*", "call_on_irqstack*", "irqentry_*",
	"exit_to_user_mode*", "do_IRQ", "handle_irq*", "irq_exit*", "__irq_exit_rcu",
	"irq_enter*", "do_softirq*", "__do_softirq", "__softirqentry_text_start",
	"handle_softirqs", "call_softirq", "invoke_softirq", "secondary_startup_64*",
	"start_secondary", "cpu_startup_entry", "do_idle", "call_cpuidle", "cpu_idle_loop",
	"common_startup_64", "int3", "do_int3*", "exc_int3", "xen_*int3",
	"copy_thread", "smp_call_function_single_interrupt", "call_function_*interrupt",
	"reschedule_interrupt", "flush_smp_call_function_queue", "__flush_smp_call_function_queue",
	"generic_smp_call_function_*", "csd_do_func",
	/* watchdogs and what they interrupt */
	"watchdog", "watchdog_timer_fn", "watchdog_overflow_callback*", "watchdog_hardlockup_*",
	"__run_hrtimer", "__hrtimer_run_queues", "hrtimer_interrupt", "hrtimer_run_queues",
	"run_timer_softirq", "call_timer_fn", "expire_timers", "__run_timers*", "tick_sched_*",
	"tick_nohz_*", "tick_handle_*", "tick_periodic", "update_process_times", "rcu_dump_*",
	"rcu_check_callbacks", "rcu_sched_clock_irq", "rcu_pending", "__rcu_pending",
	"check_cpu_stall", "print_cpu_stall*", "print_other_cpu_stall*", "sched_show_task*",
	"dump_cpu_task", "nmi_cpu_backtrace*", "nmi_trigger_cpumask_backtrace",
	"arch_trigger_cpumask_backtrace", "arch_trigger_all_cpu_backtrace*",
	"trigger_single_cpu_backtrace", "touch_*watchdog*", "__perf_event_overflow",
	"perf_event_overflow", "check_hung_*", "hrtimer_nanosleep", "msleep*", "usleep_range*",
	NULL,
};

static const char *const noise[] = {
	/* locks */
	"__raw_callee_save_*", "pv_queued_*", "__pv_queued_*", "_raw_spin_*", "_raw_read_*",
	"_raw_write_*", "native_queued_*", "queued_*", "do_raw_*", "__raw_spin_*", "resilient_*",
	"mutex_lock*", "__mutex_lock*", "__mutex_unlock*", "mutex_unlock", "ww_mutex_lock*",
	"down_read*", "down_write*", "down", "down_killable", "down_timeout", "__down*",
	"rwsem_down_*", "call_rwsem_down_*", "rwsem_optimistic_spin", "rt_mutex_*", "__rt_mutex_*",
	"rtlock_*", "rt_spin_lock*", "wait_for_completion*", "__wait_for_common",
	"wait_for_common", "do_wait_for_common", "__wait_on_bit*", "out_of_line_wait_on_*",
	"bit_wait*", "percpu_down_*", "percpu_rwsem_*", "__percpu_down_read", "lock_acquire",
	"lock_release", "__lock_acquire",
	/* faults and reports */
	"dump_stack*", "__dump_stack", "show_stack*", "show_trace*", "show_regs*", "print_trace*",
	"print_address_description*", "print_report", "kasan_report*", "__kasan_report*",
	"kasan_check_range", "__asan_*", "__kasan_*", "kasan_object_err", "check_memory_region*",
	"kcsan_*", "__tsan_*", "ubsan_*", "__ubsan_*", "panic", "vpanic", "nmi_panic",
	"check_panic_on_warn", "__warn*", "warn_slowpath_*", "report_bug*", "handle_bug", "fixup_bug*",
	"exc_invalid_op", "do_invalid_op", "invalid_op", "do_trap*", "do_error_trap",
	"die", "__die*", "die_addr", "oops_end", "oops_begin", "oops_exit", "no_context",
	"__bad_area*", "bad_area*", "page_fault_oops", "kernelmode_fixup_or_oops", "mm_fault_error",
	"pgtable_bad", "do_user_addr_fault", "do_kern_addr_fault", "__do_page_fault",
	"do_page_fault", "trace_do_page_fault", "exc_page_fault", "handle_page_fault",
	"page_fault", "do_async_page_fault", "async_page_fault", "general_protection",
	"do_general_protection", "exc_general_protection", "fixup_exception", "do_double_fault",
	"exc_double_fault", "double_fault", "divide_error", "do_divide_error", "exc_divide_error",
	"exc_debug*", "do_debug", "debug", "exc_stack_segment", "handle_stack_overflow",
	"do_exit*", "do_group_exit", "make_task_dead", "rewind_stack_*", "__x64_sys_exit*",
	"__stack_chk_fail", "fortify_panic", "__fortify_panic", "__list_add_valid*",
	"__list_del_entry_valid*", "__list_add", "__list_del_entry", "list_del", "refcount_*",
	"bad_page", "spin_dump", "spin_bug", "__might_resched", "___might_sleep", "__might_sleep",
	"__schedule_bug", "lockdep_rcu_suspicious", "print_circular_bug*", "print_usage_bug*",
	"print_unlock_imbalance_bug*", "check_noncircular", "check_prev_add*", "check_prevs_add",
	"validate_chain*", "mark_lock*", "debug_check_no_*", "debug_print_object", "debug_object_*",
	"__debug_check_no_obj_freed", "kasan_*", "end_report", "kfence_*", "kmsan_*", "__msan_*",
	"object_err", "slab_err", "print_trailer", "check_object", "check_bytes_and_report",
	"free_debug_processing", "alloc_debug_processing", "free_to_partial_list",
	"slab_pad_check", "free_consistency_checks", "alloc_consistency_checks", "on_freelist",
	"__slab_free*", "slab_bug", "print_bad_pte*", "handle_cfi_failure", "report_cfi_failure",
	"__cfi_*", "exc_control_protection", "do_unexpected_cp",
	"check_preemption_disabled", "debug_smp_processor_id", "__this_cpu_preempt_check",
	"usercopy_abort", "report_usercopy", "on_each_cpu*",
	"flush_tlb_*", "native_flush_tlb*", "arch_tlbbatch_flush",
	/* plain helpers: the caller is the guilty one */
	"memcpy*", "__memcpy*", "memset*", "__memset*", "memmove*", "__memmove*", "memcmp", "strlen",
	"strnlen", "strcmp", "strncmp", "strcpy", "strncpy", "strscpy", "strlcpy", "strchr",
	"copy_user_generic*", "copy_user_enhanced_*", "rep_movs_*", "rep_stos_*", "clear_page_*",
	"copy_page*", "delay_tsc", "__delay", "__const_udelay", "__udelay", "cpu_relax",
	"?", NULL,
};

/* A star stands for anything where the pattern begins or ends with it, or once in its middle. */
struct pattern {
	const char *text;
	uint8_t head, tail; /* bytes before and behind the star; head alone without one */
	bool star;
	int16_t next; /* of the same first byte, or -1 */
};

/* Patterns by first byte: every frame of every trace is looked up. */
struct table {
	const char *const *texts;
	gsize ready;
	struct pattern patterns[PATTERNS_MAX];
	int16_t first[128]; /* ['*']: those that begin with a star */
};

static struct table tables[] = {
	[ROLE_SPIN] = { .texts = spins },   [ROLE_CROSS_CALL] = { .texts = cross_calls },
	[ROLE_NMI] = { .texts = nmis },     [ROLE_IRQ] = { .texts = irqs },
	[ROLE_INT3] = { .texts = int3s },   [ROLE_BPF] = { .texts = bpfs },
	[ROLE_NOISE] = { .texts = noise },  [ROLE_ALLOCATOR] = { .texts = allocators },
	[ROLE_MACHINERY] = { .texts = machinery },
};

static void table_fill(struct table *table)
{
	memset(table->first, -1, sizeof(table->first));
	for (unsigned i = 0; table->texts[i]; i++) {
		struct pattern *p = &table->patterns[i];
		const char *text = table->texts[i], *star = strchr(text, '*');
		int16_t *first = &table->first[text[0] & 127];

		g_assert(i < PATTERNS_MAX);
		p->text = text;
		p->star = star != NULL;
		p->head = strcspn(text, "*");
		p->tail = star ? strlen(star + 1) : 0;
		p->next = *first;
		*first = i;
	}
}

static const struct table *table_get(enum role role)
{
	struct table *table = &tables[role];

	if (g_once_init_enter(&table->ready)) {
		table_fill(table);
		g_once_init_leave(&table->ready, 1);
	}
	return table;
}

static bool pattern_is(const struct pattern *p, const char *symbol, size_t len)
{
	if (p->star ? len < (size_t)p->head + p->tail : len != p->head)
		return false;
	return !memcmp(p->text, symbol, p->head) &&
	       !memcmp(p->text + p->head + 1, symbol + len - p->tail, p->tail);
}

static bool chain_has(const struct table *table, int16_t at, const char *symbol, size_t len)
{
	for (; at >= 0; at = table->patterns[at].next) {
		if (pattern_is(&table->patterns[at], symbol, len))
			return true;
	}
	return false;
}

static size_t symbol_len(const char *symbol)
{
	size_t n = 0;

	while (symbol && symbol[n] && symbol[n] != '.' && symbol[n] != '+' && symbol[n] != ' ')
		n++;
	return n;
}

static bool matches(enum role role, const char *symbol)
{
	const struct table *table = table_get(role);
	size_t len = symbol_len(symbol);

	return len && (chain_has(table, table->first[symbol[0] & 127], symbol, len) ||
		       chain_has(table, table->first['*'], symbol, len));
}

bool frame_spins(const char *symbol)
{
	return matches(ROLE_SPIN, symbol);
}

bool frame_awaits_ipi(const char *symbol)
{
	return matches(ROLE_CROSS_CALL, symbol);
}

bool frame_is_machinery(const char *symbol)
{
	return matches(ROLE_MACHINERY, symbol);
}

bool frame_is_allocator(const char *symbol)
{
	return matches(ROLE_ALLOCATOR, symbol);
}

bool frame_is_nmi(const char *symbol)
{
	return matches(ROLE_NMI, symbol);
}

const char *frame_context(const char *symbol)
{
	if (matches(ROLE_NMI, symbol))
		return "nmi";
	if (matches(ROLE_IRQ, symbol))
		return "irq";
	return matches(ROLE_INT3, symbol) ? "int3" : NULL;
}

bool frame_is_bpf(const char *symbol)
{
	return matches(ROLE_BPF, symbol);
}

bool frame_is_noise(const char *symbol)
{
	return !symbol || !*symbol || matches(ROLE_SPIN, symbol) || matches(ROLE_NMI, symbol) ||
	       matches(ROLE_NOISE, symbol) || matches(ROLE_MACHINERY, symbol);
}
