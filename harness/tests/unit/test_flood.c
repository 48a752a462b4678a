// SPDX-License-Identifier: GPL-2.0-or-later
/* A console that says too much is no fault of the kernel, and no proof of its health. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "judge/judge.h"

#include <string.h>

static const char noise[] = "[   12.345678] usb 1-1: device descriptor read/64, error -71\n";
static const char chatter[] = "[   12.345678] Uhhuh. NMI received for unknown reason 20 on CPU 1.\n"
			      "[   12.345679] Dazed and confused, but trying to continue\n";
static const char dropped[] = "** 2187 printk messages dropped **\n";

static const struct {
	const char *name;
	const char *boot, *run;	/* printed before the probe began, and while it ran */
	unsigned boot_times, run_times;
	enum verdict_value want;
} cases[] = {
	{ "quiet", noise, noise, 10, 10, VERDICT_CLEAN },
	{ "flood", noise, noise, 10, 40000, VERDICT_INCONCLUSIVE },
	{ "flood while it boots", noise, noise, 40000, 10, VERDICT_CLEAN },
	{ "NMI chatter, which the lab brings about", noise, chatter, 10, 40000, VERDICT_CLEAN },
	{ "dropped", noise, dropped, 10, 1, VERDICT_INCONCLUSIVE },
	{ "dropped while it boots", dropped, noise, 1, 10, VERDICT_CLEAN },
	{ "nothing", "", "", 0, 0, VERDICT_CLEAN },
};

static void test_flood(void **state)
{
	const struct judge_params nothing_known = { 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) text = g_string_new(NULL);
		struct console_mark marks[2] = { { .offset = 0, .at_us = 1 }, { .at_us = 11 } };
		struct evidence ev = { .end = JOB_END_DONE, .result = PROBE_PASS, .exposure = 100,
				       .began_us = 10, .started_us = 10, .ended_us = 100,
				       .marks = marks, .n_marks = 2 };
		struct verdict v;

		for (unsigned n = 0; n < cases[i].boot_times; n++)
			g_string_append(text, cases[i].boot);
		marks[1].offset = text->len;
		for (unsigned n = 0; n < cases[i].run_times; n++)
			g_string_append(text, cases[i].run);
		ev.console = text->str;
		ev.console_len = text->len;
		judge_job(&ev, &nothing_known, &v);
		if (v.value != cases[i].want)
			fail_msg("%s: %s: %s", cases[i].name, verdict_value_name(v.value), v.reason);
		verdict_clear(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
