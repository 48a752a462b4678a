/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands: one file each, ending in its record. Only cmd/ prints; stdout is for results, stderr for
 * progress and errors.
 */
#ifndef KLAB_CMD_CMD_H
#define KLAB_CMD_CMD_H

#include "base/lab.h"
#include "base/progress.h"

enum cmd_exit {
	EXIT_CLEAN = 0,
	EXIT_AFFECTED = 1,
	EXIT_USAGE = 2,
	EXIT_INFRA = 3,
	EXIT_UNSURE = 4,	/* inconclusive or only unsupported; blacklist check: unknown */
	EXIT_REGRESSION = 5,
	EXIT_NO_SPACE = 74,	/* EX_IOERR; exec-job: the journal is open, the job is still to be done */
	EXIT_OVERALL_TIMEOUT = 124,
	EXIT_INTERRUPTED = 130,
};

struct command {
	const char *name;	/* "run" */
	const char *summary;	/* one line of `klab --help` */
	int (*run)(int argc, char **argv);	/* argv[0] is the command's name; returns enum cmd_exit */
};

extern const struct command command_run, command_plan, command_exec_job, command_kernels,
	command_probes, command_hazards, command_doctor, command_calibrate, command_blacklist,
	command_selftest, command_boot, command_schema,
	command_report, command_explain, command_again;
extern const struct command command_bisect_run, command_bisect_status, command_bisect_log,
	command_bisect_replay, command_bisect_simulate, command_bisect_exec_build;

/* Which program this is: "klab" or "kbisect". */
extern const char *cmd_program;
/* What both mains do: --help, --version, dispatch. `about` stands above the list of commands,
 * `epilog` below it. */
struct program {
	const char *name, *about, *epilog;
	const struct command *const *commands;	/* NULL-terminated */
};
int cmd_main(const struct program *program, int argc, char **argv);

/*
 * Parse with GOption: prints help or the error and returns false with *ret_exit set. `params` is the
 * operand line of the usage ("[GLOB]..."), `about` the text between usage and options, `epilog`
 * examples and exit codes.
 */
bool cmd_parse(int *argc, char ***argv, const char *params, const char *about,
	       const GOptionEntry *entries, const char *epilog, int *ret_exit);
/* Print "PROGRAM NAME: message" (and the hint line) on stderr; the exit code that goes with the error. */
int cmd_error(const char *name, const GError *error);
/* Progress on stderr: lines that replace each other on a terminal, plain lines elsewhere. */
extern const struct progress cmd_progress;
/* One line of lasting output on stderr, after whatever progress line stands there. */
void cmd_line(const char *line);
/* Write bytes to FILE, or to stdout for "-". */
bool cmd_output(const char *file, const char *data, size_t len, GError **error);

#endif
