// SPDX-License-Identifier: GPL-2.0-or-later
/* What reports say of delays: reachable or plain, what was not amplified and why, and what a
 * repetition without delays is worth. */
#include "report/again.h"
#include "report/explain.h"
#include "report/result.h"
#include "report/schedule.h"
#include "report/terminal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WHY "the engine does not take the plugin: cannot open it"
#define MEANS "every state that was reached is one that the kernel can reach by itself"

static char *none[] = { NULL };
static char *counters[] = { (char *)"pokes", NULL };
static struct kernel an_image = {
	.id = (char *)"k", .source = (char *)"file", .image = (char *)"/boot/k",
	.sha256 = (char *)"00", .release = (char *)"6.1.0", .version = (char *)"#1",
};
static struct engine an_engine = {
	.binary = (char *)"qemu", .version = (char *)"10.0.2", .sha256 = (char *)"11",
	.major = 10, .args = none, .env = none,
};

static struct cell *add_cell(struct run *r, enum verdict_value value)
{
	const struct probe_info info = {
		.name = (char *)"p", .hazards = none, .kconfig = none, .amplify = none,
		.counters = counters, .min_cpus = 1, .duration_s = 20,
	};
	const struct plan_options options = {
		.smp = 4, .seed = 1, .amplify = AMPLIFY_AUTO, .accel = "tcg", .engine = &an_engine,
		.agent_sha256 = "22",
	};
	struct cell *cell = run_add_cell(r, &an_image, &info, &options);

	cell->verdict = (struct cell_verdict){
		.v = { .value = value, .reason = g_strdup("some reason"),
		       .title = value == VERDICT_AFFECTED ? g_strdup("oops: x") : NULL,
		       .kind = value == VERDICT_AFFECTED ? KIND_OOPS : KIND_NONE },
		.confidence = NAN, .p_missed = NAN, .time_to_failure_s = NAN,
	};
	cell->done = true;
	return cell;
}

enum delays { WITHOUT, WITH, REFUSED };

static void add_job(struct run *r, struct cell *cell, enum verdict_value value, enum delays delays)
{
	struct outcome *o = g_new0(struct outcome, 1);

	o->dir = run_job_dir(r, cell, cell->outcomes->len);
	o->verdict = (struct verdict){ .value = value, .reason = g_strdup("r"),
				       .title = g_strdup("oops: x") };
	o->cpu_model = g_strdup("max");
	o->digest = g_strdup("33");
	o->exposure = json_object();
	o->amplify = g_strdup(delays == WITH ? "auto" : "off");
	o->delayed = delays == WITH;
	if (delays == REFUSED)
		o->unamplified = g_strdup(WHY "\nhint: look there");
	if (delays == WITH) {
		o->sites = g_strdup("f g");
		o->delays = json_pack("{s:i, s:i, s:i}", "delays", 812, "slept_ms", 340, "learned", 4);
		o->plan = g_strdup("plan.txt");
	}
	g_ptr_array_add(cell->outcomes, o);
}

static void check_has(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("no '%s' in:\n%s", wanted, text);
}

static void check_not(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted))
		fail_msg("'%s' in:\n%s", unwanted, text);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_schedules(void **state)
{
	static const struct {
		enum verdict_value cell;
		unsigned n;
		struct {
			enum verdict_value value;
			enum delays delays;
		} job[2];
		const char *want;
	} cases[] = {
		{ VERDICT_AFFECTED, 1, { { VERDICT_AFFECTED, WITH } }, "reachable" },
		{ VERDICT_AFFECTED, 1, { { VERDICT_AFFECTED, WITHOUT } }, "plain" },
		{ VERDICT_AFFECTED, 1, { { VERDICT_AFFECTED, REFUSED } }, "plain" },
		{ VERDICT_AFFECTED, 2, { { VERDICT_AFFECTED, WITH }, { VERDICT_AFFECTED, WITH } },
		  "reachable" },
		{ VERDICT_AFFECTED, 2, { { VERDICT_AFFECTED, WITH }, { VERDICT_AFFECTED, WITHOUT } },
		  "plain" },
		{ VERDICT_AFFECTED, 2, { { VERDICT_AFFECTED, WITH }, { VERDICT_CLEAN, WITHOUT } },
		  "reachable" },
		{ VERDICT_INCONCLUSIVE, 1, { { VERDICT_AFFECTED, WITH } }, NULL },
		{ VERDICT_CLEAN, 1, { { VERDICT_CLEAN, WITH } }, NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(run) r = run_new("/r", 0.99);
		struct cell *cell = add_cell(r, cases[i].cell);

		for (unsigned j = 0; j < cases[i].n; j++)
			add_job(r, cell, cases[i].job[j].value, cases[i].job[j].delays);
		if (g_strcmp0(schedule_of(cell), cases[i].want) != 0)
			fail_msg("case %u: '%s'", i, schedule_of(cell));
	}
}

static void test_reachable(void **state)
{
	g_autoptr(run) r = run_new("/r", 0.99);
	struct cell *cell = add_cell(r, VERDICT_AFFECTED);
	g_autoptr(explanation) e = NULL;
	g_autofree char *line = NULL, *summary = NULL, *text = NULL, *unwrapped = NULL;
	json_t *result, *explained, *in_result, *job;

	add_job(r, cell, VERDICT_AFFECTED, WITH);
	line = terminal_cell_line(cell, false);
	check_not(line, "unamplified");
	summary = terminal_summary(r, false);
	check_has(summary, "reachable schedule: found with injected delays");
	check_has(summary, "/r/jobs/k.p.smp4.auto/0/plan.txt");
	e = explain_cell(cell, r);
	text = explanation_text(e, false);
	check_has(text, MEANS);
	check_has(text, "delays (auto) in f g and at 4 instructions that were learned: 812 delays, "
			"0.3 s in all");
	check_has(text, "spec.json, plan.txt");
	explained = explanation_json(e);
	assert_string_equal(text_of(explained, "schedule"), "reachable");
	assert_string_equal(text_of(explained, "plan"), "plan.txt");
	result = result_json(r);
	in_result = json_array_get(json_object_get(result, "cells"), 0);
	assert_string_equal(text_of(in_result, "schedule"), "reachable");
	assert_null(json_object_get(in_result, "unamplified"));
	job = json_array_get(json_object_get(in_result, "jobs"), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(job, "delays"), "delays")),
			 812);
	assert_string_equal(text_of(job, "plan"), "plan.txt");
	json_decref(explained);
	json_decref(result);
}

