// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * klab again: repeat a cell's job under the same inputs, and count. Each repetition is a cell of
 * its own in a run of its own: what was judged before stays as it is.
 */
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include "cmd/pick.h"

#include "base/fs.h"
#include "report/again.h"
#include "report/result.h"
#include "run/agent.h"
#include "run/amplifier.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMES_MAX 10000
#define UNTIL_FAIL_TIMES 100

struct request {
	char *cell, *out, *json, *amplify, *connect;
	int times, jobs, timeout;
	gboolean until_fail, same_seed, force;
};

struct again {
	const struct request *req;
	struct lab *lab;
	struct lab *place;     /* where it is repeated, with its engine; NULL: as recorded, here */
	struct run *old, *all; /* what is repeated, and the repetitions */
	GPtrArray *of;         /* of struct cell *, borrowed from old */
	struct amplify amplify;	/* of --amplify */
};

/* --- the same inputs? ---------------------------------------------------------------------- */

static bool same_file(const char *what, const char *path, const char *sha256, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *now = fs_sha256(path, &why);

	if (!now)
		return lab_fail(error, LAB_ERROR_USAGE, "%s: %s", what, why->message);
	return strcmp(now, sha256) == 0 ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"%s '%s' is not what it was: sha256 is %.12s..., was "
			"%.12s...",
			what, path, now, sha256);
}

static bool same_agent(const struct job *job, GError **error)
{
	g_autofree char *now = agent_sha256(error);

	return now && (strcmp(now, job->agent_sha256) == 0 ||
		       lab_fail(error, LAB_ERROR_USAGE,
				"the run is of another build of klab: its guest agent differs"));
}

static bool same_engine(const struct again *a, const struct job *job, GError **error)
{
	if (a->req->connect)
		return true; /* another one is what was asked for */
	if (!a->place)
		return same_file("engine", job->engine->binary, job->engine->sha256, error);
	return !strcmp(a->place->engine->sha256, job->engine->sha256) ||
	       lab_fail(error, LAB_ERROR_USAGE, "the QEMU of '%s' is not what it was: %s, was %s",
			job->host->uri, a->place->engine->version, job->engine->version);
}

static bool same_inputs(const struct again *a, const struct job *job, GError **error)
{
	return (same_file("kernel image", job->kernel->image, job->kernel->sha256, error) &&
		same_engine(a, job, error) && same_agent(job, error)) ||
	       lab_prefix(error, "cell '%s'", job->cell);
}

/* --- where? -------------------------------------------------------------------------------- */

/* The host that a run was planned for; runs have one. */
static const struct job *remote_job(const struct again *a)
{
	const struct job *job = ((struct cell *)a->of->pdata[0])->job;

	return job->host && job->host->remote ? job : NULL;
}

static bool open_place(struct again *a, GError **error)
{
	const struct job *job = remote_job(a);
	const struct cell *first = a->of->pdata[0];
	const struct lab_params params = { .judge_only = true, .prove = true,
					   .accel = first->job->accel,
					   .connect = a->req->connect ? a->req->connect :
						      job	      ? job->host->uri :
									NULL };

	if (!params.connect)
		return true;
	if (!lab_open(&params, &a->place, error))
		return false;
	if (!a->req->connect && !a->place->host_spec->emulator)
		a->place->host_spec->emulator = g_strdup(job->engine->binary);
	return lab_open_engine(a->place, &params, &cmd_progress, error);
}

/* A rate that was measured with another engine bounds nothing. */
static void move(const struct lab *to, struct cell *cell)
{
	if (strcmp(to->engine->version, cell->job->engine->version) != 0 ||
	    strcmp(to->accel, cell->job->accel) != 0)
		cell->rate_lower = 0;
	lab_host_place(to, cell->job);
}

/* --force: under what there is now, as a new measurement. */
static bool take_present_inputs(struct lab *lab, struct job *job, GError **error)
{
	const struct lab_params params = { .accel = job->accel, .prove = true };
	g_autofree char *image = fs_sha256(job->kernel->image, error);

	if (!image || (!lab->engine && !lab_open_engine(lab, &params, &cmd_progress, error)))
		return false;
	g_free(job->kernel->sha256);
	job->kernel->sha256 = g_steal_pointer(&image);
	g_free(job->agent_sha256);
	job->agent_sha256 = g_strdup(lab->agent);
	g_free(job->engine_trouble);
	job->engine_trouble = g_strdup(lab->engine_trouble);
	engine_free(job->engine);
	job->engine = engine_copy(lab->engine);
	return true;
}

