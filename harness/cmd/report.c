// SPDX-License-Identifier: GPL-2.0-or-later
/* klab report: judge a run's journals again and show the result. */
#include "cmd/cmd.h"
#include "cmd/contradictions.h"
#include "cmd/pick.h"

#include "report/result.h"
#include "report/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print(const struct run *r, bool json)
{
	bool color = isatty(STDOUT_FILENO) && !g_getenv("NO_COLOR");

	if (json) {
		g_autofree char *text = result_text(r);

		fputs(text, stdout);
		return;
	}
	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];
		g_autofree char *line = cell->done ? terminal_cell_line(cell, color) : NULL;

		if (line)
			puts(line);
	}
	g_autofree char *summary = terminal_summary(r, color);

	fputs(summary, stdout);
}

static void print_all(const struct lab *lab, const struct run *r, bool json)
{
	print(r, json);
	fflush(stdout);
	contradictions_tell_run(lab, r);
}

static int execute(const char *dir, bool json, GError **error)
{
	const struct lab_params params = { .judge_only = true };
	g_autoptr(lab) lab = NULL;
	g_autoptr(run) r = NULL;

	if (lab_open(&params, &lab, error) && pick_load(lab, dir, &r, error))
		print_all(lab, r, json);
	return EXIT_CLEAN;
}

static int run_command(int argc, char **argv)
{
	g_autofree char *format = NULL;
	g_autoptr(GError) error = NULL;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format,
		  "terminal or json (default: terminal)", "FORMAT" },
		{ NULL },
	};
	int code;

	if (!cmd_parse(&argc, &argv, "RUN",
		       "Judge the journals in a run's folder again and show the result. Verdicts are "
		       "functions of the journals: the same journals give the same bytes.",
		       entries, "Example:\n  klab report results/run-X --format json", &code))
		return code;
	if (argc != 2)
		lab_fail(&error, LAB_ERROR_USAGE, "want one RUN folder, got %d operands", argc - 1);
	else if (format && strcmp(format, "terminal") != 0 && strcmp(format, "json") != 0)
		lab_fail(&error, LAB_ERROR_USAGE, "no format '%s'\nhint: terminal, json", format);
	if (error)
		return cmd_error("report", error);
	code = execute(argv[1], g_strcmp0(format, "json") == 0, &error);
	return error ? cmd_error("report", error) : code;
}

const struct command command_report = {
	.name = "report",
	.summary = "show a run's result again, from its journals",
	.run = run_command,
};
