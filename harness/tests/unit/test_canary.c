// SPDX-License-Identifier: GPL-2.0-or-later
/* The canaries' table, and who is right: without guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run/canary.h"

#include <string.h>

static const struct canary *canary(const char *name)
{
	g_autofree char *probe = g_strconcat(CANARY_PREFIX, name, NULL);
	const struct canary *c = canary_of_probe(probe);

	assert_non_null(c);
	return c;
}

static void test_table(void **state)
{
	unsigned n = 0;

	for (const struct canary *c = canary_all(); c->name; c++, n++) {
		g_autofree char *wanted = canary_wanted(c);
		struct probe_info *probe = canary_probe_new(c);

		assert_ptr_equal(canary(c->name), c);
		assert_ptr_equal(canary_of_probe(probe->name), c);
		assert_true(*c->summary && *c->by && probe->duration_s && probe->counters[0]);
		assert_true(g_str_equal(c->by, "host") == (c->provoke != NULL));
		assert_true((c->value == VERDICT_AFFECTED) == (c->want[0].kind != KIND_NONE));
		assert_true((c->value == VERDICT_INFRA) == (c->infra != INFRA_NONE));
		assert_true(g_str_has_prefix(wanted, verdict_value_name(c->value)));
		probe_info_free(probe);
	}
	assert_true(n >= 8);
	assert_null(canary_of_probe("canary-"));
	assert_null(canary_of_probe("canary-oopsy"));
	assert_null(canary_of_probe("text-poke"));
}

static void test_check(void **state)
{
	static const struct {
		const char *canary;
		enum verdict_value value;
		enum verdict_kind kind;
		const char *title;
		enum infra_class infra;
		enum canary_answer want;
	} cases[] = {
		{ "quiet", VERDICT_CLEAN, .want = CANARY_RIGHT },
		{ "quiet", VERDICT_INCONCLUSIVE, .want = CANARY_WRONG },
		{ "quiet", VERDICT_AFFECTED, KIND_OOPS, "oops: x", .want = CANARY_WRONG },
		{ "quiet", VERDICT_INFRA, .infra = INFRA_BOOT_LOST, .want = CANARY_UNSHOWN },
		{ "oops", VERDICT_AFFECTED, KIND_OOPS, "oops: NULL pointer dereference in f",
		  .want = CANARY_RIGHT },
		{ "oops", VERDICT_AFFECTED, KIND_OOPS, "oops: page fault in f", .want = CANARY_WRONG },
		{ "oops", VERDICT_AFFECTED, KIND_PANIC, "oops: NULL pointer dereference in f",
		  .want = CANARY_WRONG },
		{ "oops", VERDICT_AFFECTED, KIND_OOPS, NULL, .want = CANARY_WRONG },
		{ "oops", VERDICT_CLEAN, .want = CANARY_WRONG },
		{ "oops", VERDICT_INCONCLUSIVE, .want = CANARY_WRONG },
		{ "oops", VERDICT_UNSUPPORTED, .want = CANARY_UNSHOWN },
		{ "panic", VERDICT_AFFECTED, KIND_PANIC, "panic: sysrq triggered crash",
		  .want = CANARY_RIGHT },
		{ "panic", VERDICT_AFFECTED, KIND_OOPS,
		  "oops: NULL pointer dereference in sysrq_handle_crash", .want = CANARY_RIGHT },
		{ "ipi-deadlock", VERDICT_AFFECTED, KIND_LOCKUP, "lockup: frob <- irq",
		  .want = CANARY_WRONG },
		{ "ipi-deadlock", VERDICT_AFFECTED, KIND_LOCKUP,
		  "lockup: vCPUs 1 run with IRQs off (no symbols)", .want = CANARY_RIGHT },
		{ "lock-program", VERDICT_AFFECTED, KIND_DEADLOCK,
		  "deadlock: queue_stack_map_push_elem <- irq", .want = CANARY_RIGHT },
		{ "lock-program", VERDICT_CLEAN, .want = CANARY_WRONG },
		{ "lock-program", VERDICT_UNSUPPORTED, .want = CANARY_UNSHOWN },
		{ "flood", VERDICT_INCONCLUSIVE, .want = CANARY_RIGHT },
		{ "flood", VERDICT_CLEAN, .want = CANARY_WRONG },
		{ "flood", VERDICT_AFFECTED, KIND_LOCKUP, "lockup: x", .want = CANARY_WRONG },
		{ "paused", VERDICT_INFRA, .infra = INFRA_PAUSED, .want = CANARY_RIGHT },
		{ "paused", VERDICT_INFRA, .infra = INFRA_ENGINE_DIED,
		  .want = CANARY_UNSHOWN },
		{ "paused", VERDICT_INCONCLUSIVE, .want = CANARY_WRONG },
		{ "paused", VERDICT_AFFECTED, KIND_SILENT_STOP, "silent-stop: x",
		  .want = CANARY_WRONG },
		{ "taint", VERDICT_AFFECTED, KIND_OOPS, "oops: the kernel is tainted 'D' (died)",
		  .want = CANARY_RIGHT },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct verdict given = { .value = cases[i].value, .kind = cases[i].kind,
					       .title = (char *)cases[i].title,
					       .infra = cases[i].infra };
		enum canary_answer answer = canary_check(canary(cases[i].canary), &given);

		if (answer != cases[i].want)
			fail_msg("case %zu, %s: answer %d, want %d", i, cases[i].canary, answer,
				 cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
