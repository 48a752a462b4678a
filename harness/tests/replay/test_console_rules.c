// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules for consoles on their way: planned into a job's spec, judged from its journal, for the day
 * on which the job started. Nothing but the journal decides.
 */
#include "base/fs.h"
#include "run/evidence.h"
#include "run/job.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define CONSOLE                                                                                    \
	"[    3.000000] WARNING: CPU: 0 PID: 9 at a.c:1 f+0x1/0x2\n"                               \
	"[    3.000001] ---[ end trace 0000000000000000 ]---\n"
#define RULE(action)                                                                               \
	"[{\"match\":\"WARN in f\",\"frames\":[],\"kernels\":[\"6.1.*\"],\"action\":\"" action     \
	"\",\"reason\":\"known\",\"expires\":\"2026-11-30\"}]"

static void put(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *make_job(const char *rules, const char *day)
{
	char *dir = g_dir_make_tmp("klab-rules-XXXXXX", NULL);
	g_autofree char *spec =
		g_strdup_printf("{\"kernel\":{\"id\":\"x\",\"release\":\"6.1.9\"},\"accel\":"
				"\"tcg\",\"counters\":[\"n\"]%s%s}",
				rules ? ",\"console_rules\":" : "", rules ? rules : "");
	g_autofree char *start = day ? g_strdup_printf(",\"day\":\"%s\"", day) : g_strdup("");
	g_autofree char *journal =
		g_strdup_printf("{\"t\":0,\"ev\":\"open\",\"state\":\"infra/unfinished\"}\n"
				"{\"t\":1,\"ev\":\"start\"%s}\n"
				"{\"t\":2,\"ev\":\"hello\",\"taint\":0}\n"
				"{\"t\":3,\"ev\":\"begin\",\"counters\":[\"n\"]}\n"
				"{\"t\":4,\"ev\":\"chunk\",\"stream\":\"console\",\"n\":%zu}\n"
				"{\"t\":5,\"ev\":\"result\",\"result\":\"pass\",\"exposure\":{"
				"\"n\":9},\"taint\":0}\n"
				"{\"t\":6,\"ev\":\"end\",\"end\":\"done\"}\n",
				start, strlen(CONSOLE));

	put(dir, "spec.json", spec);
	put(dir, "journal.jsonl", journal);
	put(dir, "console.log", CONSOLE);
	put(dir, "wire.log", "");
	put(dir, "status.bin", "");
	return dir;
}

static void remove_job(const char *dir)
{
	static const char *const names[] = { "spec.json", "journal.jsonl", "console.log",
					     "wire.log", "status.bin" };

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(dir, names[i], NULL);

		g_unlink(path);
	}
	g_rmdir(dir);
}

static void test_journals(void **unused)
{
	static const struct {
		const char *rules, *day;
		enum verdict_value want;
		const char *finding;
	} cases[] = {
		{ NULL, NULL, VERDICT_CLEAN, "WARN in f" }, /* from before there were rules */
		{ NULL, "2026-11-22", VERDICT_CLEAN, "WARN in f" },
		{ "[]", "2026-11-22", VERDICT_CLEAN, "WARN in f" },
		{ RULE("deny"), "2026-11-22", VERDICT_AFFECTED, NULL },
		{ RULE("deny"), "2026-11-30", VERDICT_AFFECTED, NULL },
		{ RULE("deny"), "2026-12-01", VERDICT_CLEAN, "WARN in f" },
		{ RULE("deny"), NULL, VERDICT_CLEAN, "WARN in f" },
		{ RULE("allow"), "2026-11-22", VERDICT_CLEAN, "allowed: WARN in f (known)" },
	};
	const struct judge_params params = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *dir = make_job(cases[i].rules, cases[i].day);
		g_autoptr(outcome) o = NULL;
		g_autoptr(GError) error = NULL;

		if (!outcome_load(dir, &params, &o, &error))
			fail_msg("case %u: %s", i, error->message);
		if (o->verdict.value != cases[i].want)
			fail_msg("case %u: %s (%s)", i, verdict_value_name(o->verdict.value),
				 o->verdict.reason);
		assert_int_equal(g_strcmp0(o->verdict.findings ? o->verdict.findings[0] : NULL,
					   cases[i].finding),
				 0);
		remove_job(dir);
	}
}

static void test_bad_spec(void **unused)
{
	g_autofree char *dir = make_job("[{\"match\":5}]", "2026-11-22");
	const struct judge_params params = { 0 };
	g_autoptr(outcome) o = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(outcome_load(dir, &params, &o, &error));
	assert_int_equal(error->code, LAB_ERROR_INPUT);
	assert_non_null(strstr(error->message, "'console_rules': item 0 is no rule"));
	remove_job(dir);
}

/* A spec keeps the rules as they are, and one without any stays one without. */
static void test_spec(void **unused)
{
	static const char text[] =
		"{\"schema\":1,\"cell\":\"c\",\"attempt\":0,\"probe\":\"p\",\"nmi_hz\":0,\"smp\":1,"
		"\"mem_mib\":512,\"duration_ms\":1000,\"boot_limit_ms\":1000,\"seed\":\"1\","
		"\"amplify\":\"off\",\"accel\":\"tcg\",\"cpu_model\":\"max\",\"agent_sha256\":"
		"\"a\","
		"\"kernel\":{\"id\":\"x\",\"source\":\"file\",\"image\":\"i\",\"sha256\":\"s\","
		"\"release\":\"r\",\"version\":\"v\"},"
		"\"engine\":{\"binary\":\"q\",\"version\":\"10.0.2\",\"sha256\":\"e\"}}";
	json_t *rules = json_loads(RULE("deny"), 0, NULL);

	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		json_t *spec = json_loads(text, 0, NULL), *again;
		struct job *job = NULL;

		if (i)
			json_object_set(spec, "console_rules", rules);
		if (!job_from_json(spec, &job, &error))
			fail_msg("%s", error->message);
		again = job_to_json(job);
		assert_non_null(again);
		assert_true(i ? json_equal(json_object_get(again, "console_rules"), rules)
			      : !json_object_get(again, "console_rules"));
		job_free(job);
		json_decref(spec);
		json_decref(again);
	}
	json_decref(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_journals),
					    cmocka_unit_test(test_bad_spec),
					    cmocka_unit_test(test_spec) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
