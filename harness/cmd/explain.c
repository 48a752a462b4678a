// SPDX-License-Identifier: GPL-2.0-or-later
/* klab explain: why a cell got its verdict, how sure that is, how to repeat it. From journals
 * alone. */
#include "cmd/cmd.h"
#include "cmd/pick.h"

#include "report/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct request {
	char *run;
	gboolean json;
};

static void print(const struct cell *cell, const struct run *r, bool json)
{
	g_autoptr(explanation) e = explain_cell(cell, r);
	bool color = isatty(STDOUT_FILENO) && !g_getenv("NO_COLOR");

	if (json) {
		json_t *object = explanation_json(e);
		char *text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(6));

		puts(text);
		free(text);
		json_decref(object);
	} else {
		g_autofree char *text = explanation_text(e, color);

		fputs(text, stdout);
	}
}

static bool holds(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* A job's folder that no run surrounds: its own verdict is all there is. */
static bool explain_job(struct lab *lab, const char *dir, bool json, GError **error)
{
	g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);
	g_autoptr(job) job = NULL;
	g_autoptr(outcome) o = NULL;
	g_autoptr(GPtrArray) outcomes = g_ptr_array_new();
	struct cell cell = { .outcomes = outcomes, .done = true };
	const struct judge_params *params, nothing_known = { 0 };

	if (!job_load(spec, &job, error))
		return false;
	params = g_hash_table_lookup(lab->judge_params, job->probe);
	if (!outcome_load(dir, params ? params : &nothing_known, &o, error))
		return false;
	g_ptr_array_add(outcomes, o);
	cell.job = job;
	cell.verdict = (struct cell_verdict){
		.v = o->verdict, .confidence = NAN, .p_missed = NAN, .time_to_failure_s = NAN
	};
	if (o->verdict.failed_us && o->began_us)
		cell.verdict.time_to_failure_s = (o->verdict.failed_us - o->began_us) / 1e6;
	print(&cell, NULL, json);
	return true;
}

static bool explain_in_run(struct lab *lab, const char *dir, const char *name, bool json,
			   GError **error)
{
	g_autoptr(run) r = NULL;
	struct cell *cell;

	if (!pick_load(lab, dir, &r, error))
		return false;
	cell = name                 ? pick_cell(r, name, error)
	       : r->cells->len == 1 ? r->cells->pdata[0]
				    : pick_cell(r, "", error);
	if (!cell)
		return false;
	if (!cell->done)
		return lab_fail(error, LAB_ERROR_USAGE,
				"cell '%s' has no finished job yet\n"
				"hint: klab run --resume --out %s",
				cell->job->cell, dir);
	print(cell, r, json);
	return true;
}

/* RUN/jobs/CELL/N: the cell is asked for, and its run is three steps up. */
static bool explain_dir(struct lab *lab, const char *dir, bool json, GError **error)
{
	g_autofree char *whole = g_canonicalize_filename(dir, NULL);
	g_autofree char *cell_dir = g_path_get_dirname(whole), *jobs = g_path_get_dirname(cell_dir);
	g_autofree char *run = g_path_get_dirname(jobs), *cell = g_path_get_basename(cell_dir);

	if (holds(dir, "run.json"))
		return explain_in_run(lab, dir, NULL, json, error);
	if (!holds(dir, "spec.json"))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is neither a run's folder nor a job's", dir);
	return holds(run, "run.json") ? explain_in_run(lab, run, cell, json, error)
				      : explain_job(lab, dir, json, error);
}

static bool execute(const struct request *req, const char *what, GError **error)
{
	const struct lab_params params = { .judge_only = true };
	g_autoptr(lab) lab = NULL;
	g_autofree char *run = NULL;

	if (!lab_open(&params, &lab, error))
		return false;
	if (!req->run && g_file_test(what, G_FILE_TEST_IS_DIR))
		return explain_dir(lab, what, req->json, error);
	run = req->run ? g_strdup(req->run) : pick_newest_run(error);
	return run && explain_in_run(lab, run, what, req->json, error);
}

static int run_command(int argc, char **argv)
{
	struct request req = { 0 };
	g_autoptr(GError) error = NULL;
	const GOptionEntry entries[] = {
		{ "run", 'r', 0, G_OPTION_ARG_FILENAME, &req.run,
		  "Folder of the run (default: the one below results/ that was started last)",
		  "DIR" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &req.json, "Print JSON", NULL },
		{ NULL },
	};
	int code;

	if (!cmd_parse(&argc, &argv, "CELL|DIR",
		       "Explain a verdict: what speaks for it, the autopsy or the console's words, "
		       "how "
		       "sure it is, the command that repeats it, where its journal lies. CELL is a "
		       "cell's id, a part of it or a glob; DIR is a job's folder, or a run's with "
		       "one cell. Journals are all it reads: a copied folder will do.",
		       entries,
		       "Exit codes: 0 explained, 2 no such cell or folder.\n\n"
		       "Examples:\n"
		       "  klab explain text-poke\n"
		       "  klab explain 'debian-bookworm.*' --run results/run-X --json\n"
		       "  klab explain results/run-X/jobs/CELL/0",
		       &code))
		return code;
	if (argc != 2)
		lab_fail(&error, LAB_ERROR_USAGE, "want one CELL or DIR, got %d operands",
			 argc - 1);
	else
		execute(&req, argv[1], &error);
	g_free(req.run);
	return error ? cmd_error("explain", error) : EXIT_CLEAN;
}

const struct command command_explain = {
	.name = "explain",
	.summary = "why a cell got its verdict, and how sure that is",
	.run = run_command,
};
