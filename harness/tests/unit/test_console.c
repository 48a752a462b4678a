// SPDX-License-Identifier: GPL-2.0-or-later
/* The console parser as a live session uses it; what it finds in whole consoles is in golden/. */
#include "parse/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void feed(struct console *c, const char *text)
{
	console_feed(c, text, strlen(text));
}

/* A title gets better while the splat is being printed. */
static void test_live(void **unused)
{
	g_autoptr(console) c = console_new();
	const struct console_event *ev;

	feed(c, "[    1.000000] hello\r\n[    2.000000] BUG: kernel NULL pointer deref");
	assert_null(console_fatal(c));
	feed(c, "erence, address: 0000000000000008\r\n");
	ev = console_fatal(c);
	assert_non_null(ev);
	assert_true(ev->open);
	assert_string_equal(ev->title, "oops: NULL pointer dereference");
	assert_int_equal(ev->at_us, 2000000);
	assert_int_equal(ev->offset, 22);
	feed(c,
	     "[    2.000001] Oops: 0000 [#1] SMP NOPTI\n[    2.000002] RIP: 0010:f.cold+0x1/0x2\n");
	assert_string_equal(ev->title, "oops: NULL pointer dereference in f");
	assert_string_equal(ev->frame, "f");
	feed(c, "[    2.000003] ---[ end trace 0000000000000000 ]---\n");
	assert_false(ev->open);
	assert_false(ev->corrupted);
	assert_non_null(strstr(ev->excerpt, "hello"));
	assert_non_null(strstr(ev->excerpt, "end trace"));
}

static void test_finish(void **unused)
{
	g_autoptr(console) c = console_new();

	feed(c, "Kernel panic - not syncing: sysrq triggered crash");
	assert_int_equal(console_report(c)->n, 0);
	console_finish(c);
	console_finish(c);
	assert_int_equal(console_report(c)->n, 1);
	assert_string_equal(console_fatal(c)->title, "panic: sysrq triggered crash");
	feed(c, "BUG: unable to handle page fault\n");
	assert_int_equal(console_report(c)->n, 1);
}

/* No class may push another out: an oops behind any flood is still found. */
static void test_floods(void **unused)
{
	static const char *const floods[] = {
		"WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n---[ end trace 0 ]---\n",
		"INFO: task x:1 blocked for more than 10 seconds.\n",
		"BUG: soft lockup - CPU#0 stuck for 23s! [x:1]\n",
		"BUG: KCSAN: data-race in a / b\n",
		"BUG: Bad page state in process x  pfn:1\n",
		"Uhhuh. NMI received for unknown reason 2d on CPU 0.\n",
		"x[1]: segfault at 0 ip 0 sp 0 error 4\n",
		"[    1.000000] ",
		"\r",
		"[",
		"BUG: ",
		"\n",
		"\033[0m",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(floods); i++) {
		g_autoptr(console) c = console_new();

		for (unsigned n = 0; n < 20000; n++)
			feed(c, floods[i]);
		feed(c, "\n[    2.000000] general protection fault: 0000 [#1] SMP\n"
			"[    2.000001] RIP: 0010:f+0x1/0x2\n");
		console_finish(c);
		assert_int_equal(console_report(c)->counts[CONSOLE_OOPS], 1);
		if (!console_fatal(c))
			fail_msg("flood %u hides the oops", i);
		assert_true(console_report(c)->n <= CONSOLE_EVENTS_MAX);
	}
}

static void test_names(void **unused)
{
	for (unsigned i = 0; i < CONSOLE__COUNT; i++) {
		assert_non_null(console_class_name(i));
		if (console_class_is_fatal(i))
			assert_true(i < CONSOLE_FINDINGS);
	}
	assert_true(console_class_is_fatal(CONSOLE_OOPS));
	assert_false(console_class_is_fatal(CONSOLE_WARN));
	assert_false(console_class_is_fatal(CONSOLE_SOFT_LOCKUP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
