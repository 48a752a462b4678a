// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells of a run: the job that comes next (model, company, exposure target), plans through
 * run.json and back, and a scheduler that keeps its word about jobs that must be alone.
 */
#include "run/run.h"
#include "run/sched.h"
#include "report/result.h"

#include "base/fs.h"
#include "run/engine_proof.h"
#include "stats/rate.h"
#include "store/journal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *dir;

static struct kernel an_image = {
	.id = (char *)"k", .source = (char *)"file", .image = (char *)"/boot/k",
	.sha256 = (char *)"00", .release = (char *)"6.1.0", .version = (char *)"#1",
};
static char *globs[] = { (char *)"f*", NULL };
static char *counters[] = { (char *)"pokes", NULL };
static char *none[] = { NULL };
static struct engine an_engine = {
	.binary = (char *)"qemu", .version = (char *)"10.0.2", .sha256 = (char *)"11",
	.major = 10, .args = none, .env = none,
};

static struct cell *add_cell(struct run *r, const char *probe, const char *accel)
{
	const struct probe_info info = {
		.name = (char *)probe, .hazards = none, .kconfig = none, .amplify = globs,
		.counters = counters, .min_cpus = 1, .duration_s = 20,
	};
	const struct plan_options options = {
		.smp = 4, .seed = 1, .amplify = AMPLIFY_AUTO, .accel = accel, .engine = &an_engine,
		.agent_sha256 = "22",
	};

	return run_add_cell(r, &an_image, &info, &options);
}

static void add_outcome(struct cell *cell, enum verdict_value value, const char *model,
			double exposure)
{
	struct outcome *o = g_new0(struct outcome, 1);

	o->verdict = (struct verdict){ .value = value, .exposure = exposure,
				       .reason = g_strdup("r"), .retry = true };
	o->began_us = value == VERDICT_INFRA ? 0 : 5;
	o->cpu_model = g_strdup(model);
	o->amplify = g_strdup("auto");
	g_ptr_array_add(cell->outcomes, o);
}

static void check_job(const struct run *r, const struct cell *cell, enum cell_needs needs,
		      const char *model, bool alone, double target)
{
	g_autoptr(job) job = cell_next_job(r, cell, needs);

	assert_string_equal(job->cpu_model, model);
	assert_int_equal(job->alone, alone);
	if (fabs(job->exposure_target - target) > 1e-9)
		fail_msg("target %g, want %g", job->exposure_target, target);
	assert_int_equal(job->attempt, cell->outcomes->len);
	assert_true(job->seed == cell->job->seed + cell->outcomes->len);
}

static void next_jobs(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg"), *native = add_cell(r, "q", "kvm");

	check_job(r, cell, CELL_RERUN, "max", false, 0);	/* no rate, no target */
	cell->rate_lower = native->rate_lower = 0.01;
	check_job(r, cell, CELL_RERUN, "max", false, 461);	/* -ln(0.01) / 0.01 */
	add_outcome(cell, VERDICT_INFRA, "max", 0);
	check_job(r, cell, CELL_RERUN, "Haswell-noTSX", false, 461);
	add_outcome(cell, VERDICT_CLEAN, "Haswell-noTSX", 400);
	check_job(r, cell, CELL_RERUN, "max", false, 61);
	r->full_duration = true;
	check_job(r, cell, CELL_RERUN, "max", false, 0);
	r->full_duration = false;
	/* repetitions of a failure have their whole duration, under a model that did not see it */
	add_outcome(cell, VERDICT_AFFECTED, "max", 3);
	check_job(r, cell, CELL_SECOND_MODEL, "Haswell-noTSX", false, 0);
	check_job(r, cell, CELL_ALONE, "Haswell-noTSX", true, 0);
	check_job(r, cell, CELL_SECOND_SEED, "max", false, 0);	/* this one under the same */
	add_outcome(native, VERDICT_AFFECTED, "host", 3);
	check_job(r, native, CELL_ALONE, "host", true, 0);
	check_job(r, native, CELL_SECOND_SEED, "host", false, 0);
}

