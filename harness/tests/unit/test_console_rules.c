// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules for consoles: what a file may say, how long a rule holds, what it does to verdicts. */
#include "base/embed.h"
#include "conf/console_rules.h"
#include "judge/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define SEC G_USEC_PER_SEC
#define RULE(match, action)                                                                        \
	"  - {match: \"" match "\", action: " action ", reason: known, expires: 2026-11-30}\n"

static struct console_rules *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct console_rules *rules = NULL;

	if (!console_rules_parse("rules.yaml", text, strlen(text), &rules, &error))
		fail_msg("%s", error->message);
	return rules;
}

static void test_shipped(void **unused)
{
	g_autoptr(console_rules) rules = parse(embed_console_yaml);

	assert_true(rules->all->len >= 1);
	assert_false(rules->replace);
	for (unsigned i = 0; i < rules->all->len; i++) {
		const struct console_rule *rule = rules->all->pdata[i];

		assert_non_null(rule->source);
	}
}

static void test_bad_files(void **unused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "rules.yaml:1:1: 'rules' is missing" },
		{ "rules: 5", "rules.yaml:1:8: 'rules' must be a list, not a single value" },
		{ "rules: [x]", "rules.yaml:1:9: a rule must be a map of keys" },
		{ "rules: []\nrule: []",
		  "rules.yaml:2:7: unknown key 'rule'; did you mean 'rules'?" },
		{ "rules: []\nreplace: maybe", "rules.yaml:2:10: 'replace' must be yes or no" },
		{ "rules:\n  - {action: allow, reason: x, expires: 2026-01-01}",
		  "rules.yaml:2:5: 'match' is missing" },
		{ "rules:\n  - {match: WARN in x, reason: x, expires: 2026-01-01}",
		  "'action' is missing" },
		{ "rules:\n  - {match: WARN in x, action: allow, expires: 2026-01-01}",
		  "'reason' is missing" },
		{ "rules:\n  - {match: WARN in x, action: allow, reason: x}",
		  "'expires' is missing" },
		{ "rules:\n  - {match: WARN in x, action: ignore, reason: x, expires: 2026-01-01}",
		  "rules.yaml:2:32: 'action' must be allow or deny, not 'ignore'" },
		{ "rules:\n  - {match: '*', action: allow, reason: x, expires: 2026-01-01}",
		  "rules.yaml:2:13: 'match' would take nearly everything" },
		{ "rules:\n  - {match: '[a-z]*', action: allow, reason: x, expires: 2026-01-01}",
		  "would take nearly everything" }, /* a, -, z: three */
		{ "rules:\n  - {match: 'abcd*********', action: allow, reason: x, expires: "
		  "2026-01-01}",
		  "'match' has more than 8 stars" },
		{ "rules:\n  - {match: WARN, action: allow, reason: x, expires: 2026-02-30}",
		  "'expires' is no day: want YYYY-MM-DD" },
		{ "rules:\n  - {match: WARN, action: allow, reason: x, expires: 2026-2-3}",
		  "'expires' is no day" },
		{ "rules:\n  - {match: WARN, action: allow, reason: x, expires: never}",
		  "'expires' is no day" },
		{ "rules:\n  - {match: WARN, action: allow, reason: \"a\\nb\", expires: "
		  "2026-01-01}",
		  "'reason' has control characters" },
		{ "rules:\n  - {match: WARN, action: allow, reason: x, expires: 2026-01-01, "
		  "frames: {a: b}}",
		  "'frames' must be a single value" },
		{ "rules:\n  - {match: WARN, action: allow, reason: x, expires: 2026-01-01, until: "
		  "x}",
		  "unknown key 'until'" },
		{ "rules: [", "rules.yaml:2:1: did not find" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(console_rules) rules = NULL;

		if (console_rules_parse("rules.yaml", cases[i].text, strlen(cases[i].text), &rules,
					&error))
			fail_msg("case %u was taken", i);
		assert_int_equal(error->code, LAB_ERROR_USAGE);
		if (!strstr(error->message, cases[i].want))
			fail_msg("case %u: %s", i, error->message);
	}
}