static bool check_inputs(struct again *a, GError **error)
{
	if (!open_place(a, error))
		return false;
	for (guint i = 0; i < a->of->len; i++) {
		struct cell *cell = a->of->pdata[i];
		g_autoptr(GError) why = NULL;

		if (a->req->connect)
			move(a->place, cell);
		if (same_inputs(a, cell->job, &why))
			continue;
		if (!a->req->force)
			return lab_fail(error, LAB_ERROR_USAGE,
					"%s\nhint: --force repeats it with what is there now",
					why->message);
		cmd_line(why->message);
		if (!take_present_inputs(a->place ? a->place : a->lab, cell->job, error))
			return false;
	}
	return true;
}

/* --- the same delays? ---------------------------------------------------------------------- */

/* A failure rate that was measured under other delays bounds nothing. */
static void set_amplify(struct cell *cell, enum amplify_level level, const char *plan)
{
	struct job *job = cell->job;
	char *copy = g_strdup(plan);	/* which may be the job's own */

	if (level != job->amplify || level == AMPLIFY_PLAN)
		cell->rate_lower = 0;
	job->amplify = level;
	g_free(job->amplify_plan);
	job->amplify_plan = copy;
}

/* Without --same-seed, a plan says where and how long; when is drawn afresh. */
static void set_plan(const struct again *a, struct cell *cell, const char *plan)
{
	g_autofree char *seedless = plan_without_seed(plan);

	set_amplify(cell, AMPLIFY_PLAN, a->req->same_seed ? plan : seedless);
}

static bool read_plan(const char *path, char **ret, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(plan) p = NULL;
	size_t len;

	if (!fs_read(path, PLAN_TEXT_MAX, &text, &len, error) ||
	    (!plan_parse(text, len, &p, error) && !lab_prefix(error, "'%s'", path)))
		return false;
	*ret = g_steal_pointer(&text);
	return true;
}

/* What was found with delays is repeated with the delays that found it. */
static void replay(const struct again *a, struct cell *cell)
{
	const struct outcome *shown = result_decisive(cell);
	const char *level = amplify_level_name(cell->job->amplify);
	g_autofree char *path = NULL, *text = NULL, *line = NULL;
	g_autoptr(GError) why = NULL;

	path = g_build_filename(shown->dir, AMPLIFIER_PLAN, NULL);
	if (!read_plan(path, &text, &why)) {
		line = g_strdup_printf("%s: no plan to repeat: %s; amplified as before: %s",
				       cell->job->cell, why->message, level);
		cmd_line(line);
		return;
	}
	set_plan(a, cell, text);
	line = g_strdup_printf("%s: repeated with the plan that found it, '%s'", cell->job->cell,
			       path);
	cmd_line(line);
}

static void choose_delays(struct again *a)
{
	for (guint i = 0; i < a->of->len; i++) {
		struct cell *cell = a->of->pdata[i];
		enum amplify_level was = cell->job->amplify;

		if (a->req->amplify)
			set_amplify(cell, a->amplify.level, a->amplify.plan);
		else if (was == AMPLIFY_PLAN)
			set_plan(a, cell, cell->job->amplify_plan);
		else if ((was == AMPLIFY_LIGHT || was == AMPLIFY_AUTO) && cell->done &&
			 cell->verdict.v.value == VERDICT_AFFECTED && result_decisive(cell))
			replay(a, cell);
	}
}

/* --- the plan ------------------------------------------------------------------------------ */

static uint64_t fresh_seed(const struct again *a, const char *id)
{
	g_autofree char *text = g_strdup_printf("%s/%s", a->all->dir, id);
	g_autofree char *digest = fs_sha256_bytes(text, strlen(text));

	digest[15] = '\0';
	return g_ascii_strtoull(digest, NULL, 16);
}

/* What was seen once is foretold: a repetition needs no second opinion. Each is one job, so that
 * the tally is of jobs; the bound is stated for all together. */
static void plan_one(struct again *a, const struct cell *of, unsigned k, struct run *batch)
{
	g_autofree char *id = g_strdup_printf("%s.again%u", of->job->cell, k);
	struct cell *cell = run_add_copy(a->all, of, id);
	const struct outcome *shown = result_decisive(of);
	bool affected = of->done && of->verdict.v.value == VERDICT_AFFECTED;

	cell->foretold |= affected;
	cell->rate_lower = 0;
	g_clear_pointer(&cell->calibration, g_free);
	cell->job->seed = a->req->same_seed && shown ? shown->seed : fresh_seed(a, id);
	if (a->req->same_seed && shown && shown->cpu_model) {
		g_free(cell->job->cpu_model);
		cell->job->cpu_model = g_strdup(shown->cpu_model);
	}
	run_add_copy(batch, cell, id)->confirmed = affected;
}

static unsigned count_affected(const struct run *r)
{
	unsigned counts[VERDICT__COUNT];

	result_count(r, counts);
	return counts[VERDICT_AFFECTED];
}