static void next_job_of_old_kernels(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");

	/* boots under the second model alone: that one cannot confirm itself */
	add_outcome(cell, VERDICT_INFRA, "max", 0);
	add_outcome(cell, VERDICT_AFFECTED, "Haswell-noTSX", 0);
	check_job(r, cell, CELL_SECOND_MODEL, "qemu64", false, 0);
	check_job(r, cell, CELL_SECOND_SEED, "Haswell-noTSX", false, 0);
}

/* A plan may bring a seed along: what repeats it to see whether it was luck draws another. */
static void next_job_of_a_plan(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	g_autoptr(job) again = NULL, other = NULL;

	cell->job->amplify = AMPLIFY_PLAN;
	cell->job->amplify_plan = g_strdup("f,every=8\nseed=7\n");
	add_outcome(cell, VERDICT_AFFECTED, "max", 3);
	again = cell_next_job(r, cell, CELL_RERUN);
	other = cell_next_job(r, cell, CELL_SECOND_SEED);
	assert_string_equal(again->amplify_plan, cell->job->amplify_plan);
	assert_non_null(strstr(other->amplify_plan, "f,every=8"));
	assert_null(strstr(other->amplify_plan, "seed"));
}

/* A run that could not be amplified says nothing to a rate of amplified ones. */
static void no_target_unamplified(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	struct outcome *o;

	cell->rate_lower = 0.01;
	add_outcome(cell, VERDICT_CLEAN, "max", 10);
	o = cell->outcomes->pdata[0];
	g_free(o->amplify);
	o->amplify = g_strdup("off");
	check_job(r, cell, CELL_RERUN, "max", false, 0);
}

static void specs_round_trip(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	g_autoptr(job) back = NULL, old = NULL;
	json_t *json;

	cell->job->alone = true;
	cell->job->exposure_target = 1234.5;
	json = job_to_json(cell->job);
	assert_true(job_from_json(json, &back, NULL));
	assert_true(back->alone && back->exposure_target == 1234.5);
	/* specs from before these fields */
	json_object_del(json, "alone");
	json_object_del(json, "exposure_target");
	assert_true(job_from_json(json, &old, NULL));
	assert_true(!old->alone && old->exposure_target == 0);
	json_decref(json);
}

/* Which build a kernel is travels with its jobs, so that a report says it again. */
static void builds_round_trip(void **unused)
{
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	g_autoptr(job) back = NULL;
	json_auto_t *json = NULL, *result = NULL;
	const json_t *build;

	cell->job->kernel->identity = json_pack("{s:s}", "vendor", "debian");
	json = job_to_json(cell->job);
	assert_true(job_from_json(json, &back, NULL));
	assert_true(json_equal(back->kernel->identity, cell->job->kernel->identity));
	result = result_json(r);
	build = json_object_get(json_array_get(json_object_get(result, "kernels"), 0), "build");
	assert_string_equal(json_string_value(json_object_get(build, "vendor")), "debian");
}

/* Where a guest is to run travels with its job; the engine of another machine is what is started. */
static void hosts_round_trip(void **unused)
{
	static const struct job_host lab = { .uri = (char *)"qemu+ssh://lab1/system",
					     .name = (char *)"lab1", .hostname = (char *)"lab1.x",
					     .pool = (char *)"klab", .remote = true };
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	g_autoptr(job) here = NULL, there = NULL;
	struct guest_spec spec = { 0 };
	g_autofree char *text = NULL;
	json_auto_t *json = job_to_json(cell->job), *result = NULL;

	assert_null(json_object_get(json, "connect"));
	assert_true(job_from_json(json, &here, NULL));
	assert_null(here->host);
	cell->job->host = job_host_copy(&lab);
	there = cell_next_job(r, cell, CELL_RERUN);
	assert_string_equal(there->host->uri, lab.uri);
	assert_string_equal(there->host->hostname, lab.hostname);
	assert_true(there->host->remote);
	text = job_host_text(there->host);
	assert_string_equal(text, "lab1 (qemu+ssh://lab1/system)");
	job_host_place(there->host, there->engine, "klab-x", &spec);
	assert_string_equal(spec.connect, lab.uri);
	assert_string_equal(spec.pool, "klab");
	assert_string_equal(spec.name, "klab-x");
	assert_string_equal(spec.emulator, "qemu");
	result = result_json(r);
	assert_string_equal(json_string_value(json_object_get(json_object_get(result, "connect"),
							      "name")), "lab1");
	json_object_set_new(json, "connect", json_object());	/* a host without a URI */
	assert_false(job_from_json(json, &here, NULL));
}

