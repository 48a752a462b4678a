// SPDX-License-Identifier: GPL-2.0-or-later
/* klab: its commands. */
#include "cmd/cmd.h"

static const struct command *const commands[] = {
	&command_run,     &command_plan,      &command_exec_job, &command_report,
	&command_explain, &command_again,     &command_kernels,  &command_boot,
	&command_schema,  &command_probes,    &command_hazards,  &command_blacklist,
	&command_doctor,  &command_calibrate, &command_selftest, NULL,
};

static const struct program klab = {
	.name = "klab",
	.about = "Boot a matrix of kernels, stress their tracing subsystems, judge what happened,\n"
		 "and tell tracing products which operations are unsafe on which kernels.\n",
	.epilog = "'klab COMMAND --help' tells more. Start with: klab doctor, then klab run\n\n"
		  "Environment:\n"
		  "  KLAB_QEMU         QEMU binary, like --qemu\n"
		  "  KLAB_APT_SOURCES  apt sources to use in place of the system's\n"
		  "  XDG_CACHE_HOME    kernels, engine, symbols, controls (default ~/.cache)\n"
		  "  XDG_DATA_HOME     local calibration (default ~/.local/share)\n"
		  "  NO_COLOR          no colours\n",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return cmd_main(&klab, argc, argv);
}
