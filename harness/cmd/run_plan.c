// SPDX-License-Identifier: GPL-2.0-or-later
/* Options of run and plan, and the way from them to a planned run. */
#include "cmd/run_plan.h"

#include "base/fs.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include "cmd/selftest.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

void run_request_clear(struct run_request *req)
{
	g_strfreev(req->kernels);
	g_strfreev(req->probes);
	g_strfreev(req->params);
	g_free(req->config);
	g_free(req->hazards);
	g_free(req->console_rules);
	g_free(req->qemu);
	g_free(req->accel);
	g_free(req->amplify);
	amplify_clear(&req->delays);
	g_free(req->out);
	g_free(req->json);
	g_free(req->connect);
}

static bool check_range(const char *option, gint64 value, gint64 lo, gint64 hi, GError **error)
{
	return (value >= lo && value <= hi) ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"--%s is %" G_GINT64_FORMAT ", wants %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT,
			option, value, lo, hi);
}

static bool check_ranges(const struct run_request *req, GError **error)
{
	if (!(req->confidence > 0 && req->confidence < 1))
		return lab_fail(error, LAB_ERROR_USAGE, "--confidence is %g, wants more than 0 and "
				"less than 1", req->confidence);
	return check_range("smp", req->smp, 0, 128, error) &&
	       check_range("memory", req->memory, 0, 1 << 20, error) &&
	       check_range("duration", req->duration, 0, 86400, error) &&
	       check_range("boot-timeout", req->boot_timeout, 0, 3600, error) &&
	       check_range("timeout", req->timeout, 0, 10000000, error) &&
	       check_range("jobs", req->jobs, 1, 1024, error);
}

/* The options, with offsets into struct run_request where GOption wants addresses. */
#define AT(field) GSIZE_TO_POINTER(offsetof(struct run_request, field))
static const GOptionEntry options[] = {
	{ "kernel", 'k', 0, G_OPTION_ARG_STRING_ARRAY, AT(kernels),
	  "Kernels by id, alias, version, release or ref ('debian 12', v6.2), or an image: ./bzImage, "
	  "file:PATH[,id=NAME] (docs/kernels.md); repeatable (default: the default: set of the "
	  "kernels file)", "GLOB" },
	{ "probe", 'p', 0, G_OPTION_ARG_STRING_ARRAY, AT(probes),
	  "Probes by name; repeatable (default: all but those that run by name only, see 'klab "
	  "probes'; -p '*' takes them too)", "GLOB" },
	{ "param", 0, 0, G_OPTION_ARG_STRING_ARRAY, AT(params),
	  "A probe's parameter, such as uprobe-storm.threads=8 (see 'klab probes'); repeatable; the "
	  "shipped failure rates are not for such runs, clean is uncalibrated then",
	  "PROBE.NAME=VALUE" },
	{ "smp", 0, 0, G_OPTION_ARG_INT, AT(smp), "vCPUs of a guest (default: 4)", "N" },
	{ "memory", 'm', 0, G_OPTION_ARG_INT, AT(memory),
	  "Memory of a guest in MiB (default: 512 + 16 a vCPU)", "MIB" },
	{ "duration", 0, 0, G_OPTION_ARG_INT, AT(duration),
	  "Upper limit of a probe's run in seconds (default: the probe's own)", "S" },
	{ "full-duration", 0, 0, G_OPTION_ARG_NONE, AT(full_duration),
	  "Do not stop a probe when its exposure suffices for the asked confidence", NULL },
	{ "seed", 0, 0, G_OPTION_ARG_INT64, AT(seed),
	  "Seed of every random choice (default: 1)", "N" },
	{ "amplify", 0, 0, G_OPTION_ARG_STRING, AT(amplify),
	  "Widen race windows: auto (delays in the emulator, where the probe says and where it sees "
	  "CPUs share memory), light (rarely, where the probe says), host (no plugin: single vCPUs "
	  "stopped and moved, also under KVM), off, a plan's sites, or @FILE with a plan "
	  "(docs/amplify.md; default: auto)",
	  "LEVEL|PLAN|@FILE" },
	{ "accel", 0, 0, G_OPTION_ARG_STRING, AT(accel),
	  "auto, tcg, kvm (default: auto; KVM only if it runs 64-bit code here)", "ACCEL" },
	{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, AT(qemu),
	  "QEMU binary to use (default: the system's if new enough, else a private copy)",
	  "PATH" },
	{ "connect", 0, 0, G_OPTION_ARG_STRING, AT(connect), LAB_CONNECT_HELP, "URI|NAME" },
	{ "trust-engine", 0, 0, G_OPTION_ARG_NONE, AT(trust_engine),
	  "Let verdicts of an unproven or old engine count", NULL },
	{ "dump", 0, 0, G_OPTION_ARG_NONE, AT(dump),
	  "Keep the memory of guests that fail as 'vmcore' in the job's folder, for crash(8) and "
	  "drgn; as large as the guest's memory", NULL },
	{ "no-selftest", 0, 0, G_OPTION_ARG_NONE, AT(no_selftest),
	  "Do not test the detectors before a run of more than one cell (klab selftest)", NULL },
	{ "jobs", 'j', 0, G_OPTION_ARG_INT, AT(jobs), "Guests at once (default: 1)", "N" },
	{ "confidence", 0, 0, G_OPTION_ARG_DOUBLE, AT(confidence),
	  "Asked confidence of a clean verdict (default: 0.99)", "P" },
	{ "boot-timeout", 0, 0, G_OPTION_ARG_INT, AT(boot_timeout),
	  "Seconds from the engine's start to the guest's hello (default: 60 + 4 a vCPU)",
	  "S" },
	{ "timeout", 0, 0, G_OPTION_ARG_INT, AT(timeout),
	  "Overall time limit in seconds (default: none); exit code 124", "S" },
	{ "out", 'o', 0, G_OPTION_ARG_FILENAME, AT(out),
	  "Folder of the run (default: a fresh results/run-TIME)", "DIR" },
	{ "resume", 0, 0, G_OPTION_ARG_NONE, AT(resume),
	  "Go on with the run in --out: jobs without a finished journal", NULL },
	{ "json", 0, 0, G_OPTION_ARG_FILENAME, AT(json),
	  "Write result.json there too; - is stdout", "FILE" },
	{ "config", 'c', 0, G_OPTION_ARG_FILENAME, AT(config),
	  "Kernels file (default: ./kernels.yaml, else the one shipped inside)", "FILE" },
	{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, AT(hazards),
	  "Hazards file (default: the one shipped inside)", "FILE" },
	{ "console-rules", 0, 0, G_OPTION_ARG_FILENAME, AT(console_rules),
	  "Rules that allow or deny messages on the console, before the shipped ones or, with "
	  "'replace: yes', instead of them (like probes/console.yaml)", "FILE" },
};
#undef AT

