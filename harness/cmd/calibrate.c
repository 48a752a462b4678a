// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `klab calibrate`: build the control kernels, run all probes on the clean one and on each bad one
 * those that must find its bugs, check that the lab gives the right answers, and keep the failure
 * rates. They bound how sure a later `clean` is.
 */
#include "base/fs.h"
#include "cmd/calibrate_report.h"
#include "cmd/calibration_file.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include "cmd/runner.h"
#include "kernel/control.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>

#define REPEAT_MAX 1000
#define SMP_DEFAULT 4
#define SEED_DEFAULT 1

static struct {
	int repeat, clean_repeat, smp, duration_s, jobs;
	gint64 seed;
	char *amplify, *json, *out, *source, *suites, *connect;
	char **probes;
	gboolean build_only, refresh, no_store;
} opt;

static const GOptionEntry entries[] = {
	{ "repeat", 0, 0, G_OPTION_ARG_INT, &opt.repeat, "Run each control N times (default 5)",
	  "N" },
	{ "clean-repeat", 0, 0, G_OPTION_ARG_INT, &opt.clean_repeat,
	  "Only the first N times also what must find nothing (default: each time)", "N" },
	{ "probe", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &opt.probes, "Only these probes", "GLOB" },
	{ "smp", 0, 0, G_OPTION_ARG_INT, &opt.smp, "vCPUs of the guests (default 4)", "N" },
	{ "duration", 0, 0, G_OPTION_ARG_INT, &opt.duration_s, "Upper limit of each probe's run",
	  "S" },
	{ "amplify", 0, 0, G_OPTION_ARG_STRING, &opt.amplify, "auto (default), light, host or off",
	  "LEVEL" },
	{ "seed", 0, 0, G_OPTION_ARG_INT64, &opt.seed, "Seed of the first repetition", "N" },
	{ "jobs", 'j', 0, G_OPTION_ARG_INT, &opt.jobs, "Compilers at once (default: all CPUs)",
	  "N" },
	{ "connect", 0, 0, G_OPTION_ARG_STRING, &opt.connect, LAB_CONNECT_HELP, "URI|NAME" },
	{ "source", 0, 0, G_OPTION_ARG_FILENAME, &opt.source,
	  "Source package or Linux 6.1 tarball to build from, instead of apt's", "FILE" },
	{ "suites", 0, 0, G_OPTION_ARG_STRING, &opt.suites,
	  "Suites to look for linux-source-6.1 in (default bookworm,bookworm-security)", "LIST" },
	{ "refresh", 0, 0, G_OPTION_ARG_NONE, &opt.refresh, "Ask for a newer source package",
	  NULL },
	{ "build-only", 0, 0, G_OPTION_ARG_NONE, &opt.build_only, "Build the controls, run nothing",
	  NULL },
	{ "no-store", 0, 0, G_OPTION_ARG_NONE, &opt.no_store, "Do not keep the rates", NULL },
	{ "out", 0, 0, G_OPTION_ARG_FILENAME, &opt.out,
	  "Folder for the runs (default results/calibrate-TIME)", "DIR" },
	{ "json", 0, 0, G_OPTION_ARG_FILENAME, &opt.json, "Write results as JSON ('-': stdout)",
	  "FILE" },
	{ NULL },
};

static const char epilog[] =
	"Examples:\n"
	"  klab calibrate                      build (once), run 5 times, keep the rates\n"
	"  klab calibrate --repeat 1           is the lab right at all?\n"
	"  klab calibrate --build-only         only make the control kernels\n"
	"\n"
	"Exit codes: 0 every answer was right, 1 one was wrong, 2 usage, 3 could not run.\n";

/* A name that means nothing is told before kernels are built. */
static bool check_connect(GError **error)
{
	const struct lab_params params = { .judge_only = true, .connect = opt.connect };
	g_autoptr(lab) lab = NULL;

	return !opt.connect || lab_open(&params, &lab, error);
}

static bool check_options(enum amplify_level *ret_level, GError **error)
{
	opt.repeat = opt.repeat ? opt.repeat : 5;
	opt.smp = opt.smp ? opt.smp : SMP_DEFAULT;
	opt.seed = opt.seed ? opt.seed : SEED_DEFAULT;
	if (opt.repeat < 1 || opt.repeat > REPEAT_MAX)
		return lab_fail(error, LAB_ERROR_USAGE, "--repeat '%d' is not within 1 to %d",
				opt.repeat, REPEAT_MAX);
	opt.clean_repeat = opt.clean_repeat ? opt.clean_repeat : opt.repeat;
	if (opt.clean_repeat < 1 || opt.clean_repeat > opt.repeat)
		return lab_fail(error, LAB_ERROR_USAGE, "--clean-repeat '%d' is not within 1 to %d",
				opt.clean_repeat, opt.repeat);
	if (opt.smp < 1 || opt.smp > 64)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--smp '%d' is not within 1 to 64 (the "
				"controls' limit)",
				opt.smp);
	if (opt.duration_s < 0 || opt.duration_s > 86400)
		return lab_fail(error, LAB_ERROR_USAGE, "--duration '%d' is not within 1 to 86400",
				opt.duration_s);
	if (opt.jobs < 0 || opt.jobs > 1024)
		return lab_fail(error, LAB_ERROR_USAGE, "--jobs '%d' is not within 1 to 1024",
				opt.jobs);
	if (!amplify_level_parse(opt.amplify ? opt.amplify : "auto", ret_level) ||
	    *ret_level == AMPLIFY_PLAN)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--amplify '%s' is none of auto, light, host, off", opt.amplify);
	return check_connect(error);
}

