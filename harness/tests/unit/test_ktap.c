// SPDX-License-Identifier: GPL-2.0-or-later
/* KTAP 1, TAP 13 and 14: results, directives, subtests, plans, and lines that are none of it. */
#include "parse/ktap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

struct ktap_want {
	const char *name;
	const char *text;
	const char *cases; /* "name:result[:reason]" joined by '|' */
	unsigned missing, misnumbered, odd;
	bool bailed, ok;
};

static const struct ktap_want wants[] = {
	{ "plain", "KTAP version 1\n1..2\nok 1 first\nok 2 - second\n", "first:pass|second:pass",
	  .ok = true },
	{ "fails", "TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n", "a:pass|b:fail" },
	{ "directives",
	  "1..6\nok 1 a # SKIP no bpf\nnot ok 2 b # TODO later\nnot ok 3 c # XFAIL known\n"
	  "not ok 4 d # TIMEOUT 45 seconds\nnot ok 5 e # ERROR setup\nok 6 f # skip lower case\n",
	  "a:skip:no bpf|b:todo:later|c:xfail:known|d:timeout:45 seconds|e:error:setup|"
	  "f:skip:lower case" },
	{ "skips and passes", "1..2\nok 1 a # SKIP\nok 2 b # odd remark\n", "a:skip|b:pass",
	  .ok = true },
	{ "expected failures do not fail", "1..2\nok 1 a\nnot ok 2 b # XFAIL\n", "a:pass|b:xfail",
	  .ok = true },
	{ "hash in a name", "1..1\nok 1 map#3 works\n", "map#3 works:pass", .ok = true },
	{ "no name", "1..1\nok 1\n", "1:pass", .ok = true },
	{ "subtests",
	  "KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 one\n  not ok 2 two\n"
	  "not ok 1 suite\nok 2 other\n",
	  "suite/one:pass|suite/two:fail|suite:fail|other:pass" },
	{ "two levels",
	  "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n    KTAP version 1\n    1..1\n"
	  "    ok 1 c\n  ok 1 b\nok 1 a\n",
	  "a/b/c:pass|a/b:pass|a:pass", .ok = true },
	{ "TAP 14 by four spaces", "TAP version 14\n1..1\n    1..1\n    ok 1 inner\nok 1 outer\n",
	  "outer/inner:pass|outer:pass", .ok = true },
	{ "plan not kept", "1..4\nok 1 a\nok 2 b\n", "a:pass|b:pass", .missing = 2 },
	{ "inner plan not kept", "1..1\n  1..3\n  ok 1 x\nok 1 a\n", "a/x:pass|a:pass",
	  .missing = 2 },
	{ "plan at the end", "ok 1 a\nok 2 b\n1..2\n", "a:pass|b:pass", .ok = true },
	{ "numbers wrong", "1..2\nok 2 a\nok 7 b\n", "a:pass|b:pass", .misnumbered = 2,
	  .ok = true },
	{ "no numbers", "1..1\nok - a\n", "a:pass", .misnumbered = 1, .ok = true },
	{ "bail out", "1..2\nok 1 a\nBail out! no /dev\n", "a:pass", .missing = 1, .bailed = true },
	{ "diagnostics and dirt", "# hello\n1..1\r\n\n[   12.3] kernel says\nok 1 a\r\n", "a:pass",
	  .odd = 1, .ok = true },
	{ "nothing", "", "" },
	{ "all skipped by plan", "1..0 # SKIP no kprobes\n", "" },
	{ "huge numbers", "1..99999999999999999999\nok 18446744073709551617 a\n", "a:pass",
	  .missing = 999999998, .misnumbered = 1 },
};

static void feed(struct ktap *k, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++)
		ktap_line(k, lines[i], strlen(lines[i]));
	ktap_finish(k);
}

static char *cases_text(const struct ktap *k)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < k->cases->len; i++) {
		const struct ktap_case *kc = &g_array_index(k->cases, struct ktap_case, i);

		g_string_append_printf(text, "%s%s:%s%s%s", i ? "|" : "", kc->name,
				       ktap_result_name(kc->result), kc->reason ? ":" : "",
				       kc->reason ? kc->reason : "");
	}
	return g_string_free(text, FALSE);
}

static void test_texts(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(wants); i++) {
		const struct ktap_want *w = &wants[i];
		g_autofree char *cases = NULL;
		struct ktap k;

		ktap_init(&k);
		feed(&k, w->text);
		cases = cases_text(&k);
		if (strcmp(cases, w->cases))
			fail_msg("%s: '%s', want '%s'", w->name, cases, w->cases);
		if (k.missing / 10 != w->missing / 10 || k.misnumbered != w->misnumbered ||
		    k.odd != w->odd || k.bailed != w->bailed || ktap_is_ok(&k) != w->ok)
			fail_msg("%s: missing %u misnumbered %u odd %u bailed %d ok %d", w->name,
				 k.missing, k.misnumbered, k.odd, k.bailed, ktap_is_ok(&k));
		ktap_clear(&k);
	}
}

/* Leaves are counted once: a parent repeats what its subtests said. */
static void test_counts(void **unused)
{
	struct ktap k;

	ktap_init(&k);
	feed(&k, "1..2\n  1..2\n  ok 1 x\n  ok 2 y # SKIP\nok 1 a\nok 2 b\n");
	assert_int_equal(k.counts[KTAP_PASS], 2);
	assert_int_equal(k.counts[KTAP_SKIP], 1);
	assert_false(k.has_version);
	ktap_clear(&k);
}

static void test_limits(void **unused)
{
	g_autofree char *name = g_strnfill(100000, 'n');
	g_autofree char *line = g_strdup_printf("ok 1 %s # SKIP %s", name, name);
	struct ktap k;

	ktap_init(&k);
	ktap_line(&k, line, strlen(line));
	for (unsigned i = 0; i < 2 * KTAP_CASES_MAX; i++) {
		g_autofree char *many = g_strdup_printf("%*sok %u x", (int)(i % 64), "", i);

		ktap_line(&k, many, strlen(many));
	}
	ktap_finish(&k);
	assert_int_equal(k.cases->len, KTAP_CASES_MAX);
	assert_int_equal(k.dropped, KTAP_CASES_MAX + 1);
	assert_true(strlen(g_array_index(k.cases, struct ktap_case, 0).reason) <= KTAP_NAME_MAX);
	ktap_clear(&k);
	ktap_clear(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
