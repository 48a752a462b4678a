// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The semantic patches of guests/controls/ on code like the kernel's: each puts its bug back, whole,
 * once, and says so when there is nothing to put back.
 */
#include "kernel/control.h"
#include "kernel/control_tree.h"

#include "control_fixture.h"

static const char usercopy_fixed[] =
	"static inline void check_heap_object(const void *ptr, unsigned long n, bool to_user)\n"
	"{\n"
	"\tunsigned long addr = (unsigned long)ptr;\n"
	"\n"
	"\tif (is_vmalloc_addr(ptr) && !pagefault_disabled()) {\n"
	"\t\tstruct vmap_area *area = find_vmap_area(addr);\n"
	"\n"
	"\t\tif (!area)\n"
	"\t\t\tusercopy_abort(\"vmalloc\", \"no area\", to_user, 0, n);\n"
	"\t\treturn;\n"
	"\t}\n"
	"}\n";

static const char poke_fixed[] =
	"static __always_inline\n"
	"struct bp_patching_desc *try_get_desc(void)\n"
	"{\n"
	"\tstruct bp_patching_desc *desc = &bp_desc;\n"
	"\n"
	"\tif (!arch_atomic_inc_not_zero(&desc->refs))\n"
	"\t\treturn NULL;\n"
	"\n"
	"\treturn desc;\n"
	"}\n"
	"\n"
	"static __always_inline void put_desc(void)\n"
	"{\n"
	"\tstruct bp_patching_desc *desc = &bp_desc;\n"
	"\n"
	"\tsmp_mb__before_atomic();\n"
	"\tarch_atomic_dec(&desc->refs);\n"
	"}\n"
	"\n"
	"static void text_poke_bp_batch(struct text_poke_loc *tp, unsigned int nr_entries)\n"
	"{\n"
	"\tbp_desc.vec = tp;\n"
	"\n"
	"\tif (do_sync)\n"
	"\t\ttext_poke_sync();\n"
	"\n"
	"\tif (!atomic_dec_and_test(&bp_desc.refs))\n"
	"\t\tatomic_cond_read_acquire(&bp_desc.refs, !VAL);\n"
	"}\n";

static const struct control_bug *bug_named(const char *hazard)
{
	const struct control_bug *bug = control_bugs;

	while (bug->hazard && strcmp(bug->hazard, hazard))
		bug++;
	assert_non_null(bug->hazard);
	return bug;
}

/* Patch `text` as the bug's file; the result, or NULL with *error set. */
static char *patch(const char *hazard, const char *text, char **ret_diff, GError **error)
{
	const struct control_bug *bug = bug_named(hazard);
	g_autofree char *name = g_build_filename("src", bug->file, NULL);
	struct control_tree tree;
	bool ok;

	put(name, text);
	control_tree_init(&tree, root, NULL);
	ok = control_tree_patch(&tree, bug, ret_diff, error);
	control_tree_clear(&tree);
	return ok ? get(name) : NULL;
}

static void need_spatch(void)
{
	g_autofree char *path = g_find_program_in_path("spatch");

	if (!path) {
		print_message("spatch is not installed (package coccinelle)\n");
		skip();
	}
}

static void patch_nmi_user_read(void **state)
{
	g_autofree char *text = NULL, *diff = NULL, *again = NULL;
	g_autoptr(GError) error = NULL;

	need_spatch();
	text = patch("nmi-user-read-deadlock", usercopy_fixed, &diff, &error);
	assert_non_null(text);
	assert_non_null(strstr(text, "if (is_vmalloc_addr(ptr)) {\n"));
	assert_null(strstr(text, "pagefault_disabled"));
	assert_non_null(strstr(diff, "-\tif (is_vmalloc_addr(ptr) && !pagefault_disabled()) {"));
	/* What has the bug already is no source of a clean control. */
	again = patch("nmi-user-read-deadlock", text, &diff, &error);
	assert_null(again);
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	assert_non_null(strstr(error->message, "nothing to change in 'mm/usercopy.c'"));
}