/* ---- results ---- */

/* Everything that results borrow from. */
struct controls {
	struct kernel *kernels[CONTROL__COUNT];
	GPtrArray *runs; /* of struct run * */
	GArray *results; /* of struct calibrate_result */
};

static void controls_clear(struct controls *s)
{
	g_clear_pointer(&s->results, g_array_unref);
	g_clear_pointer(&s->runs, g_ptr_array_unref);
	for (unsigned i = 0; i < CONTROL__COUNT; i++)
		g_clear_pointer(&s->kernels[i], kernel_free);
}

static double ran_s(const struct cell *cell)
{
	const struct outcome *last =
		cell->outcomes->len ? cell->outcomes->pdata[cell->outcomes->len - 1] : NULL;
	int64_t end_us;

	if (!last || !last->began_us)
		return 0;
	end_us = last->verdict.failed_us ? last->verdict.failed_us : last->ended_us;
	return fmax(0, (end_us - last->began_us) / 1e6);
}

static const char *rung_of(const struct cell *cell)
{
	const struct outcome *last = cell->outcomes->len ?
					     cell->outcomes->pdata[cell->outcomes->len - 1] :
					     NULL;

	return last ? last->rung : NULL;
}

static void take_cell(struct controls *s, const struct cell *cell, enum control control,
		      unsigned repeat)
{
	const struct control_bug *bug = control_bug_for(control, cell->job->probe);
	const struct verdict *v = &cell->verdict.v;
	struct calibrate_result result = {
		.control = control_names[control],
		.probe = cell->job->probe,
		.hazard = bug ? bug->hazard : NULL,
		.is_native = bug && bug->is_native,
		.repeat = repeat,
		.value = cell->done ? v->value : VERDICT_INFRA,
		.kind = cell->done ? v->kind : KIND_NONE,
		.title = cell->done ? v->title : NULL,
		.reason = cell->done && v->reason ? v->reason : "it was not run to its end",
		.found_hazard = cell->done ? v->hazard : NULL,
		.exposure = cell->done ? v->exposure : 0,
		.slack = cell->done ? v->exposure_slack : 0,
		.ran_s = ran_s(cell),
		.engine = cell->job->engine->version,
		.accel = cell->job->accel,
		.amplify = amplify_level_name(cell->job->amplify),
		.rung = rung_of(cell),
		.smp = cell->job->smp,
		.kernel_sha256 = cell->job->kernel->sha256,
	};

	g_array_append_val(s->results, result);
}

static bool is_asked_for(const char *probe)
{
	for (char **glob = opt.probes; glob && *glob; glob++)
		if (!fnmatch(*glob, probe, 0))
			return true;
	return !opt.probes || !*opt.probes;
}

/* The probes that must find a bug of this control, ended by NULL: none for fixtures. */
static GPtrArray *probes_for(enum control control)
{
	GPtrArray *list = g_ptr_array_new();

	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++)
		if (bug->control == control && !bug->is_fixture && is_asked_for(bug->probe))
			g_ptr_array_add(list, (char *)bug->probe);
	g_ptr_array_add(list, NULL);
	return list;
}

static bool run_control(struct controls *s, enum amplify_level level, const char *dir,
			enum control control, unsigned repeat, enum sched_end *ret_end,
			GError **error)
{
	g_autofree char *out = g_strdup_printf("%s/%u/%s", dir, repeat, control_names[control]);
	g_autoptr(GPtrArray) finders = probes_for(control);
	bool all = control == CONTROL_CLEAN && repeat <= (unsigned)opt.clean_repeat;
	const struct runner_kernel kernel = { s->kernels[control], control != CONTROL_CLEAN };
	struct runner_params params = {
		.kernels = &kernel,
		.n_kernels = 1,
		.probes = all ? (const char *const *)opt.probes : (void *)finders->pdata,
		.smp = opt.smp,
		.duration_s = opt.duration_s,
		.seed = opt.seed + repeat - 1,
		.amplify = level,
		.connect = opt.connect,
		.out = out,
		.uncalibrated = true,
	};
	struct run *done;

	if (!all && !finders->pdata[0])
		return true;
	progress_say(&cmd_progress, "control '%s': repetition %u of %d", control_names[control],
		     repeat, opt.repeat);
	if (!runner_run(&params, &done, ret_end, error))
		return false;
	g_ptr_array_add(s->runs, done);
	for (unsigned i = 0; i < done->cells->len; i++)
		take_cell(s, done->cells->pdata[i], control, repeat);
	return true;
}

