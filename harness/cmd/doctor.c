// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * klab doctor: is this host fit? One line for each check, with what to do where one fails. With
 * --engine also: does the engine run a kernel believed clean without a splat.
 */
#include "cmd/cmd.h"
#include "cmd/doctor.h"
#include "cmd/lab_host.h"

#include "base/fs.h"
#include "base/proc.h"
#include "guest/cage.h"
#include "kernel/aptroot.h"
#include "kernel/control.h"
#include "run/engine_get.h"

#include <jansson.h>
#include <stdarg.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define MEM_WARN_MIB 2048
#define MEM_FAIL_MIB 900
#define DISK_WARN_MIB 2048
#define DISK_FAIL_MIB 400
#define JOB_STRESS_S 20	/* of the jobs that the proof's bound is told for */
#define MINUTES_MAX 10000

static const char *const level_names[] = { "ok", "warn", "fail" };

void doctor_report(struct doctor *d, const char *name, enum level level, const char *hint,
		   const char *fmt, ...)
{
	g_autofree char *detail = NULL, *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	detail = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	d->worst = MAX(d->worst, level);
	json_array_append_new(d->checks, json_pack("{s:s s:s s:s s:s?}", "name", name, "status",
						   level_names[level], "detail", detail, "hint",
						   level == LEVEL_OK ? NULL : hint));
	if (d->json)
		return;
	if (level != LEVEL_OK && hint)
		line = g_strdup_printf("%-5s %-12s %s\n%-18s hint: %s\n", level_names[level], name,
				       detail, "", hint);
	else
		line = g_strdup_printf("%-5s %-12s %s\n", level_names[level], name, detail);
	cmd_output("-", line, strlen(line), NULL);
}

void doctor_report_error(struct doctor *d, const char *name, enum level level, const char *hint,
			 const GError *error)
{
	g_auto(GStrv) parts = g_strsplit(error->message, "\nhint: ", 2);

	doctor_report(d, name, level, hint ? hint : parts[1], "%s", parts[0]);
}

/* ---- the host ---- */

static void check_machine(struct doctor *d)
{
	struct utsname u;

	uname(&u);
	if (!strcmp(u.machine, "x86_64"))
		doctor_report(d, "machine", LEVEL_OK, NULL, "%s, %u processors, Linux %s",
			      u.machine, g_get_num_processors(), u.release);
	else
		doctor_report(d, "machine", LEVEL_FAIL, "use an x86-64 host",
			      "%s: guests are x86-64 only", u.machine);
}

/* "MemAvailable:   12345 kB" */
static uint64_t mem_available_mib(void)
{
	g_autofree char *text = NULL;
	const char *at;

	if (!fs_read("/proc/meminfo", 64u << 10, &text, NULL, NULL) ||
	    !(at = strstr(text, "MemAvailable:")))
		return 0;
	return g_ascii_strtoull(at + strlen("MemAvailable:"), NULL, 10) / 1024;
}

void doctor_report_memory(struct doctor *d, uint64_t mib)
{
	enum level level = mib < MEM_FAIL_MIB ? LEVEL_FAIL :
			   mib < MEM_WARN_MIB ? LEVEL_WARN : LEVEL_OK;

	doctor_report(d, "memory", level, "a guest takes about 700 MiB; run fewer at a time (-j 1)",
		      "%" G_GUINT64_FORMAT " MiB available", mib);
}

static void check_cache(struct doctor *d)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *dir = fs_cache_dir("kernels", &error);
	struct statvfs fs;
	enum level level;
	uint64_t mib;

	if (!dir) {
		doctor_report_error(d, "cache", LEVEL_FAIL, NULL, error);
		return;
	}
	mib = statvfs(dir, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	level = mib < DISK_FAIL_MIB ? LEVEL_FAIL : mib < DISK_WARN_MIB ? LEVEL_WARN : LEVEL_OK;
	doctor_report(
		d, "cache", level,
		"kernels, engine and lists take 400 MiB, klab calibrate 2 GiB more; XDG_CACHE_HOME "
		"moves them",
		"%" G_GUINT64_FORMAT " MiB free in '%s'", mib, dir);
}

static void check_apt(struct doctor *d)
{
	g_autofree char *codename = g_get_os_info(G_OS_INFO_KEY_VERSION_CODENAME), *uri = NULL;
	g_autoptr(GError) error = NULL;

	if (aptroot_check(codename ? codename : "stable", &uri, &error))
		doctor_report(d, "apt", LEVEL_OK, NULL, "packages of other suites come from '%s'",
			      uri);
	else
		doctor_report_error(d, "apt", LEVEL_WARN, NULL, error);
}

static void check_build_tools(struct doctor *d)
{
	g_autofree char *missing = control_missing_packages(), *hint = NULL;

	if (!missing) {
		doctor_report(d, "controls", LEVEL_OK, NULL,
			      "the tools of klab calibrate are installed");
		return;
	}
	hint = g_strdup_printf("apt-get install %s", missing);
	doctor_report(d, "controls", LEVEL_WARN, hint, "klab calibrate lacks tools");
}