static const char epilog[] =
	"Exit codes, the first that applies: 130 interrupted, 124 overall time limit, "
	"2 usage or configuration, 1 something affected, 3 infra, 4 inconclusive, "
	"or nothing judged (only unsupported or unavailable), 0 all clean.\n\n"
	"Examples:\n"
	"  klab run\n"
	"  klab run -k debian-bookworm -p text-poke --smp 8\n"
	"  klab run -p text-poke --amplify 'poke_int3_handler+0x10,us=300,every=64'\n"
	"  klab run -p text-poke --amplify @plan.txt\n"
	"  klab run -k file:arch/x86/boot/bzImage,id=mine --json -\n"
	"  klab run --connect qemu+ssh://root@lab1/system -k debian-bookworm\n"
	"  klab run --resume --out results/run-X";

static bool parse_options(struct run_request *req, int *argc, char ***argv, int *ret_exit)
{
	GOptionEntry entries[G_N_ELEMENTS(options) + 1] = { 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		entries[i] = options[i];
		entries[i].arg_data = (char *)req + GPOINTER_TO_SIZE(options[i].arg_data);
	}
	return cmd_parse(argc, argv, "",
			 "Boot kernels in QEMU guests, stress their tracing subsystems, judge what "
			 "happened.", entries, epilog, ret_exit);
}

bool run_request_parse(struct run_request *req, const char *command, int argc, char **argv,
		       int *ret_exit)
{
	g_autoptr(GError) error = NULL;

	req->seed = 1;
	req->jobs = 1;
	req->confidence = 0.99;
	if (!parse_options(req, &argc, &argv, ret_exit))
		return false;
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'\nhint: kernels are named "
			 "with -k, probes with -p", argv[1]);
	if (error || !check_ranges(req, &error) ||
	    !lab_amplify(req->amplify, &req->delays, &error)) {
		*ret_exit = cmd_error(command, error);
		return false;
	}
	return true;
}

/* --- planning ----------------------------------------------------------------------------------- */

static void kernel_free_one(gpointer data)
{
	kernel_free(data);
}

/* Fetch one kernel into `kernels`, or note in `r` why it cannot be had. */
static bool fetch_one(const struct kernel_spec *spec, struct run *r, GPtrArray *kernels,
		      GError **error)
{
	g_autoptr(GError) why = NULL;
	struct kernel *kernel;
	bool named_file = !spec->line;	/* from the command line */
	g_autofree char *line = NULL;

	if (kernel_fetch(spec, &cmd_progress, &kernel, &why)) {
		g_ptr_array_add(kernels, kernel);
		return true;
	}
	if (g_error_matches(why, LAB_ERROR, LAB_ERROR_NO_SPACE)) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "kernel '%s': ", spec->id);
		return false;
	}
	if (named_file && !g_error_matches(why, LAB_ERROR, LAB_ERROR_INFRA))
		return lab_fail(error, LAB_ERROR_USAGE, "kernel '%s': %s", spec->id, why->message);
	if (named_file)
		return lab_fail(error, LAB_ERROR_INFRA, "kernel '%s': %s", spec->id, why->message);
	line = g_strdup_printf("%s: unavailable: %s", spec->id, why->message);
	cmd_line(line);
	run_add_unavailable(r, spec->id, why->message);
	return true;
}