/* The bad ones first: they are quick. */
static bool run_once(struct controls *s, enum amplify_level level, const char *dir, unsigned repeat,
		     enum sched_end *ret_end, GError **error)
{
	for (unsigned i = CONTROL__COUNT; i-- > 0 && *ret_end == SCHED_DONE;)
		if (!run_control(s, level, dir, i, repeat, ret_end, error))
			return false;
	return true;
}

static bool run_all(struct controls *s, enum amplify_level level, enum sched_end *ret_end,
		    GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *name = g_date_time_format(now, "results/calibrate-%Y%m%dT%H%M%SZ");
	const char *dir = opt.out ? opt.out : name;

	if (!fs_mkdir(dir, error))
		return false;
	*ret_end = SCHED_DONE;
	for (int i = 1; i <= opt.repeat && *ret_end == SCHED_DONE; i++)
		if (!run_once(s, level, dir, i, ret_end, error))
			return false;
	return true;
}

static bool show(const struct controls *s, const struct calibration *rates, GError **error)
{
	const struct calibrate_result *results = (const void *)s->results->data;
	g_autofree char *text = calibrate_print(results, s->results->len, rates);
	g_autofree char *json = calibrate_json(results, s->results->len, rates);

	/* "--json -" leaves stdout to the JSON. */
	fputs(text, opt.json && !strcmp(opt.json, "-") ? stderr : stdout);
	return !opt.json || cmd_output(opt.json, json, strlen(json), error);
}

/* Rates of a lab that gives wrong answers would make its next ones look sure: they are not kept. */
static bool keep(const struct calibration *rates, int code, GError **error)
{
	g_autofree char *path = calibration_file_local();

	if (opt.no_store || code != EXIT_CLEAN)
		return true;
	return calibration_file_update(path, rates, error);
}

static bool conclude(const struct controls *s, int *ret_code, GError **error)
{
	const struct calibrate_result *results = (const void *)s->results->data;
	g_autoptr(calibration) rates =
		calibrate_rates(results, s->results->len, g_get_real_time() / G_USEC_PER_SEC);
	int code = calibrate_exit(results, s->results->len);

	if (!show(s, rates, error) || !keep(rates, code, error))
		return false;
	*ret_code = code;
	return true;
}

static void print_controls(const struct controls *s)
{
	for (unsigned i = 0; i < CONTROL__COUNT; i++) {
		const struct kernel *k = s->kernels[i];

		printf("%s %s %s %s\n", k->id, k->release, k->sha256, k->image);
	}
}

static int calibrate(struct controls *s, enum amplify_level level, GError **error)
{
	struct control_params params = {
		.source = opt.source,
		.suites = opt.suites,
		.jobs = opt.jobs,
		.refresh = opt.refresh,
	};
	enum sched_end end;
	int code;

	if (!control_build(&params, &cmd_progress, s->kernels, error))
		return EXIT_INFRA;
	if (opt.build_only) {
		print_controls(s);
		return EXIT_CLEAN;
	}
	if (!run_all(s, level, &end, error))
		return EXIT_INFRA;
	if (end == SCHED_INTERRUPTED)
		return EXIT_INTERRUPTED;
	return conclude(s, &code, error) ? code : EXIT_INFRA;
}

static int calibrate_main(int argc, char **argv)
{
	struct controls s = {
		.runs = g_ptr_array_new_with_free_func((GDestroyNotify)run_free),
		.results = g_array_new(FALSE, FALSE, sizeof(struct calibrate_result)),
	};
	g_autoptr(GError) error = NULL;
	enum amplify_level level;
	int code;

	if (!cmd_parse(&argc, &argv, "",
		       "Build control kernels with known bugs, check that the lab finds "
		       "them and nothing else, and keep their failure rates.",
		       entries, epilog, &code))
		return code;
	if (argc > 1) {
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
		return cmd_error(argv[0], error);
	}
	if (!check_options(&level, &error))
		return cmd_error(argv[0], error);
	code = calibrate(&s, level, &error);
	controls_clear(&s);
	if (!error)
		return code;
	cmd_error("calibrate", error);
	return g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE) ? EXIT_USAGE : EXIT_INFRA;
}

const struct command command_calibrate = {
	.name = "calibrate",
	.summary = "Build control kernels with known bugs, run them, keep their failure rates",
	.run = calibrate_main,
};