static void test_all_errors(void **unused)
{
	static const char text[] =
		"rules:\n"
		"  - {match: WARN, action: no, reason: x, expires: soon}\n"
		"  - {matches: WARN, action: deny, reason: x, expires: 2026-01-01}\n";
	g_autoptr(GError) error = NULL;
	g_autoptr(console_rules) rules = NULL;
	g_auto(GStrv) lines = NULL;

	assert_false(console_rules_parse("f", text, strlen(text), &rules, &error));
	lines = g_strsplit(error->message, "\n", -1);
	assert_int_equal(g_strv_length(lines), 4 * 3); /* each with its line and a caret */
	assert_true(g_str_has_prefix(lines[0], "f:2:27: 'action'"));
	assert_true(g_str_has_prefix(lines[3], "f:2:"));
	assert_true(g_str_has_prefix(lines[6], "f:3:5: 'match' is missing"));
	assert_true(g_str_has_prefix(lines[9], "f:3:15: unknown key 'matches'"));
}

static void test_limits(void **unused)
{
	g_autoptr(GString) text = g_string_new("rules:\n");
	g_autoptr(GError) error = NULL;
	g_autoptr(console_rules) rules = NULL, half = NULL;
	g_autofree char *wide = g_strnfill(600, 'x');

	for (unsigned i = 0; i < CONSOLE_RULES_MAX; i++)
		g_string_append(text, RULE("WARN in f", "allow"));
	rules = parse(text->str);
	half = parse("rules:\n" RULE("WARN in g", "deny"));
	assert_false(console_rules_join(rules, g_steal_pointer(&half), &error));
	assert_int_equal(error->code, LAB_ERROR_USAGE);
	g_clear_error(&error);
	g_clear_pointer(&rules, console_rules_free);
	g_string_append(text, RULE("WARN in f", "allow"));
	assert_false(console_rules_parse("f", text->str, text->len, &rules, &error));
	g_clear_error(&error);
	g_string_printf(text,
			"rules:\n  - {match: WARN, action: deny, reason: %s, "
			"expires: 2026-01-01}",
			wide);
	assert_false(console_rules_parse("f", text->str, text->len, &rules, &error));
	assert_non_null(strstr(error->message, "longer than 512"));
}