static void patch_text_poke(void **state)
{
	g_autofree char *text = NULL, *diff = NULL;
	g_autoptr(GError) error = NULL;

	need_spatch();
	text = patch("text-poke-race", poke_fixed, &diff, &error);
	assert_non_null(text);
	assert_null(strstr(text, "refs"));
	assert_non_null(strstr(text, "bp_desc.vec = NULL;\n\tbp_desc.nr_entries = 0;\n}"));
	assert_non_null(strstr(text, "if (likely(!desc->nr_entries))\n\t\treturn NULL;"));
	assert_non_null(strstr(text, "text_poke_sync();"));
}

/* A tree that lacks one of the three places is left alone: half a bug is no control. */
static void patch_text_poke_is_whole(void **state)
{
	static const char *const places[] = { "arch_atomic_inc_not_zero", "smp_mb__before_atomic",
					      "atomic_cond_read_acquire" };

	need_spatch();
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autoptr(GString) source = g_string_new(poke_fixed);
		g_autofree char *text = NULL, *diff = NULL, *left = NULL;
		g_autoptr(GError) error = NULL;

		g_string_replace(source, places[i], "renamed", 0);
		text = patch("text-poke-race", source->str, &diff, &error);
		assert_null(text);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		left = get("src/arch/x86/kernel/alternative.c");
		assert_string_equal(left, source->str);
	}
}

