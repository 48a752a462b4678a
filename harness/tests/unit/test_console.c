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

/* Whatever a flood is made of, and however long it is: the same memory. */
static void test_memory(void **unused)
{
	static const char *const heads[] = {
		"BUG: kernel NULL pointer dereference, address: 8\nRIP: 0010:f%u+0x1/0x2\n",
		"general protection fault: 0000 [#1] SMP\nRIP: 0010:f%u+0x1/0x2\n",
		"BUG: KASAN: use-after-free in f%u+0x1/0x2\n",
		"BUG kmalloc-%u (Not tainted): Poison overwritten\n",
		"WARNING: possible circular locking dependency detected\n (lock%u){+.+.}, at: "
		"f+0x1/0x2\n",
		"Watchdog detected hard LOCKUP on cpu 1\nRIP: 0010:f%u+0x1/0x2\n",
		"watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]\nRIP: 0010:f%u+0x1/0x2\n",
		"rcu: INFO: rcu_sched self-detected stall on CPU\nRIP: 0010:f%u+0x1/0x2\n",
		"INFO: task x:1 blocked for more than 120 seconds.\n f%u+0x1/0x2\n",
		"Kernel panic - not syncing: f%u\n",
		"WARNING: CPU: 0 PID: 1 at a.c:1 f%u+0x1/0x2\n",
		"BUG: KCSAN: data-race in f%u / g\n",
		"UBSAN: shift-out-of-bounds in a.c:1:2\n f%u+0x1/0x2\n",
		"Out of memory: Killed process %u\n",
		"x[%u]: segfault at 0 ip 0 sp 0 error 4\n",
		"%u Uhhuh. NMI received for unknown reason 2d on CPU 0.",
		"clocksource: %u\n",
	};
	static const char body[] = "[    2.000000] Call Trace:\n"
				   "[    2.000001]  some_function_with_a_long_name+0x1/0x2\n"
				   "[    2.000002]  another_one_that_is_not_short+0x1/0x2\n";

	for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
		g_autoptr(console) c = console_new();
		size_t early = 0;

		for (unsigned n = 0; n < 4000; n++) {
			g_autofree char *text = g_strdup_printf(heads[i], n);

			feed(c, text);
			for (unsigned more = 0; more < 6; more++)
				feed(c, body);
			if (n == 200)
				early = console_held(c);
			if (n > 200 && console_held(c) > early + CONSOLE_EXCERPT_LINES * 257)
				fail_msg("flood %u: %zu bytes, then %zu", i, early,
					 console_held(c));
		}
		assert_true(console_held(c) < CONSOLE_HELD_MAX);
	}
}

/* All slots full of the longest that there is. */
static void test_memory_worst(void **unused)
{
	g_autofree char *name = g_strnfill(2 * CONSOLE_FRAMES_MAX * 16, 'f');
	g_autofree char *line = g_strnfill(2 * CONSOLE_EXCERPT_COLUMNS, 'x');
	g_autoptr(console) c = console_new();

	for (unsigned share = 0; share < 4; share++) {
		for (unsigned n = 0; n < 600; n++) {
			g_autofree char *head = g_strdup_printf(
				n % 3 ? "WARNING: CPU: 0 PID: 1 at a.c:1 f%u%s+0x1/0x2\n"
				      : "BUG: KASAN: kind%u in %s+0x1/0x2\n",
				n, name);

			feed(c, head);
			for (unsigned i = 0; i < 20; i++) {
				g_autofree char *frame =
					g_strdup_printf(" g%u%s+0x1/0x2\n", i, name);

				feed(c, frame);
				feed(c, line);
				feed(c, "\n");
			}
			feed(c, "---[ end trace 0000000000000000 ]---\n");
		}
		console_new_share(c);
	}
	assert_true(console_report(c)->n > 2 * CONSOLE_WARN_MAX);
	assert_true(console_held(c) < CONSOLE_HELD_MAX);
}

/* Twins take no place from others, and a new share is a new share. */
static void test_kept(void **unused)
{
	g_autoptr(console) c = console_new();
	const struct console_report *r = console_report(c);

	for (unsigned n = 0; n < 100; n++)
		feed(c, "BUG: KASAN: use-after-free in f+0x1/0x2\n---[ end trace 0 ]---\n");
	assert_int_equal(r->n, CONSOLE_TWINS_MAX);
	assert_int_equal(r->counts[CONSOLE_CORRUPTION], 100);
	assert_int_equal(r->unkept[CONSOLE_CORRUPTION], 0);
	for (unsigned n = 0; n < 100; n++) {
		g_autofree char *text =
			g_strdup_printf("BUG: KASAN: use-after-free in g%u+0x1/0x2\n"
					"---[ end trace 0 ]---\n",
					n);

		feed(c, text);
	}
	assert_int_equal(r->n, CONSOLE_CLASS_MAX);
	assert_int_equal(r->unkept[CONSOLE_CORRUPTION],
			 100 - (CONSOLE_CLASS_MAX - CONSOLE_TWINS_MAX));
	console_new_share(c);
	assert_int_equal(r->unkept[CONSOLE_CORRUPTION], 0);
	feed(c, "BUG: KASAN: use-after-free in f+0x1/0x2\n---[ end trace 0 ]---\n");
	assert_int_equal(r->n, CONSOLE_CLASS_MAX + 1);
	assert_string_equal(r->events[CONSOLE_CLASS_MAX].title,
			    "corruption: KASAN: use-after-free in f");
	assert_int_equal(r->counts[CONSOLE_CORRUPTION], 201);
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
		cmocka_unit_test(test_live),         cmocka_unit_test(test_finish),
		cmocka_unit_test(test_floods),       cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_worst), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
