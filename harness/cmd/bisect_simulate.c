// SPDX-License-Identifier: GPL-2.0-or-later
/* kbisect simulate: are its claims true, and what do its answers cost? In made-up histories. */
#include "cmd/cmd.h"

#include "bisect/simulate.h"
#include "stats/rate.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define TRIALS_MAX 100000

static const char epilog[] =
	"Examples:\n"
	"  kbisect simulate --p 0.2 --n 1000\n"
	"  kbisect simulate --p 0.5 --n 1000 --merges --untestable 0.1 --jobs 4\n"
	"  kbisect simulate --p 0.2 --drift 0.5 --trials 400 --json\n\n"
	"'plug-in' is git bisect with as many repeats as five failures at the bad end ask for,\n"
	"'told p' with as many as the true rate does.\n\n"
	"Exit codes: 0 the errors are within the claim, 1 they are not (the lower 95 % limit of\n"
	"Clopper and Pearson lies above 1 - confidence), 2 usage.";

struct request {
	double p, confidence;
	int n, trials;
	gint64 seed;
	struct world_params world;
	int jobs;
	gboolean fix, merges, time, trusting, json;
};

/* --- trials -------------------------------------------------------------------------------------
 */

struct row {
	const char *name;
	enum sim_method method;
	unsigned repeats;
	struct sim_outcome *outcomes; /* of all trials */
	/* sums of them */
	unsigned errors, several;
	double runs, runs_p95, builds, wall_s, slowest_s;
};

static struct row rows[] = {
	{ "kbisect", SIM_KBISECT, 0, .outcomes = NULL },
	{ "plug-in", SIM_PLUGIN, 0, .outcomes = NULL },
	{ "told p", SIM_ORACLE, 0, .outcomes = NULL },
	{ "git x1", SIM_REPEAT, 1, .outcomes = NULL },
	{ "git x3", SIM_REPEAT, 3, .outcomes = NULL },
	{ "git x10", SIM_REPEAT, 10, .outcomes = NULL },
};

struct work {
	const struct request *req;
	struct row *row;
	gint done; /* atomic */
};

static void one_trial(gpointer data, gpointer user_data)
{
	unsigned trial = GPOINTER_TO_UINT(data) - 1;
	struct work *w = user_data;
	const struct request *r = w->req;

	w->row->outcomes[trial] = simulate(&r->world, w->row->method, r->confidence, r->trusting,
					   w->row->repeats, ((uint64_t)r->seed << 32) + trial);
	g_atomic_int_inc(&w->done);
}

