// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist: what is known about kernels as files for products, and questions to it. One file
 * a subcommand. */
#include "cmd/blacklist.h"

static const struct command subcommands[] = {
	{ "blacklist generate", "write tracing_blacklist.h, its JSON twin and a page for people",
	  blacklist_generate },
	{ "blacklist check", "is an operation safe on a kernel?", blacklist_check },
	{ "blacklist explain", "why the answer is what it is, and what would change it",
	  blacklist_explain_command },
	{ "blacklist diff", "what changed between two blacklists, for release notes",
	  blacklist_diff_command },
	{ "blacklist verify", "is a blacklist what its evidence says: fresh, stale or tampered?",
	  blacklist_verify },
};

static void usage(FILE *to)
{
	fputs("Usage: klab blacklist COMMAND [OPTION...]\n\nCommands:\n", to);
	for (unsigned i = 0; i < G_N_ELEMENTS(subcommands); i++)
		fprintf(to, "  %-10s %s\n", strchr(subcommands[i].name, ' ') + 1,
			subcommands[i].summary);
	fputs("\n'klab blacklist COMMAND --help' tells more.\n", to);
}

static int run_command(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		usage(stdout);
		return EXIT_CLEAN;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(subcommands); i++) {
		if (strcmp(strchr(subcommands[i].name, ' ') + 1, name))
			continue;
		argv[1] = (char *)subcommands[i].name;
		return subcommands[i].run(argc - 1, argv + 1);
	}
	if (*name)
		fprintf(stderr, "klab blacklist: no command '%s'\n", name);
	usage(stderr);
	return EXIT_USAGE;
}

const struct command command_blacklist = {
	.name = "blacklist",
	.summary = "which operations are unsafe on which kernels: C header, look-up",
	.run = run_command,
};
