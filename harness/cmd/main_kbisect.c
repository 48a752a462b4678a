// SPDX-License-Identifier: GPL-2.0-or-later
/* kbisect: its usage; the engine comes with bisect/. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
	"Usage: kbisect run|status|log|replay|report|simulate [OPTION...]\n\n"
	"Find the first bad or first fixed kernel, with a stated confidence.\n\n"
	"This build has no bisection engine yet: no command does anything but say so.\n"
	"Until then, 'git bisect run klab run ...' drives a bisection by hand.\n";

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_CLEAN;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("kbisect " KLAB_VERSION);
		return EXIT_CLEAN;
	}
	fputs(usage, stderr);
	return EXIT_USAGE;
}