static int by_size(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void sum_up(struct row *row, unsigned trials)
{
	g_autofree double *runs = g_new(double, trials);

	for (unsigned i = 0; i < trials; i++) {
		const struct sim_outcome *o = &row->outcomes[i];

		row->errors += o->wrong;
		row->several += o->answer == BISECT_SEVERAL;
		row->runs += (runs[i] = o->runs) / trials;
		row->builds += o->builds / trials;
		row->wall_s += o->wall_s / trials;
		row->slowest_s = fmax(row->slowest_s, o->slowest_s);
	}
	qsort(runs, trials, sizeof(*runs), by_size);
	row->runs_p95 = runs[(unsigned)(0.95 * (trials - 1))];
}

static void run_row(const struct request *r, struct row *row)
{
	struct work work = { .req = r, .row = row };
	unsigned trials = r->trials;
	GThreadPool *pool = g_thread_pool_new(one_trial, &work, g_get_num_processors(), TRUE, NULL);

	row->outcomes = g_new0(struct sim_outcome, trials);
	for (unsigned i = 1; i <= trials; i++)
		g_thread_pool_push(pool, GUINT_TO_POINTER(i), NULL);
	while (g_thread_pool_unprocessed(pool)) {
		progress_say(&cmd_progress, "%s: %d of %u trials", row->name,
			     g_atomic_int_get(&work.done), trials);
		g_usleep(200000);
	}
	g_thread_pool_free(pool, FALSE, TRUE);
	sum_up(row, trials);
	g_clear_pointer(&row->outcomes, g_free);
}

/* --- what is told -------------------------------------------------------------------------------
 */

/* Rules for git bisect know runs that fail or not, one guest at a time. */
static bool has_rivals(const struct request *r)
{
	return r->world.form == BISECT_RUNS && r->world.workers <= 1;
}

static json_t *row_json(const struct row *row, unsigned trials)
{
	struct interval limits = proportion_limits(row->errors, trials, 0.9);

	return json_pack("{s:s, s:i, s:i, s:f, s:f, s:i, s:f, s:f, s:f, s:f}", "method", row->name,
			 "trials", (int)trials, "errors", (int)row->errors, "error_lower",
			 limits.lower, "error_upper", limits.upper, "several", (int)row->several,
			 "runs_mean", row->runs, "runs_p95", row->runs_p95, "builds_mean",
			 row->builds, "wall_s", row->wall_s);
}

static bool print_json(const struct request *r, unsigned n_rows, GError **error)
{
	json_t *doc = row_json(&rows[0], r->trials), *methods = json_array();
	g_autofree char *text = NULL;
	char *dump;

	for (unsigned i = 0; i < n_rows; i++)
		json_array_append_new(methods, row_json(&rows[i], r->trials));
	json_object_del(doc, "method");
	if (n_rows > 1)
		json_object_set_new(doc, "plugin_wall_s", json_real(rows[1].wall_s));
	json_object_set_new(doc, "slowest_decision_s", json_real(rows[0].slowest_s));
	json_object_set_new(doc, "confidence", json_real(r->confidence));
	json_object_set_new(doc, "methods", methods);
	dump = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(doc);
	text = g_strconcat(dump, "\n", NULL);
	free(dump);
	return cmd_output("-", text, strlen(text), error);
}

static bool print_table(const struct request *r, unsigned n_rows, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);

	g_string_append_printf(out, "%-8s %16s %15s %7s %8s %7s %8s\n", "METHOD", "WRONG",
			       "95% LIMITS", "RUNS", "P95", "BUILDS", "HOURS");
	for (unsigned i = 0; i < n_rows; i++) {
		const struct row *row = &rows[i];
		struct interval limits = proportion_limits(row->errors, r->trials, 0.9);
		g_autofree char *wrong =
			g_strdup_printf("%u of %u", row->errors, (unsigned)r->trials);
		g_autofree char *between =
			g_strdup_printf("%.2f-%.2f %%", 100 * limits.lower, 100 * limits.upper);

		g_string_append_printf(out, "%-8s %16s %15s %7.1f %8.0f %7.1f %8.2f\n", row->name,
				       wrong, between, row->runs, row->runs_p95, row->builds,
				       row->wall_s / 3600);
	}
	if (n_rows > 1)
		g_string_append_printf(out, "\nkbisect : plug-in, by the clock: %.2f\n",
				       rows[0].wall_s / rows[1].wall_s);
	g_string_append_printf(out, "%sslowest decision: %.0f ms\n", n_rows > 1 ? "" : "\n",
			       1000 * rows[0].slowest_s);
	return cmd_output("-", out->str, out->len, error);
}

/* --- the command --------------------------------------------------------------------------------
 */

static bool in_range(const char *name, double value, double low, double high, GError **error)
{
	return (value >= low && value <= high) ||
	       lab_fail(error, LAB_ERROR_USAGE, "--%s must be between %g and %g", name, low, high);
}

static bool check(struct request *r, GError **error)
{
	struct world_params *w = &r->world;

	if (!in_range("p", r->p, 1e-6, r->time ? 1e6 : 1, error) ||
	    !in_range("n", r->n, 1, 200000, error) ||
	    !in_range("trials", r->trials, 1, TRIALS_MAX, error) ||
	    !in_range("seed", r->seed, 0, G_MAXUINT32, error) ||
	    !in_range("confidence", r->confidence, 0.5, 0.999999, error) ||
	    !in_range("eps", w->eps, 0, 1, error) || !in_range("spread", w->own_sd, 0, 5, error) ||
	    !in_range("drift", w->drift_sd, 0, 5, error) ||
	    !in_range("untestable", w->untestable, 0, 0.9, error) ||
	    !in_range("build", w->make_s, 0, 1e6, error) ||
	    !in_range("boot", w->boot_s, 0, 1e6, error) ||
	    !in_range("run", w->run_s, 1e-3, 1e6, error) ||
	    !in_range("jobs", r->jobs, 1, 64, error))
		return false;
	w->n = r->n;
	w->p = r->time ? 1 / r->p : r->p;
	w->form = r->time ? BISECT_TIME : BISECT_RUNS;
	w->fix = r->fix;
	w->merges = r->merges;
	w->workers = r->jobs;
	return true;
}

