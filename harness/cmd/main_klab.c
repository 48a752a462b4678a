// SPDX-License-Identifier: GPL-2.0-or-later
/* klab: dispatch to the commands. */
#include "cmd/cmd.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
	&command_run,	 &command_plan,	  &command_exec_job,  &command_report, &command_explain, &command_again,
	&command_kernels, &command_boot, &command_schema,
	&command_probes, &command_hazards, &command_blacklist, &command_doctor, &command_calibrate,
	&command_selftest,
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: klab COMMAND [OPTION...]\n\n"
		     "Boot a matrix of kernels, stress their tracing subsystems, judge what happened,\n"
		     "and tell tracing products which operations are unsafe on which kernels.\n\n"
		     "Commands:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n'klab COMMAND --help' tells more. Start with: klab doctor, then klab run\n\n"
		     "Environment:\n"
		     "  KLAB_QEMU         QEMU binary, like --qemu\n"
		     "  KLAB_APT_SOURCES  apt sources to use in place of the system's\n"
		     "  XDG_CACHE_HOME    kernels, engine, symbols, controls (default ~/.cache)\n"
		     "  XDG_DATA_HOME     local calibration (default ~/.local/share)\n"
		     "  NO_COLOR          no colours\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	setlocale(LC_CTYPE, "C.UTF-8");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		usage(argc > 1 ? stdout : stderr);
		return argc > 1 ? EXIT_CLEAN : EXIT_USAGE;
	}
	if (strcmp(name, "--version") == 0) {
		puts("klab " KLAB_VERSION);
		return EXIT_CLEAN;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	fprintf(stderr, "klab: no command '%s'\nhint: 'klab --help' lists them\n", name);
	return EXIT_USAGE;
}