/* Run repetitions first..last (from 1) of every cell. */
static bool run_batch(struct again *a, unsigned first, unsigned last, enum sched_end *ret_end,
		      bool *ret_failed, GError **error)
{
	g_autoptr(run) batch = run_new(a->all->dir, a->all->confidence);
	unsigned jobs = a->place ? lab_host_jobs(a->place, a->req->jobs) : (unsigned)a->req->jobs;
	bool ok;

	for (unsigned k = first; k <= last; k++)
		for (guint i = 0; i < a->of->len; i++)
			plan_one(a, a->of->pdata[i], k, batch);
	ok = run_save(a->all, error) &&
	     lab_sched(a->lab, batch, jobs, a->req->timeout, ret_end, error);
	*ret_failed = count_affected(batch) > 0;
	return ok;
}

static bool run_all(struct again *a, enum sched_end *ret_end, GError **error)
{
	int times = a->req->times, step = a->req->until_fail ? a->req->jobs : times;
	bool failed = false;

	*ret_end = SCHED_DONE;
	for (int k = 1; k <= times && !failed && *ret_end == SCHED_DONE; k += step)
		if (!run_batch(a, k, MIN(k + step - 1, times), ret_end, &failed, error))
			return false;
		else if (!a->req->until_fail)
			break;
	return true;
}

/* --- the command --------------------------------------------------------------------------- */

static bool choose_cells(struct again *a, const char *name, GError **error)
{
	a->of = g_ptr_array_new();
	if (name) {
		struct cell *cell = pick_cell(a->old, name, error);

		if (!cell)
			return false;
		g_ptr_array_add(a->of, cell);
	}
	for (guint i = 0; !name && i < a->old->cells->len; i++)
		g_ptr_array_add(a->of, a->old->cells->pdata[i]);
	for (guint i = a->of->len; i-- > 0;) {
		struct cell *cell = a->of->pdata[i];

		if (cell->skip && name)
			return lab_fail(error, LAB_ERROR_USAGE, "cell '%s' was never booted: %s",
					cell->job->cell, cell->skip);
		if (cell->skip)
			g_ptr_array_remove_index(a->of, i);
	}
	return a->of->len ||
	       lab_fail(error, LAB_ERROR_USAGE, "'%s' has no cell that was booted", a->old->dir);
}

static bool choose_dir(const char *asked, char **ret, GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *stamp = g_date_time_format(now, "results/again-%Y%m%d-%H%M%S");
	g_autofree char *dir = g_strdup(asked ? asked : stamp);

	for (unsigned i = 2; !asked && g_file_test(dir, G_FILE_TEST_EXISTS); i++) {
		g_free(dir);
		dir = g_strdup_printf("%s-%u", stamp, i);
	}
	if (g_file_test(dir, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is there already\n"
				"hint: repetitions go into a run of their own",
				dir);
	*ret = g_canonicalize_filename(dir, NULL);
	return fs_mkdir(*ret, error);
}

static bool tell(struct again *a, GError **error)
{
	g_autofree char *text = NULL;
	json_t *json;
	char *dump;
	bool ok = true;

	if (!pick_judge(a->lab, a->all, error) || !result_save(a->all, error))
		return false;
	text = again_text(a->all, a->of);
	fprintf(g_strcmp0(a->req->json, "-") == 0 ? stderr : stdout, "\n%sresults: %s\n", text,
		a->all->dir);
	if (!a->req->json)
		return true;
	json = again_json(a->all, a->of);
	dump = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	text = (g_free(text), g_strconcat(dump, "\n", NULL));
	ok = cmd_output(a->req->json, text, strlen(text), error);
	free(dump);
	json_decref(json);
	return ok;
}

/* RUN is a folder; anything else is a cell of the newest run. */
static bool execute(struct again *a, const char *what, int *ret_exit, GError **error)
{
	const struct lab_params params = { .judge_only = true };
	bool is_dir = what && g_file_test(what, G_FILE_TEST_IS_DIR);
	g_autofree char *dir = NULL, *out = NULL;
	enum sched_end end;

	if (what && !is_dir && (a->req->cell || strchr(what, '/')))
		return lab_fail(error, LAB_ERROR_USAGE, "no run's folder '%s'", what);
	dir = is_dir ? g_strdup(what) : pick_newest_run(error);
	if (!dir || !lab_open(&params, &a->lab, error) || !pick_load(a->lab, dir, &a->old, error) ||
	    !choose_cells(a, is_dir || !what ? a->req->cell : what, error) ||
	    !check_inputs(a, error) || !choose_dir(a->req->out, &out, error))
		return false;
	choose_delays(a);
	a->all = run_new(out, a->old->confidence);
	if (!run_all(a, &end, error) || !tell(a, error))
		return false;
	*ret_exit = lab_exit(a->all, end);
	return true;
}

static void again_clear(struct again *a)
{
	if (a->of)
		g_ptr_array_free(a->of, TRUE);
	amplify_clear(&a->amplify);
	run_free(a->old);
	run_free(a->all);
	lab_free(a->lab);
	lab_free(a->place);
}

static bool check_ranges(struct request *req, int operands, GError **error)
{
	if (!req->times)
		req->times = req->until_fail ? UNTIL_FAIL_TIMES : 1;
	if (operands > 1)
		return lab_fail(error, LAB_ERROR_USAGE, "want one RUN or CELL, got %d operands",
				operands);
	if (req->times < 1 || req->times > TIMES_MAX)
		return lab_fail(error, LAB_ERROR_USAGE, "-n is %d, wants 1..%d", req->times,
				TIMES_MAX);
	return (req->jobs >= 1 && req->jobs <= 1024 && req->timeout >= 0) ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"--jobs is %d, wants 1..1024; --timeout is %d, wants 0 "
			"or more",
			req->jobs, req->timeout);
}