/* ---- the engine ---- */

static void check_plugins(struct doctor *d, const struct engine *e)
{
	struct proc_spec spec = { .argv = (const char *const[]){ e->binary, "-help", NULL },
				  .env = (const char *const *)e->env, .timeout_s = 20 };
	g_autofree char *help = NULL;
	g_autoptr(GError) error = NULL;

	if (!proc_run(&spec, &help, NULL, &error))
		doctor_report_error(d, "plugins", LEVEL_FAIL, NULL, error);
	else if (strstr(help, "\n-plugin "))
		doctor_report(d, "plugins", LEVEL_OK, NULL, "QEMU takes TCG plugins");
	else
		doctor_report(d, "plugins", LEVEL_WARN,
			      "use a QEMU that was built with --enable-plugins",
			      "QEMU has no TCG plugins: probes run without amplification");
}

static void check_accels(struct doctor *d, const struct engine *e)
{
	g_autofree char *tcg = NULL, *kvm = NULL;

	if (!engine_accel_works(e, "tcg", &tcg))
		doctor_report(d, "tcg", LEVEL_FAIL, "try another QEMU with --qemu PATH", "%s", tcg);
	else
		doctor_report(d, "tcg", LEVEL_OK, NULL, "runs 64-bit code");
	if (engine_accel_works(e, "kvm", &kvm))
		doctor_report(d, "kvm", LEVEL_OK, NULL, "runs 64-bit code");
	else
		doctor_report(d, "kvm", LEVEL_OK, NULL, "not usable, TCG serves: %s", kvm);
}

/* What a guest that breaks out of QEMU would find. */
static void check_cage(struct doctor *d, const struct engine *e)
{
	g_autoptr(cage) c = cage_open(e, "tcg");

	doctor_report(d, "cage", c->whole ? LEVEL_OK : LEVEL_WARN,
		      "use a QEMU with seccomp, in a folder that all users can read", "%s",
		      c->text);
}

void doctor_report_engine(struct doctor *d, const struct engine *e)
{
	if (engine_is_sound(e))
		doctor_report(d, "engine", LEVEL_OK, NULL, "QEMU %s, '%s'", e->version, e->binary);
	else
		doctor_report(
			d, "engine", LEVEL_WARN, "klab fetches a newer one without --qemu",
			"QEMU %s: before %u its TCG makes clean kernels oops, so its verdicts are "
			"infra",
			e->version, ENGINE_MAJOR_MIN);
}

static void check_engine(struct doctor *d)
{
	struct engine_request req = { .qemu = d->qemu, .offline = !d->engine };
	g_autoptr(engine) e = NULL;
	g_autoptr(GError) error = NULL;

	if (!engine_get(&req, &cmd_progress, &e, &error)) {
		bool named = d->qemu || g_getenv("KLAB_QEMU");

		/* A plain look downloads nothing: an engine that is still to come is no fault. */
		if (named || d->engine)
			doctor_report_error(d, "engine", LEVEL_FAIL, NULL, error);
		else
			doctor_report_error(d, "engine", LEVEL_WARN,
					    "the first klab run fetches one "
					    "(16 MB), klab doctor --engine does so now",
					    error);
		return;
	}
	doctor_report_engine(d, e);
	check_plugins(d, e);
	check_cage(d, e);
	check_accels(d, e);
}
static double proof_number(const struct doctor *d, const char *key)
{
	return json_number_value(json_object_get(d->proof, key));
}

static void report_proof(struct doctor *d, const struct lab *lab)
{
	const struct engine_proof *proof = &lab->proof;
	g_autoptr(GString) models = g_string_new(NULL);

	for (unsigned i = 0; i < proof->n_models; i++)
		g_string_append_printf(models, "%s%s %u", i ? ", " : "", proof->models[i].name,
				       proof->models[i].boots);
	d->proof = engine_proof_json(proof, JOB_STRESS_S);
	doctor_report(
		d, "proof", LEVEL_OK, NULL,
		"sound with %s: %u boots (%s), %.0f s of stress without a fault, weather %u (%s%s)",
		proof->kernel, proof->boots, models->str, proof->stress_s, proof->weather,
		proof->cached ? "cached, " : "", proof->when);
	doctor_report(
		d, "proof-bound", LEVEL_OK, NULL,
		"at 95 %%: faults of the engine in at most %.2g %% of boots, %.2g a minute of "
		"stress, %.2g %% of jobs of %d s; --minutes N makes it less",
		100 * proof_number(d, "p_fault_per_boot_upper"),
		proof_number(d, "faults_per_stress_minute_upper"),
		100 * proof_number(d, "p_fault_per_job_upper"), JOB_STRESS_S);
}