static void specs_of_plans(void **unused)
{
	static const char *const bad[] = { "", "f,us=0", "# nothing" };
	g_autoptr(run) r = run_new(dir, 0.99);
	struct cell *cell = add_cell(r, "p", "tcg");
	g_autoptr(job) back = NULL;
	json_t *json = job_to_json(cell->job);
	struct job *none;

	assert_null(json_object_get(json, "amplify_plan"));
	json_object_set_new(json, "amplify", json_string("plan"));
	assert_false(job_from_json(json, &none, NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;

		json_object_set_new(json, "amplify_plan", json_string(bad[i]));
		assert_false(job_from_json(json, &none, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		assert_non_null(strstr(error->message, "'amplify_plan': "));
	}
	json_object_set_new(json, "amplify_plan", json_string("f+4,us=5\nseed=3"));
	assert_true(job_from_json(json, &back, NULL));
	assert_true(back->amplify == AMPLIFY_PLAN);
	json_decref(json);
	json = job_to_json(back);
	assert_string_equal(json_string_value(json_object_get(json, "amplify_plan")),
			    "f+4,us=5\nseed=3");
	/* a plan of no level that has one */
	json_object_set_new(json, "amplify", json_string("auto"));
	assert_false(job_from_json(json, &none, NULL));
	json_decref(json);
}

/* Cells of different plans lie in different folders. */
static void ids_tell_plans_apart(void **unused)
{
	static const char *const plans[] = { NULL, "f,us=5", "f,us=6" };
	static const char *const want[] = { "k.p.smp4.auto", "k.p.smp4.plan-722d668a",
					    "k.p.smp4.plan-46e37146" };
	const struct probe_info info = {
		.name = (char *)"p", .hazards = none, .kconfig = none, .amplify = globs,
		.counters = counters, .min_cpus = 1, .duration_s = 20,
	};
	g_autoptr(run) r = run_new(dir, 0.99);

	for (unsigned i = 0; i < G_N_ELEMENTS(plans); i++) {
		const struct plan_options options = {
			.seed = 1, .amplify = plans[i] ? AMPLIFY_PLAN : AMPLIFY_AUTO,
			.amplify_plan = plans[i], .accel = "tcg", .engine = &an_engine,
			.agent_sha256 = "22",
		};
		const struct cell *cell = run_add_cell(r, &an_image, &info, &options);

		assert_string_equal(cell->job->cell, want[i]);
		assert_true(g_strcmp0(cell->job->amplify_plan, plans[i]) == 0);
	}
}

static void plans_round_trip(void **unused)
{
	g_autofree char *out = g_build_filename(dir, "plan", NULL);
	g_autoptr(run) r = run_new(out, 0.99), back = NULL;
	struct engine_proof proof = { .sound = true, .boots = 25, .stress_s = 375, .n_models = 1,
				      .models = { { (char *)"max", 25, 375 } },
				      .kernel = (char *)"6.1.0", .when = (char *)"now" };
	json_t *shown;

	add_cell(r, "p", "tcg");
	r->full_duration = true;
	r->engine_proof = engine_proof_json(&proof, 20);
	assert_true(fs_mkdir(out, NULL) && run_save(r, NULL) && run_load(out, &back, NULL));
	assert_true(back->full_duration);
	assert_true(json_equal(r->engine_proof, back->engine_proof));
	shown = result_json(back);
	assert_true(json_number_value(json_object_get(json_object_get(shown, "engine_proof"),
						      "p_fault_per_job_upper")) ==
		    fault_per_job_upper(25, 375, 20, 0.95));
	json_decref(shown);
}

/* --- the scheduler ---------------------------------------------------------------------------- */

/*
 * Stands in for klab: "exec-job SPEC" writes a journal and when it ran. The probe "hang" fails its
 * self-check (no splat) at each attempt that the file `fails` lists, the others pass.
 */
static const char fake_klab[] =
	"#!/bin/sh\n"
	"job=$(dirname \"$2\"); n=$(basename \"$job\"); cell=$(basename \"$(dirname \"$job\")\")\n"
	"case $cell in *.hang.*) sleep 0.3;; *) sleep 0.5;; esac\n"
	"alone=false; grep -q '\"alone\": true' \"$2\" && alone=true\n"
	"end='\"result\":\"pass\",\"reason\":\"\",'\n"
	"case $cell in *.hang.*) grep -qx $n TOP/fails &&\n"
	"  end='\"result\":\"fail\",\"reason\":\"lost-events: 3 of 9\",';; esac\n"
	"cat > \"$job/journal.jsonl\" <<X\n"
	"{\"t\":0,\"ev\":\"open\"}\n"
	"{\"t\":0,\"ev\":\"host\",\"when\":\"start\",\"alone\":$alone}\n"
	"{\"t\":1,\"ev\":\"hello\",\"taint\":0}\n"
	"{\"t\":2,\"ev\":\"begin\",\"counters\":[\"pokes\"]}\n"
	"{\"t\":3,\"ev\":\"result\",$end\"exposure\":{\"pokes\":9},\"taint\":0}\n"
	"{\"t\":4,\"ev\":\"end\",\"end\":\"done\"}\n"
	"X\n"
	": > \"$job/console.log\"; : > \"$job/wire.log\"; : > \"$job/status.bin\"\n";

static const struct judge_params *no_hazards(const struct cell *cell, void *user)
{
	static const struct judge_params params = { 0 };

	return &params;
}

/* What is under way, as the scheduler tells it. */
struct log {
	unsigned running, most, lone, lone_beside;
};

static void log_start(const struct cell *cell, const struct job *job, void *user)
{
	struct log *log = user;

	log->lone += job->alone;
	log->lone_beside += job->alone && log->running;
	log->running++;
	log->most = MAX(log->most, log->running);
}

static void write_fake(const char *fails)
{
	g_autofree char *path = g_build_filename(dir, "klab.sh", NULL);
	g_autofree char *list = g_build_filename(dir, "fails", NULL);
	g_auto(GStrv) parts = g_strsplit(fake_klab, "TOP", -1);
	g_autofree char *text = g_strjoinv(dir, parts);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_true(g_file_set_contents(list, fails, -1, NULL));
	assert_int_equal(chmod(path, 0755), 0);
}

static struct run *run_fake(const char *name, const char *fails, struct log *log)
{
	g_autofree char *out = g_build_filename(dir, name, NULL);
	g_autofree char *self = g_build_filename(dir, "klab.sh", NULL);
	struct run *r = run_new(out, 0.99);
	struct sched_params params = { .self = self, .jobs = 2, .limit_s = 60,
				       .judge_params = no_hazards, .on_start = log_start,
				       .user = log };
	enum sched_end end;

	write_fake(fails);
	assert_true(fs_mkdir(out, NULL));
	add_cell(r, "hang", "tcg");
	add_cell(r, "quiet1", "tcg");
	add_cell(r, "quiet2", "tcg");
	assert_true(run_save(r, NULL));
	assert_true(sched_run(r, &params, &end, NULL));
	assert_int_equal(end, SCHED_DONE);
	return r;
}

static const struct cell *cell_at(const struct run *r, guint i)
{
	return r->cells->pdata[i];
}

/* The jobs' own words on who ran beside whom: from the spec's writing to the journal's end. */
static bool overlap(const char *a_dir, const char *b_dir)
{
	g_autofree char *a0 = g_build_filename(a_dir, "spec.json", NULL);
	g_autofree char *a1 = g_build_filename(a_dir, "status.bin", NULL);
	g_autofree char *b0 = g_build_filename(b_dir, "spec.json", NULL);
	g_autofree char *b1 = g_build_filename(b_dir, "status.bin", NULL);
	struct stat st[4];

	assert_int_equal(stat(a0, &st[0]) | stat(a1, &st[1]) | stat(b0, &st[2]) | stat(b1, &st[3]),
			 0);
#define NS(i) (st[i].st_mtim.tv_sec * 1000000000ll + st[i].st_mtim.tv_nsec)
	return NS(0) < NS(3) && NS(2) < NS(1);
#undef NS
}

static unsigned beside_lone(const struct run *r)
{
	const struct cell *hang = cell_at(r, 0);
	unsigned n = 0;

	for (guint i = 0; i < hang->outcomes->len; i++) {
		const struct outcome *lone = hang->outcomes->pdata[i];

		for (guint c = 1; lone->alone && c < r->cells->len; c++) {
			const struct outcome *o = cell_at(r, c)->outcomes->pdata[0];

			n += overlap(lone->dir, o->dir);
		}
	}
	return n;
}

static void check_protocol(const char *name, const char *fails, enum verdict_value want,
			   unsigned jobs, const char *why)
{
	struct log log = { 0 };
	g_autoptr(run) r = run_fake(name, fails, &log), back = NULL;
	const struct cell *hang = cell_at(r, 0);
	g_autofree char *text = result_text(r), *again = NULL;
	enum cell_needs needs;

	if (hang->verdict.v.value != want || hang->outcomes->len != jobs ||
	    !strstr(hang->verdict.v.reason, why))
		fail_msg("%s: %s after %u jobs (%s)", name, verdict_value_name(hang->verdict.v.value),
			 hang->outcomes->len, hang->verdict.v.reason);
	assert_int_equal(log.lone, jobs - 1);
	assert_int_equal(beside_lone(r), 0);
	for (guint i = 1; i < r->cells->len; i++)
		assert_int_equal(cell_at(r, i)->verdict.v.value, VERDICT_CLEAN);
	/* the same journals, the same bytes */
	assert_true(run_load(r->dir, &back, NULL));
	for (guint i = 0; i < back->cells->len; i++)
		assert_true(cell_refresh(back, back->cells->pdata[i],
					 &(struct judge_params){ 0 }, &needs, NULL) &&
			    needs == CELL_DONE);
	again = result_text(back);
	assert_string_equal(text, again);
}

static void repeats_alone(void **unused)
{
	check_protocol("two-of-two", "0\n1\n", VERDICT_AFFECTED, 2, "seen in 2 of 2 runs");
	check_protocol("two-of-three", "0\n2\n", VERDICT_AFFECTED, 3, "seen in 2 of 3 runs");
	check_protocol("one-of-three", "0\n", VERDICT_INCONCLUSIVE, 3, "1 of 3 runs");
}

static int make_dir(void **unused)
{
	dir = g_dir_make_tmp("klab-test-run-XXXXXX", NULL);
	return !dir;
}

static int drop_dir(void **unused)
{
	bool ok = fs_remove(dir, NULL);

	g_free(dir);
	return !ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_jobs),	    cmocka_unit_test(next_job_of_old_kernels),
		cmocka_unit_test(next_job_of_a_plan),
		cmocka_unit_test(no_target_unamplified), cmocka_unit_test(specs_round_trip),
		cmocka_unit_test(builds_round_trip), cmocka_unit_test(hosts_round_trip),
		cmocka_unit_test(specs_of_plans),   cmocka_unit_test(ids_tell_plans_apart),
		cmocka_unit_test(plans_round_trip), cmocka_unit_test(repeats_alone),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