/* The day of expiry is the last one on which a rule holds. */
static void test_expiry(void **unused)
{
	g_autoptr(console_rules) rules = parse("rules:\n" RULE("WARN in f", "allow"));
	const struct console_rule *rule = rules->all->pdata[0];
	static const struct {
		const char *day;
		bool holds;
	} cases[] = {
		{ "2026-11-29", true },  { "2026-11-30", true }, { "2026-12-01", false },
		{ "2027-01-01", false }, { "2025-12-31", true }, { "0001-01-01", true },
		{ NULL, false },         { "", false },          { "2026-11", false },
		{ "2026-11-31", false }, { "today", false },     { "2026-11-30 ", false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		if (console_rule_holds(rule, cases[i].day) != cases[i].holds)
			fail_msg("on '%s'", cases[i].day);
	}
}

static void test_match(void **unused)
{
	g_autoptr(console_rules) rules = parse(
		"rules:\n"
		"  - {match: 'WARN in f', frames: [g, h], action: deny, reason: a, expires: "
		"2026-11-30}\n"
		"  - {match: 'WARN in f', kernels: ['debian-*', '6.1.*'], action: deny, reason: b, "
		"expires: 2026-11-30}\n"
		"  - {match: 'WARN in [ef]*', action: allow, reason: c, expires: 2026-11-30}\n"
		"  - {match: 'WARN in *', action: allow, reason: d, expires: 2026-11-29}\n");
	char h[] = "h", x[] = "x", g[] = "g";
	char *const both[] = { h, x, g, NULL }, *const one[] = { g, NULL };
	const struct {
		const char *title, *id, *release;
		char *const *frames;
		const char *day, *reason;
	} cases[] = {
		{ "WARN in f", "x", "7.0", both, "2026-11-30", "a" },
		{ "WARN in f", "x", "7.0", one, "2026-11-30", "c" },
		{ "WARN in f", "debian-x", "7.0", one, "2026-11-30", "b" },
		{ "WARN in f", "x", "6.1.9", one, "2026-11-30", "b" },
		{ "WARN in f", "x", "6.10.9", one, "2026-11-30", "c" },
		{ "WARN in f", NULL, NULL, one, "2026-11-30", "c" },
		{ "WARN in fgh", "debian-x", NULL, both, "2026-11-30", "c" },
		{ "WARN in g", NULL, NULL, NULL, "2026-11-30", NULL },
		{ "WARN in g", NULL, NULL, NULL, "2026-11-29", "d" },
		{ "a WARN in g", NULL, NULL, NULL, "2026-11-29", NULL },
		{ "WARN in f", NULL, NULL, both, "2026-12-01", NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		/* frames end with NULL before the 16 that an event may have */
		const struct console_subject subject = { cases[i].title,           cases[i].frames,
							 cases[i].frames ? 16 : 0, cases[i].id,
							 cases[i].release,         cases[i].day };
		const struct console_rule *rule;

		rule = console_rules_find(rules, &subject);
		if (g_strcmp0(rule ? rule->reason : NULL, cases[i].reason))
			fail_msg("case %u: %s", i, rule ? rule->reason : "none");
	}
	assert_null(console_rules_find(NULL, &(struct console_subject){ "WARN in f" }));
}

/* --- job specs ----------------------------------------------------------------------------- */

static void test_json(void **unused)
{
	g_autoptr(console_rules) rules = parse(
		"rules:\n"
		"  - {match: WARN in f, kernels: 'debian-*', frames: [a], action: deny, reason: r, "
		"expires: 2026-11-30, source: s}\n" RULE("BUG in *", "allow"));
	json_t *mine = console_rules_to_json(rules, "debian-x", "6.1");
	json_t *other = console_rules_to_json(rules, "fedora", "6.1"), *again;
	g_autoptr(console_rules) back = NULL;
	g_autoptr(GError) error = NULL;

	assert_int_equal(json_array_size(mine), 2);
	assert_int_equal(json_array_size(other), 1);
	assert_true(console_rules_from_json(mine, &back, &error));
	again = console_rules_to_json(back, "debian-x", "6.1");
	assert_true(json_equal(mine, again));
	json_decref(mine);
	json_decref(other);
	json_decref(again);
}

static void test_bad_json(void **unused)
{
	static const char *const bad[] = {
		"{}",
		"[1]",
		"[{}]",
		"5",
		"[{\"match\":\"WARN\",\"frames\":[],\"kernels\":[],\"action\":\"no\",\"reason\":"
		"\"r\","
		"\"expires\":\"2026-01-01\"}]",
		"[{\"match\":\"*\",\"frames\":[],\"kernels\":[],\"action\":\"deny\",\"reason\":"
		"\"r\","
		"\"expires\":\"2026-01-01\"}]",
		"[{\"match\":\"WARN\",\"frames\":[1],\"kernels\":[],\"action\":\"deny\",\"reason\":"
		"\"r\","
		"\"expires\":\"2026-01-01\"}]",
		"[{\"match\":\"WARN\",\"frames\":[],\"kernels\":[],\"action\":\"deny\",\"reason\":"
		"\"r\","
		"\"expires\":\"2026-01-32\"}]",
		"[{\"match\":\"WARN\",\"frames\":[],\"kernels\":[],\"action\":\"deny\",\"reason\":"
		"\"r\","
		"\"expires\":\"2026-01-01\",\"source\":5}]",
	};
	g_autoptr(console_rules) none = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);
		g_autoptr(console_rules) rules = NULL;
		g_autoptr(GError) error = NULL;

		assert_non_null(json);
		if (console_rules_from_json(json, &rules, &error))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(error->code, LAB_ERROR_INPUT);
		json_decref(json);
	}
	/* specs from before there were rules */
	assert_true(console_rules_from_json(NULL, &none, NULL));
	assert_int_equal(none->all->len, 0);
}

/* --- verdicts ------------------------------------------------------------------------------ */

#define LINE "[    3.000000] "
#define WARN_IN(f)                                                                                 \
	LINE "WARNING: CPU: 0 PID: 9 at a.c:1 " f "+0x1/0x2\r\n" LINE                              \
	     "---[ end trace 0000000000000000 ]---\r\n"
#define OOPS_IN(f)                                                                                 \
	LINE "BUG: kernel NULL pointer dereference, address: 08\r\n" LINE                          \
	     "Oops: 0000 [#1] SMP\r\n" LINE "RIP: 0010:" f "+0x1/0x2\r\n" LINE                     \
	     "---[ end trace 0000000000000000 ]---\r\n"
#define RACE LINE "BUG: KCSAN: data-race in foo / bar\r\n"
#define PANIC LINE "Kernel panic - not syncing: Fatal exception in interrupt\r\n"
#define SOFT                                                                                       \
	LINE "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]\r\n" LINE                    \
	     "RIP: 0010:spin_there+0x1/0x2\r\n"

