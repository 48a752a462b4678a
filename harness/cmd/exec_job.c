// SPDX-License-Identifier: GPL-2.0-or-later
/* klab exec-job SPEC: execute one planned job. What the scheduler starts, and what repeats a job. */
#include "cmd/cmd.h"
#include "cmd/lab_host.h"

#include "base/fs.h"
#include "run/evidence.h"
#include "run/exec.h"
#include "store/journal.h"

#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

/* A finished journal is evidence and is not written over: repeat beside it. */
static char *choose_dir(const char *spec, const char *out)
{
	g_autofree char *dir = g_path_get_dirname(spec);

	if (out)
		return g_strdup(out);
	if (!journal_is_finished(dir))
		return g_steal_pointer(&dir);
	for (unsigned i = 1;; i++) {
		char *again = g_strdup_printf("%s.again-%u", dir, i);

		if (!g_file_test(again, G_FILE_TEST_EXISTS))
			return again;
		g_free(again);
	}
}

/* Elsewhere than it was planned for, with the engine that is there. */
static bool move(struct job *job, const char *connect, GError **error)
{
	const struct lab_params params = { .judge_only = true, .prove = true, .accel = job->accel,
					   .connect = connect };
	g_autoptr(lab) lab = NULL;

	if (!lab_open(&params, &lab, error) ||
	    !lab_open_engine(lab, &params, &cmd_progress, error))
		return false;
	lab_host_place(lab, job);
	return true;
}

static int execute(const char *spec, const char *out, const char *connect, GError **error)
{
	g_autoptr(job) job = NULL;
	g_autoptr(outcome) o = NULL;
	g_autofree char *dir = choose_dir(spec, out);
	const struct judge_params nothing_known = { 0 };

	if (!job_load(spec, &job, error)) {
		lab_prefix(error, "job spec");
		return EXIT_USAGE;
	}
	if (connect && !move(job, connect, error))
		return g_error_matches(*error, LAB_ERROR, LAB_ERROR_USAGE) ? EXIT_USAGE : EXIT_INFRA;
	if (!fs_mkdir(dir, error) || !job_save(job, dir, error) ||
	    !job_execute(job, dir, &cmd_progress, &interrupted, error) ||
	    !outcome_load(dir, &nothing_known, &o, error))
		return EXIT_INFRA;
	printf("%s: %s\n%s\njournal: %s\n", verdict_value_name(o->verdict.value),
	       o->verdict.title ? o->verdict.title : "", o->verdict.reason, dir);
	if (interrupted)
		return EXIT_INTERRUPTED;
	return o->verdict.value == VERDICT_AFFECTED ? EXIT_AFFECTED :
	       o->verdict.value == VERDICT_INFRA    ? EXIT_INFRA :
	       o->verdict.value == VERDICT_CLEAN    ? EXIT_CLEAN :
						      EXIT_UNSURE;
}

static int run_command(int argc, char **argv)
{
	g_autofree char *out = NULL, *connect = NULL;
	g_autoptr(GError) error = NULL;
	const GOptionEntry entries[] = {
		{ "out", 'o', 0, G_OPTION_ARG_FILENAME, &out, "Folder of the journal", "DIR" },
		{ "connect", 0, 0, G_OPTION_ARG_STRING, &connect,
		  LAB_CONNECT_HELP " (default: where the spec says)", "URI|NAME" },
		{ NULL },
	};
	struct sigaction action = { .sa_handler = on_signal };
	int code;

	if (!cmd_parse(&argc, &argv, "SPEC",
		       "Execute one job: the spec.json that 'klab plan' wrote or that a run left in "
		       "a job's folder. The journal goes beside the spec; a finished one is kept, and "
		       "the repetition goes into FOLDER.again-N.",
		       entries,
		       "Exit codes: 0 clean, 1 affected, 2 usage, 3 infra, 4 inconclusive or "
		       "unsupported, 74 a disk is full and the job still to be done, "
		       "130 interrupted.\n\n"
		       "Example:\n  klab exec-job results/run-X/jobs/CELL/0/spec.json", &code))
		return code;
	if (argc != 2) {
		lab_fail(&error, LAB_ERROR_USAGE, "want one SPEC, got %d operands", argc - 1);
		return cmd_error("exec-job", error);
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = execute(argv[1], out, connect, &error);
	if (error)
		cmd_error("exec-job", error);
	return g_error_matches(error, LAB_ERROR, LAB_ERROR_NO_SPACE) ? EXIT_NO_SPACE : code;
}

const struct command command_exec_job = {
	.name = "exec-job",
	.summary = "execute one planned job (for schedulers, and to repeat one)",
	.run = run_command,
};
