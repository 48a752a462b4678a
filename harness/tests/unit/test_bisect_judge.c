// SPDX-License-Identifier: GPL-2.0-or-later
/* What a job says to a bisection: which verdicts are evidence that a kernel is good, and which say nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/bisect.h"

#include <string.h>

#define SECOND G_USEC_PER_SEC

static struct bisect_range *range;
static struct bisect_state *state;

static void replay(const char *log)
{
	g_autoptr(GError) error = NULL;

	if (!bisect_replay(state, log, strlen(log), &error))
		fail_msg("%s", error->message);
}

static int setup(void **unused)
{
	static const char *const ids[] = { "old", "a", "b", "new", NULL };

	if (!bisect_range_kernels(ids, false, &range, NULL))
		return -1;
	state = bisect_state_new(range, 1, 1);
	replay("{\"ev\":\"begin\",\"schema\":1,\"form\":\"time\",\"run_s\":15,\"confidence\":0.99,"
	       "\"verify\":false}\n");
	return 0;
}

static int teardown(void **unused)
{
	bisect_state_free(state);
	bisect_range_free(range);
	return 0;
}

static enum bisect_outcome judged(struct outcome o, const char *why)
{
	struct bisect_try t = { .test = bisect_state_test(state), .node = 1 };
	enum bisect_outcome outcome;

	o.dir = (char *)"tests/000001";
	bisect_judge(state, NULL, &o, &t);
	outcome = t.outcome;
	if (g_strcmp0(t.why, why))
		fail_msg("says '%s', not '%s'", t.why, why);
	bisect_try_clear(&t);
	return outcome;
}

static struct outcome passed(enum verdict_value value, const char *reason)
{
	return (struct outcome){ .verdict = { .value = value, .reason = (char *)reason },
				 .began_us = SECOND,
				 .ended_us = 11 * SECOND };
}

static void only_a_clean_pass_is_survival(void **unused)
{
	struct outcome o = passed(VERDICT_CLEAN, "the probe passed");

	assert_int_equal(judged(o, NULL), OUTCOME_SURVIVED);
	assert_int_equal(judged(passed(VERDICT_INCONCLUSIVE, "no exposure"), "no exposure"),
			 OUTCOME_LOST);
	assert_int_equal(judged(passed(VERDICT_UNSUPPORTED, "no uprobes"), "no uprobes"),
			 OUTCOME_UNTESTABLE);
	o.ended_us = o.began_us;
	assert_int_equal(judged(o, "it passed, and its journal does not say for how long it ran"),
			 OUTCOME_LOST);
}

/* Once all tests have the same delays, a pass without them is not comparable. */
static void a_pass_without_the_delays_says_nothing(void **unused)
{
	struct outcome o = passed(VERDICT_CLEAN, "the probe passed");

	o.unamplified = (char *)"none of its sites is in this kernel";
	assert_int_equal(judged(o, NULL), OUTCOME_SURVIVED);
	replay("{\"ev\":\"plan\",\"text\":\"x\"}\n");
	assert_int_equal(judged(o, "none of its sites is in this kernel"), OUTCOME_LOST);
	o.unamplified = NULL;
	assert_int_equal(judged(o, NULL), OUTCOME_SURVIVED);
}

static void lose(unsigned node)
{
	unsigned test = bisect_state_test(state);
	g_autofree char *log = g_strdup_printf(
		"{\"ev\":\"start\",\"test\":%u,\"node\":%u,\"length\":15}\n"
		"{\"ev\":\"end\",\"test\":%u,\"outcome\":\"lost\",\"why\":\"no exposure\"}\n",
		test, node, test);

	replay(log);
}

/* Other kernels' silence is none of this one's. */
static void who_says_nothing_three_times_cannot_be_tested(void **unused)
{
	struct outcome o = passed(VERDICT_INCONCLUSIVE, "a flood");

	lose(2);
	lose(2);
	lose(1);
	assert_int_equal(judged(o, "a flood"), OUTCOME_LOST);
	lose(1);
	assert_int_equal(judged(o, "a flood"), OUTCOME_UNTESTABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_a_clean_pass_is_survival),
		TEST(a_pass_without_the_delays_says_nothing),
		TEST(who_says_nothing_three_times_cannot_be_tested),
	};

	return cmocka_run_group_tests_name("bisect_judge", tests, NULL, NULL);
}