static const char about[] =
	"Repeat what a run's cells did, with the same kernel, engine and options, and count how often it "
	"fails. RUN is a run's folder, CELL a cell of the newest run below results/. The repetitions are a "
	"run of their own: report and explain work on it, and the old verdict stays.";

static const char epilog[] =
	"Exit codes: as of klab run (1 something affected, 3 infra, 4 inconclusive, 0 all clean).\n\n"
	"Examples:\n"
	"  klab again results/run-X --cell text-poke -n 20\n"
	"  klab again debian-sid.text-poke.smp4.auto --until-fail\n"
	"  klab again results/run-X --cell nmi-user-read --same-seed\n"
	"  klab again results/run-X --cell text-poke -n 20 --amplify off";

static bool parse(int *argc, char ***argv, struct request *req, int *ret_exit)
{
	const GOptionEntry entries[] = {
		{ "cell", 0, 0, G_OPTION_ARG_STRING, &req->cell,
		  "Cell by id, part of it or glob (default: every cell that was booted)", "CELL" },
		{ "times", 'n', 0, G_OPTION_ARG_INT, &req->times,
		  "How often (default: 1; with --until-fail 100)", "N" },
		{ "until-fail", 0, 0, G_OPTION_ARG_NONE, &req->until_fail,
		  "Stop at the first repetition that is affected", NULL },
		{ "same-seed", 0, 0, G_OPTION_ARG_NONE, &req->same_seed,
		  "With the seed and CPU model of the job that carries the verdict (default: fresh "
		  "seeds)",
		  NULL },
		{ "amplify", 0, 0, G_OPTION_ARG_STRING, &req->amplify,
		  "Under another amplification, as of klab run (default: as it was, and a finding "
		  "with the plan.txt of the job that found it). What does not fail under 'off' is "
		  "informative only: without delays it may take hours",
		  "LEVEL|PLAN|@FILE" },
		{ "connect", 0, 0, G_OPTION_ARG_STRING, &req->connect,
		  LAB_CONNECT_HELP " (default: where it ran)", "URI|NAME" },
		{ "force", 0, 0, G_OPTION_ARG_NONE, &req->force,
		  "Even if the kernel image, QEMU or klab are not what they were", NULL },
		{ "jobs", 'j', 0, G_OPTION_ARG_INT, &req->jobs, "Guests at once (default: 1)", "N" },
		{ "timeout", 0, 0, G_OPTION_ARG_INT, &req->timeout,
		  "Time limit of a batch in seconds (default: none); exit code 124", "S" },
		{ "out", 'o', 0, G_OPTION_ARG_FILENAME, &req->out,
		  "Folder of the repetitions (default: a fresh results/again-TIME)", "DIR" },
		{ "json", 0, 0, G_OPTION_ARG_FILENAME, &req->json,
		  "Write the tally there as JSON; - is stdout", "FILE" },
		{ NULL },
	};

	return cmd_parse(argc, argv, "[RUN|CELL]", about, entries, epilog, ret_exit);
}

static void request_clear(struct request *req)
{
	g_free(req->cell);
	g_free(req->out);
	g_free(req->json);
	g_free(req->amplify);
	g_free(req->connect);
}

static int run_command(int argc, char **argv)
{
	struct request req = { .jobs = 1 };
	struct again a = { .req = &req };
	g_autoptr(GError) error = NULL;
	int code;

	if (parse(&argc, &argv, &req, &code)) {
		code = EXIT_CLEAN;
		if (check_ranges(&req, argc - 1, &error) &&
		    (!req.amplify || lab_amplify(req.amplify, &a.amplify, &error)))
			execute(&a, argc > 1 ? argv[1] : NULL, &code, &error);
		if (error)
			code = cmd_error("again", error);
	}
	again_clear(&a);
	request_clear(&req);
	return code;
}

const struct command command_again = {
	.name = "again",
	.summary = "repeat a cell and count how often it fails",
	.run = run_command,
};