static void check_proof(struct doctor *d)
{
	struct lab_params params = { .qemu = d->qemu,
				     .prove = true,
				     .prove_again = d->again,
				     .prove_minutes = d->minutes,
				     .connect = d->connect,
				     .kernels_file = d->config };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GError) error = NULL;

	if (!lab_open(&params, &lab, &error) ||
	    !lab_open_engine(lab, &params, &cmd_progress, &error))
		doctor_report_error(d, "proof", LEVEL_FAIL, NULL, error);
	else if (lab->engine_trouble)
		doctor_report(d, "proof", LEVEL_FAIL,
			      "verdicts of this engine are infra; try another QEMU", "%s",
			      lab->engine_trouble);
	else
		report_proof(d, lab);
}

/* ---- command ---- */

static void check_here(struct doctor *d)
{
	check_machine(d);
	doctor_report_memory(d, mem_available_mib());
	check_cache(d);
	check_apt(d);
	check_build_tools(d);
	check_engine(d);
}

static bool check(struct doctor *d, GError **error)
{
	if (d->clean)
		return doctor_clean(d, error);
	if (d->connect && !doctor_host(d, error))
		return false;
	if (!d->connect)
		check_here(d);
	if (d->engine)
		check_proof(d);
	return true;
}

static int execute(struct doctor *d)
{
	g_autofree char *text = NULL, *line = NULL;
	g_autoptr(GError) error = NULL;
	json_t *root;

	d->checks = json_array();
	if (!check(d, &error)) {
		json_decref(d->checks);
		return cmd_error("doctor", error);
	}
	root = json_pack("{s:o s:b s:o? s:s*}", "checks", d->checks, "fit", d->worst != LEVEL_FAIL,
			 "engine_proof", d->proof, "connect", d->connect);
	if (d->json)
		text = json_dumps(root, JSON_INDENT(2));
	if (text)
		line = g_strconcat(text, "\n", NULL);
	if (line && !cmd_output("-", line, strlen(line), NULL))
		d->worst = LEVEL_FAIL;
	json_decref(root);
	return d->worst == LEVEL_FAIL ? EXIT_INFRA : EXIT_CLEAN;
}

static bool check_options(const struct doctor *d, GError **error)
{
	if (d->minutes < 0 || d->minutes > MINUTES_MAX)
		return lab_fail(error, LAB_ERROR_USAGE, "--minutes is %d, wants 1..%d", d->minutes,
				MINUTES_MAX);
	if (d->clean && d->engine)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--clean removes, --engine proves: not both");
	return !d->minutes || d->engine ||
	       lab_fail(error, LAB_ERROR_USAGE, "--minutes goes with --engine alone");
}

static int run_command(int argc, char **argv)
{
	struct doctor d = { 0 };
	g_autoptr(GError) error = NULL;
	const GOptionEntry entries[] = {
		{ "engine", 0, 0, G_OPTION_ARG_NONE, &d.engine,
		  "Fetch the engine if there is none, and prove it on this host", NULL },
		{ "again", 0, 0, G_OPTION_ARG_NONE, &d.again, "Prove it anew, cached or not",
		  NULL },
		{ "minutes", 0, 0, G_OPTION_ARG_INT, &d.minutes,
		  "With --engine: go on proving for so long; results add up over calls", "N" },
		{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, &d.qemu, "QEMU to look at", "PATH" },
		{ "connect", 0, 0, G_OPTION_ARG_STRING, &d.connect,
		  "Look at a host of libvirt's instead of this one: a URI as of virsh -c, or a "
		  "name "
		  "from hosts: of the kernels file (docs/libvirt.md)",
		  "URI|NAME" },
		{ "clean", 0, 0, G_OPTION_ARG_NONE, &d.clean,
		  "Remove what dead klabs left on that host, or on all of hosts:, and files that "
		  "were "
		  "not used for a week",
		  NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &d.config,
		  "Kernels file with hosts: (default: ./kernels.yaml)", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &d.json, "Print JSON", NULL },
		{ 0 },
	};
	int code;

	if (cmd_parse(&argc, &argv, "",
		      "Say whether this host is fit to run the lab, and what to "
		      "do where it is not.",
		      entries,
		      "Examples:\n  klab doctor\n  klab doctor --engine\n"
		      "  klab doctor --engine --minutes 30\n"
		      "  klab doctor --connect qemu+ssh://root@lab1/system\n"
		      "  klab doctor --clean --connect qemu+ssh://root@lab1/system\n\n"
		      "Exit code: 0 fit (warnings included), 2 usage, 3 a check failed.",
		      &code))
		code = check_options(&d, &error) ? execute(&d) : cmd_error("doctor", error);
	g_free(d.qemu);
	g_free(d.connect);
	g_free(d.config);
	return code;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "is this host fit to run the lab",
	.run = run_command,
};
