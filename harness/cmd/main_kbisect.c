// SPDX-License-Identifier: GPL-2.0-or-later
/* kbisect: its commands. */
#include "cmd/cmd.h"

static const struct command *const commands[] = {
	&command_bisect_run,	 &command_bisect_status,   &command_bisect_log,
	&command_bisect_replay,	 &command_bisect_simulate, &command_exec_job,
	&command_bisect_exec_build,
	NULL,
};

static const struct program kbisect = {
	.name = "kbisect",
	.about = "Find the change that broke a kernel, or fixed it, with a stated confidence, "
		 "where the\n"
		 "failure does not show in every run.\n",
	.epilog = "'kbisect COMMAND --help' tells more; docs/kbisect.md has the model.\n",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return cmd_main(&kbisect, argc, argv);
}