enum { TAINT_D = 1 << 7, TAINT_W = 1 << 9, TAINT_L = 1 << 14 };

struct rule_case {
	const char *name, *rules, *console;
	enum job_end end;
	unsigned taint;
	enum verdict_value want;
	enum verdict_kind kind;
	const char *why, *findings; /* parts of; findings joined by "|" */
	const char *day;
};

static const struct rule_case rule_cases[] = {
	{ "no rules", "", WARN_IN("f"), JOB_END_DONE, TAINT_W, VERDICT_CLEAN, KIND_NONE, NULL,
	  "WARN in f" },
	{ "a warning is allowed", RULE("WARN in f", "allow"), WARN_IN("f"), JOB_END_DONE, TAINT_W,
	  VERDICT_CLEAN, KIND_NONE, NULL, "allowed: WARN in f (known)" },
	{ "a warning is denied", RULE("WARN in f", "deny"), WARN_IN("f"), JOB_END_DONE, TAINT_W,
	  VERDICT_AFFECTED, KIND_OOPS, "the console shows 'WARN in f', which a rule denies: known",
	  NULL },
	{ "another one is denied", RULE("WARN in g", "deny"), WARN_IN("f"), JOB_END_DONE, TAINT_W,
	  VERDICT_CLEAN, KIND_NONE, NULL, "WARN in f" },
	{ "a race is denied", RULE("data race*", "deny"), RACE, JOB_END_DONE, 0, VERDICT_AFFECTED,
	  KIND_CORRUPTION, "denies", NULL },
	{ "on its last day", RULE("WARN in f", "deny"), WARN_IN("f"), JOB_END_DONE, 0,
	  VERDICT_AFFECTED, KIND_OOPS, NULL, NULL, "2026-11-30" },
	{ "lapsed", RULE("WARN in f", "deny"), WARN_IN("f"), JOB_END_DONE, 0, VERDICT_CLEAN,
	  KIND_NONE, NULL, "WARN in f", "2026-12-01" },
	{ "the first that matches decides", RULE("WARN in f", "allow") RULE("WARN in *", "deny"),
	  WARN_IN("f"), JOB_END_DONE, 0, VERDICT_CLEAN, KIND_NONE, NULL, "allowed: WARN in f" },
	{ "an oops is allowed, and explains the taint", RULE("oops: * in f", "allow"), OOPS_IN("f"),
	  JOB_END_DONE, TAINT_D, VERDICT_CLEAN, KIND_NONE, NULL,
	  "allowed: oops: NULL pointer dereference in f (known)" },
	{ "another oops is not", RULE("oops: * in f", "allow"), OOPS_IN("f") OOPS_IN("g"),
	  JOB_END_DONE, TAINT_D, VERDICT_AFFECTED, KIND_OOPS, "in g", "allowed: oops" },
	{ "a flood of the allowed hides nothing", RULE("oops: * in f", "allow"),
	  OOPS_IN("f") OOPS_IN("f") OOPS_IN("f") OOPS_IN("f") OOPS_IN("f") OOPS_IN("f") OOPS_IN("f")
		  OOPS_IN("g"),
	  JOB_END_DONE, TAINT_D, VERDICT_AFFECTED, KIND_OOPS, "in g", "allowed: oops" },
	{ "more kinds than are kept", RULE("oops: * in f?", "allow"),
	  OOPS_IN("f1") OOPS_IN("f2") OOPS_IN("f3") OOPS_IN("f4") OOPS_IN("f5") OOPS_IN("g"),
	  JOB_END_DONE, TAINT_D, VERDICT_INCONCLUSIVE, KIND_NONE,
	  "1 more events of the class 'oops'", "allowed: oops" },
	{ "the allowed ended the run", RULE("oops: * in f", "allow"), OOPS_IN("f") PANIC,
	  JOB_END_SPLAT, 0, VERDICT_INCONCLUSIVE, KIND_NONE,
	  "ended with 'oops: NULL pointer dereference in f', which a rule allows",
	  "allowed: panic: Fatal exception" },
	{ "and reset the guest", RULE("oops: * in f", "allow"), OOPS_IN("f") PANIC,
	  JOB_END_GUEST_EXIT, 0, VERDICT_INCONCLUSIVE, KIND_NONE, "which a rule allows",
	  "allowed: panic" },
	{ "a panic by itself is no consequence", RULE("WARN in f", "allow"),
	  WARN_IN("f") OOPS_IN("g") PANIC, JOB_END_SPLAT, 0, VERDICT_AFFECTED, KIND_OOPS, "in g",
	  "allowed: WARN in f" },
	{ "a soft lockup is allowed", RULE("soft lockup in spin_there", "allow"), SOFT,
	  JOB_END_DONE, TAINT_L, VERDICT_CLEAN, KIND_NONE, NULL, "allowed: soft lockup" },
	{ "a failure cannot be denied into more", RULE("soft lockup in *", "deny"), SOFT,
	  JOB_END_DONE, 0, VERDICT_AFFECTED, KIND_LOCKUP, "the console shows 'soft lockup in spin",
	  NULL },
};