static void test_unamplified(void **state)
{
	g_autoptr(run) r = run_new("/r", 0.99);
	struct cell *cell = add_cell(r, VERDICT_CLEAN);
	g_autoptr(explanation) e = NULL;
	g_autofree char *line = NULL, *text = NULL;
	json_t *result, *in_result;

	add_job(r, cell, VERDICT_CLEAN, WITH);
	add_job(r, cell, VERDICT_CLEAN, REFUSED);
	add_job(r, cell, VERDICT_CLEAN, REFUSED);
	line = terminal_cell_line(cell, false);
	check_has(line, " (unamplified: " WHY ")");
	check_not(line, "\n");
	check_not(strstr(line, "unamplified") + 1, "unamplified");
	result = result_json(r);
	in_result = json_array_get(json_object_get(result, "cells"), 0);
	assert_string_equal(text_of(in_result, "unamplified"), WHY);
	assert_null(json_object_get(in_result, "schedule"));
	json_decref(result);
	g_ptr_array_remove_index(cell->outcomes, 0);
	e = explain_cell(cell, r);
	text = explanation_text(e, false);
	check_has(text, "no delays, though they were asked for: " WHY "; QEMU");
	check_not(text, "schedule");
}

/* How `cell` was repeated twice: the tally's text. */
static char *repeated(enum verdict_value value, enum delays found, enum delays delays,
		      json_t **ret_json)
{
	g_autoptr(run) r = run_new("/r", 0.99), again = run_new("/again", 0.99);
	struct cell *cell = add_cell(r, VERDICT_AFFECTED);
	g_autoptr(GPtrArray) of = g_ptr_array_new();
	json_t *all;
	char *text;

	add_job(r, cell, VERDICT_AFFECTED, found);
	g_ptr_array_add(of, cell);
	for (unsigned i = 1; i <= 2; i++) {
		struct cell *repetition = add_cell(again, value);
		g_autofree char *id = g_strdup_printf("%s.again%u", cell->job->cell, i);

		g_free(repetition->job->cell);
		repetition->job->cell = g_steal_pointer(&id);
		add_job(again, repetition, value, delays);
	}
	text = again_text(again, of);
	all = again_json(again, of);
	*ret_json = json_incref(json_array_get(json_object_get(all, "cells"), 0));
	json_decref(all);
	return text;
}

static void test_again(void **state)
{
	static const struct {
		enum verdict_value value;
		enum delays found, delays;
		bool informative;
		int without;
	} cases[] = {
		{ VERDICT_CLEAN, WITH, WITHOUT, true, 2 },
		{ VERDICT_CLEAN, WITH, REFUSED, true, 2 },
		{ VERDICT_AFFECTED, WITH, WITHOUT, false, 2 },
		{ VERDICT_CLEAN, WITH, WITH, false, 0 },
		{ VERDICT_AFFECTED, WITH, WITH, false, 0 },
		/* a failure without delays that does not come back may well be doubted */
		{ VERDICT_CLEAN, WITHOUT, WITHOUT, false, 2 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		json_t *json;
		g_autofree char *text =
			repeated(cases[i].value, cases[i].found, cases[i].delays, &json);
		bool told = strstr(text, "2 without delays did not fail: informative only") != NULL;

		if (told != cases[i].informative || told != (strstr(text, MEANS) != NULL))
			fail_msg("case %u: %s", i, text);
		assert_int_equal(json_is_true(json_object_get(json, "informative_only")),
				 cases[i].informative);
		assert_int_equal(json_integer_value(json_object_get(json, "without_delays")),
				 cases[i].without);
		json_decref(json);
	}
}

static void test_words(void **state)
{
	struct outcome host = { .amplify = (char *)"host", .delayed = true };
	struct outcome broke = { .amplify = (char *)"off", .delayed = true,
				 .unamplified = (char *)"no memory\nhint" };
	struct outcome plan = { .amplify = (char *)"plan", .delayed = true, .sites = (char *)"f",
				.sites_missing = (char *)"h" };
	struct outcome off = { .amplify = (char *)"off" };
	g_autofree char *a, *b, *c, *d;

	host.delays = json_pack("{s:i, s:i, s:i}", "stops", 3, "squeezes", 2, "idles", 1);
	a = schedule_of_job(&host);
	b = schedule_of_job(&broke);
	c = schedule_of_job(&plan);
	d = schedule_of_job(&off);
	check_has(a, "by the host (host): 3 stops, 2 squeezes, 1 idles");
	assert_string_equal(b, "delays until they stopped working: no memory");
	assert_string_equal(c, "delays (plan) in f (not in this kernel: h)");
	assert_string_equal(d, "no delays");
	json_decref(host.delays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedules),   cmocka_unit_test(test_reachable),
		cmocka_unit_test(test_unamplified), cmocka_unit_test(test_again),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