/* Kernels come before the engine: a bad image is told at once. */
static bool fetch_all(GPtrArray *specs, struct run *r, GPtrArray **ret, GError **error)
{
	g_autoptr(GPtrArray) kernels = g_ptr_array_new_with_free_func(kernel_free_one);

	for (guint i = 0; i < specs->len; i++)
		if (!fetch_one(specs->pdata[i], r, kernels, error))
			return false;
	*ret = g_steal_pointer(&kernels);
	return true;
}

static bool choose_dir(const struct run_request *req, char **ret, GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *stamp = g_date_time_format(now, "results/run-%Y%m%d-%H%M%S");
	g_autofree char *dir = g_strdup(req->out ? req->out : stamp);
	g_autofree char *plan = g_build_filename(dir, "run.json", NULL);

	for (unsigned i = 2; !req->out && g_file_test(dir, G_FILE_TEST_EXISTS); i++) {
		g_free(dir);
		dir = g_strdup_printf("%s-%u", stamp, i);
	}
	if (g_file_test(plan, G_FILE_TEST_EXISTS) && req->out)
		return lab_fail(error, LAB_ERROR_USAGE, "'%s' holds a run already\n"
				"hint: --resume goes on with it", dir);
	*ret = g_canonicalize_filename(dir, NULL);
	return true;
}

static bool plan_fresh(const struct run_request *req, struct lab *lab,
		       const struct lab_params *params, struct run **ret, GError **error)
{
	struct lab_plan plan = {
		.smp = req->smp, .mem_mib = req->memory, .duration_s = req->duration,
		.boot_limit_s = req->boot_timeout, .seed = req->seed,
		.amplify = req->delays.level, .amplify_plan = req->delays.plan,
	};
	g_autoptr(GPtrArray) specs = NULL, probes = NULL, kernels = NULL;
	g_autoptr(run) r = NULL;
	g_autofree char *dir = NULL;
	json_auto_t *chosen = NULL;

	if (!probes_params_parse(lab->probes, (const char *const *)req->params, &chosen,
				 error) ||
	    !matrix_select(lab->matrix, (const char *const *)req->kernels, &specs, error) ||
	    !probes_select(lab->probes, (const char *const *)req->probes, &probes, error) ||
	    !choose_dir(req, &dir, error))
		return false;
	plan.params = chosen;
	r = run_new(dir, req->confidence);
	r->full_duration = req->full_duration;
	if (!fetch_all(specs, r, &kernels, error) ||
	    (kernels->len && !lab_open_engine(lab, params, &cmd_progress, error)))
		return false;
	if (req->selftest && !req->no_selftest && kernels->len * probes->len > 1 &&
	    !selftest_ensure(lab, req->jobs, error))
		return false;
	for (guint i = 0; i < kernels->len; i++) {
		lab_identify(lab, kernels->pdata[i]);
		lab_add_cells(lab, r, kernels->pdata[i], probes, &plan);
	}
	for (guint i = 0; i < r->cells->len; i++)
		((struct cell *)r->cells->pdata[i])->job->dump = req->dump;
	if (!fs_mkdir(dir, error) || !run_save(r, error))
		return false;
	*ret = g_steal_pointer(&r);
	return true;
}

static bool plan_resume(const struct run_request *req, struct run **ret, GError **error)
{
	g_autofree char *dir = NULL;

	if (!req->out)
		return lab_fail(error, LAB_ERROR_USAGE, "--resume needs --out DIR: which run goes on");
	if (req->connect)
		return lab_fail(error, LAB_ERROR_USAGE, "--resume goes on where the run was planned "
				"to run\nhint: klab again --connect repeats it on another host");
	dir = g_canonicalize_filename(req->out, NULL);
	return run_load(dir, ret, error);
}

/* A rule that lapsed does nothing, and somebody should know. */
static void warn_expired(const struct console_rules *rules)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *day = g_date_time_format(now, "%Y-%m-%d");

	for (guint i = 0; i < rules->all->len; i++) {
		const struct console_rule *rule = rules->all->pdata[i];

		if (!console_rule_holds(rule, day))
			progress_say(&cmd_progress,
				     "warning: the console rule for '%s' expired on %s and does "
				     "nothing any more", rule->match, rule->expires);
	}
}

bool run_request_plan(const struct run_request *req, struct lab **ret_lab, struct run **ret_run,
		      GError **error)
{
	struct lab_params params = {
		.qemu = req->qemu, .accel = req->accel ? req->accel : "auto",
		.trust_engine = req->trust_engine, .prove = true, .kernels_file = req->config,
		.hazards_file = req->hazards, .console_rules_file = req->console_rules,
		.connect = req->connect,
	};
	g_autoptr(lab) lab = NULL;

	if (!lab_open(&params, &lab, error))
		return false;
	warn_expired(lab->console_rules);
	if (req->resume ? !plan_resume(req, ret_run, error) :
			  !plan_fresh(req, lab, &params, ret_run, error))
		return false;
	*ret_lab = g_steal_pointer(&lab);
	return true;
}