static void check_case(const struct rule_case *rc)
{
	g_autofree char *text = g_strconcat("rules:\n", *rc->rules ? rc->rules : "  []\n", NULL);
	g_autoptr(console_rules) rules = parse(text);
	g_autofree char *found = NULL;
	const struct judge_params params = { 0 };
	struct evidence ev = {
		.end = rc->end,
		.result = PROBE_PASS,
		.exposure = 100,
		.console = rc->console,
		.console_len = strlen(rc->console),
		.began_us = SEC,
		.ended_us = 9 * SEC,
		.taint_before = 0,
		.taint_after = rc->taint,
		.starvation = STARVATION_NONE,
		.rules = rules,
		.day = rc->day ? rc->day : "2026-11-22",
	};
	struct verdict v;

	judge_job(&ev, &params, &v);
	if (v.value != rc->want || v.kind != rc->kind || !strstr(v.reason, rc->why ? rc->why : ""))
		fail_msg("%s: %s/%s (%s)", rc->name, verdict_value_name(v.value),
			 verdict_kind_name(v.kind), v.reason);
	found = v.findings ? g_strjoinv("|", v.findings) : NULL;
	if (rc->findings ? !found || !strstr(found, rc->findings) : found != NULL)
		fail_msg("%s: findings %s", rc->name, found);
	verdict_clear(&v);
}

static void test_verdicts(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rule_cases); i++)
		check_case(&rule_cases[i]);
}

/* A flood at boot takes no place from what comes while the probe runs. */
static void test_boot_flood(void **unused)
{
	static const char boot[] = WARN_IN("b1") WARN_IN("b2") WARN_IN("b3") WARN_IN("b4")
		WARN_IN("b5") WARN_IN("b6") WARN_IN("b7") WARN_IN("b8") WARN_IN("b9") WARN_IN("c1")
			WARN_IN("c2") WARN_IN("c3") WARN_IN("c4") WARN_IN("c5") WARN_IN("c6")
				WARN_IN("c7") WARN_IN("c8") WARN_IN("f") WARN_IN("f");
	static const char console[] = WARN_IN("b1") WARN_IN("b2") WARN_IN("b3") WARN_IN("b4")
		WARN_IN("b5") WARN_IN("b6") WARN_IN("b7") WARN_IN("b8") WARN_IN("b9") WARN_IN("c1")
			WARN_IN("c2") WARN_IN("c3") WARN_IN("c4") WARN_IN("c5") WARN_IN("c6")
				WARN_IN("c7") WARN_IN("c8") WARN_IN("f") WARN_IN("f") WARN_IN("f");
	const struct console_mark marks[] = { { 0, SEC }, { strlen(boot), 3 * SEC } };
	g_autoptr(console_rules) rules = parse("rules:\n" RULE("WARN in f", "deny"));
	struct evidence ev = { .end = JOB_END_DONE,
			       .result = PROBE_PASS,
			       .exposure = 5,
			       .console = console,
			       .console_len = strlen(console),
			       .taint_before = 0,
			       .taint_after = 0,
			       .began_us = 2 * SEC,
			       .ended_us = 9 * SEC,
			       .marks = marks,
			       .n_marks = 2,
			       .rules = rules,
			       .day = "2026-11-22" };
	const struct judge_params params = { 0 };
	struct verdict v;

	judge_job(&ev, &params, &v);
	assert_int_equal(v.value, VERDICT_AFFECTED);
	assert_string_equal(v.title, "WARN in f");
	assert_int_equal(v.failed_us, 3 * SEC);
	verdict_clear(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),    cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_all_errors), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_expiry),     cmocka_unit_test(test_match),
		cmocka_unit_test(test_json),       cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_verdicts),   cmocka_unit_test(test_boot_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