static bool parse(int *argc, char ***argv, struct request *r, int *ret_exit)
{
	const GOptionEntry entries[] = {
		{ "p", 0, 0, G_OPTION_ARG_DOUBLE, &r->p,
		  "Probability that a run of a bad kernel fails (0.2); with --time, mean seconds "
		  "to the failure",
		  "P" },
		{ "n", 0, 0, G_OPTION_ARG_INT, &r->n, "Changes in the range (1000)", "N" },
		{ "trials", 0, 0, G_OPTION_ARG_INT, &r->trials, "Bisections of each kind (100)",
		  "T" },
		{ "confidence", 0, 0, G_OPTION_ARG_DOUBLE, &r->confidence,
		  "Asked of each answer (0.99)", "P" },
		{ "merges", 0, 0, G_OPTION_ARG_NONE, &r->merges,
		  "A history like the kernel's, with merges, instead of a chain", NULL },
		{ "fix", 0, 0, G_OPTION_ARG_NONE, &r->fix, "Look for the change that mends", NULL },
		{ "time", 0, 0, G_OPTION_ARG_NONE, &r->time,
		  "Runs of chosen lengths that fail after some time, instead of runs that fail or "
		  "not",
		  NULL },
		{ "build", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.make_s,
		  "Seconds a build, or a download, takes (300)", "S" },
		{ "boot", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.boot_s,
		  "Seconds a boot takes (0: in --run)", "S" },
		{ "run", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.run_s, "Seconds a run takes (60)",
		  "S" },
		{ "jobs", 'j', 0, G_OPTION_ARG_INT, &r->jobs, "Guests at once (1)", "N" },
		{ "eps", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.eps,
		  "Probability (with --time: rate a second) that a good kernel fails (0)", "P" },
		{ "spread", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.own_sd,
		  "How much the rate differs from kernel to kernel: sd of its logarithm (0)",
		  "SD" },
		{ "drift", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.drift_sd,
		  "How much it drifts through history: sd of its logarithm (0)", "SD" },
		{ "untestable", 0, 0, G_OPTION_ARG_DOUBLE, &r->world.untestable,
		  "Share of kernels that cannot be tested, in spans (0)", "P" },
		{ "trusting", 0, 0, G_OPTION_ARG_NONE, &r->trusting,
		  "Do not ask the boundary to speak for itself", NULL },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &r->seed, "Seed of the first trial (1)", "N" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &r->json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL
	};

	return cmd_parse(
		argc, argv, "",
		"Bisect made-up histories many times over, by kbisect's rules and by git's.",
		entries, epilog, ret_exit);
}

static int run_command(int argc, char **argv)
{
	struct request r = { .p = 0.2,
			     .n = 1000,
			     .trials = 100,
			     .seed = 1,
			     .confidence = 0.99,
			     .jobs = 1,
			     .world = { .make_s = 300, .run_s = 60 } };
	g_autoptr(GError) error = NULL;
	unsigned n_rows;
	int code;

	if (!parse(&argc, &argv, &r, &code))
		return code;
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	if (error || !check(&r, &error))
		return cmd_error("simulate", error);
	n_rows = has_rivals(&r) ? G_N_ELEMENTS(rows) : 1;
	for (unsigned i = 0; i < n_rows; i++)
		run_row(&r, &rows[i]);
	if (!(r.json ? print_json : print_table)(&r, n_rows, &error))
		return cmd_error("simulate", error);
	return proportion_limits(rows[0].errors, r.trials, 0.9).lower > 1 - r.confidence
		       ? EXIT_AFFECTED
		       : EXIT_CLEAN;
}

const struct command command_bisect_simulate = {
	.name = "simulate",
	.summary = "are its claims true, and what do answers cost: in made-up histories",
	.run = run_command,
};