/* The other patches: what they are given, and what must be there or gone afterwards. */
static const struct {
	const char *hazard, *text, *gone, *has;
} small_patches[] = {
	{ "bpf-queue-nmi-deadlock",
	  "static long queue_stack_map_push_elem(struct bpf_map *map, void *value, u64 flags)\n"
	  "{\n"
	  "\tunsigned long irq_flags;\n"
	  "\n"
	  "\tif (in_nmi()) {\n"
	  "\t\tif (!raw_spin_trylock_irqsave(&qs->lock, irq_flags))\n"
	  "\t\t\treturn -EBUSY;\n"
	  "\t} else {\n"
	  "\t\traw_spin_lock_irqsave(&qs->lock, irq_flags);\n"
	  "\t}\n"
	  "\treturn 0;\n"
	  "}\n",
	  "trylock", "\n\traw_spin_lock_irqsave(&qs->lock, irq_flags);\n\treturn 0;" },
	{ "bpf-signal-rq-deadlock",
	  "static int bpf_send_signal_common(u32 sig, enum pid_type type)\n"
	  "{\n"
	  "\tif (unlikely(is_global_init(current)))\n"
	  "\t\treturn -EPERM;\n"
	  "\tif (preempt_count() != 0 || irqs_disabled()) {\n"
	  "\t\twork->sig = sig;\n"
	  "\t\tirq_work_queue(&work->irq_work);\n"
	  "\t\treturn 0;\n"
	  "\t}\n"
	  "\treturn group_send_sig_info(sig, SEND_SIG_PRIV, current, type);\n"
	  "}\n",
	  "irqs_disabled", "\tif (in_nmi()) {\n\t\twork->sig = sig;" },
	{ "raw-tp-recursion",
	  "void __bpf_trace_run(struct bpf_prog *prog, u64 *args)\n"
	  "{\n"
	  "\tcant_sleep();\n"
	  "\tif (unlikely(this_cpu_inc_return(*(prog->active)) != 1)) {\n"
	  "\t\tbpf_prog_inc_misses_counter(prog);\n"
	  "\t\tgoto out;\n"
	  "\t}\n"
	  "\trcu_read_lock();\n"
	  "\t(void) bpf_prog_run(prog, args);\n"
	  "\trcu_read_unlock();\n"
	  "out:\n"
	  "\tthis_cpu_dec(*(prog->active));\n"
	  "}\n",
	  "active", "\tcant_sleep();\n\trcu_read_lock();\n" },
	{ "bpf-int3-kprobe-lost",
	  "unsigned int trace_call_bpf(struct trace_event_call *call, void *ctx)\n"
	  "{\n"
	  "\tunsigned int ret;\n"
	  "\n"
	  "\tcant_sleep();\n"
	  "\n"
	  "\tif (unlikely(__this_cpu_inc_return(bpf_prog_active) != 1)) {\n"
	  "\t\tret = 0;\n"
	  "\t\tgoto out;\n"
	  "\t}\n"
	  "\tret = bpf_prog_run_array(call, ctx);\n"
	  " out:\n"
	  "\treturn ret;\n"
	  "}\n",
	  "nothing", "\tif (in_nmi())\n\t\treturn 1;\n" },
	{ "kprobe-jle-emulation",
	  "static void int3_emulate_jcc(struct pt_regs *regs, u8 cc)\n"
	  "{\n"
	  "\tif (cc >= 0xe)\n"
	  "\t\tmatch = match || (regs->flags & X86_EFLAGS_ZF);\n"
	  "}\n",
	  "||", "match && (regs->flags & X86_EFLAGS_ZF)" },
	{ "kprobe-indirect-call-emulation",
	  "static void kprobe_emulate_call_indirect(struct kprobe *p, struct pt_regs *regs)\n"
	  "{\n"
	  "\tunsigned long offs = addrmode_regoffs[p->ainsn.indirect.reg];\n"
	  "\n"
	  "\tint3_emulate_push(regs, regs->ip - INT3_INSN_SIZE + p->ainsn.size);\n"
	  "\tint3_emulate_jmp(regs, regs_get_register(regs, offs));\n"
	  "}\n",
	  "int3_emulate_push", "int3_emulate_call(regs, regs_get_register(regs, offs));" },
	{ "eventfd-lost-update",
	  "static ssize_t eventfd_write(struct file *file, const char __user *buf, size_t count,\n"
	  "\t\t\t     loff_t *ppos)\n"
	  "{\n"
	  "\tspin_lock_irq(&ctx->wqh.lock);\n"
	  "\tif (likely(res > 0)) {\n"
	  "\t\tctx->count += ucnt;\n"
	  "\t\tif (waitqueue_active(&ctx->wqh))\n"
	  "\t\t\twake_up_locked_poll(&ctx->wqh, EPOLLIN);\n"
	  "\t}\n"
	  "\tspin_unlock_irq(&ctx->wqh.lock);\n"
	  "\n"
	  "\treturn res;\n"
	  "}\n",
	  "ctx->count += ucnt",
	  "\tspin_unlock_irq(&ctx->wqh.lock);\n\tif (res > 0)\n\t\teventfd_add(ctx, ucnt);\n" },
	{ "futex-lock-order",
	  "static inline void\n"
	  "double_lock_hb(struct futex_hash_bucket *hb1, struct futex_hash_bucket *hb2)\n"
	  "{\n"
	  "\tif (hb1 > hb2)\n"
	  "\t\tswap(hb1, hb2);\n"
	  "\n"
	  "\tspin_lock(&hb1->lock);\n"
	  "\tif (hb1 != hb2)\n"
	  "\t\tspin_lock_nested(&hb2->lock, SINGLE_DEPTH_NESTING);\n"
	  "}\n",
	  "swap", "static void noinline double_lock_hb(" },
};

static void small_patches_apply_once(void **state)
{
	need_spatch();
	for (size_t i = 0; i < G_N_ELEMENTS(small_patches); i++) {
		const char *hazard = small_patches[i].hazard;
		g_autofree char *text = NULL, *again = NULL, *diff = NULL, *none = NULL;
		g_autoptr(GError) error = NULL;

		text = patch(hazard, small_patches[i].text, &diff, &error);
		if (!text)
			fail_msg("%s", error->message);
		if (strstr(text, small_patches[i].gone) || !strstr(text, small_patches[i].has))
			fail_msg("%s: %s", hazard, text);
		again = patch(hazard, text, &none, &error);
		if (again)
			fail_msg("%s: applied twice", hazard);
	}
}

/* Every patch of the table is tried here. */
static void all_patches_are_tried(void **state)
{
	unsigned patches = 0;

	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++)
		patches += bug->patch != NULL;
	assert_int_equal(patches, G_N_ELEMENTS(small_patches) + 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_ROOT(patch_nmi_user_read),
		WITH_ROOT(patch_text_poke),
		WITH_ROOT(patch_text_poke_is_whole),
		WITH_ROOT(small_patches_apply_once),
		cmocka_unit_test(all_patches_are_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
