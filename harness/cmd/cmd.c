// SPDX-License-Identifier: GPL-2.0-or-later
/* What all commands share: options, errors, progress, output. */
#include "cmd/cmd.h"
#include "base/fs.h"
#include "cmd/board.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

const char *cmd_program = "klab";

static void usage(const struct program *program, FILE *out)
{
	fprintf(out, "Usage: %s COMMAND [OPTION...]\n\n%s\nCommands:\n", program->name,
		program->about);
	for (const struct command *const *c = program->commands; *c; c++)
		fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fprintf(out, "\n%s", program->epilog);
}

int cmd_main(const struct program *program, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	cmd_program = program->name;
	setlocale(LC_CTYPE, "C.UTF-8");
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		usage(program, argc > 1 ? stdout : stderr);
		return argc > 1 ? EXIT_CLEAN : EXIT_USAGE;
	}
	if (!strcmp(name, "--version")) {
		printf("%s " KLAB_VERSION "\n", program->name);
		return EXIT_CLEAN;
	}
	for (const struct command *const *c = program->commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return (*c)->run(argc - 1, argv + 1);
	fprintf(stderr, "%s: no command '%s'\nhint: '%s --help' lists them\n", program->name, name,
		program->name);
	return EXIT_USAGE;
}

bool cmd_parse(int *argc, char ***argv, const char *params, const char *about,
	       const GOptionEntry *entries, const char *epilog, int *ret_exit)
{
	g_autoptr(GOptionContext) context = g_option_context_new(params);
	g_autofree char *name = g_strdup_printf("%s %s", cmd_program, (*argv)[0]);
	g_autoptr(GError) error = NULL;
	gboolean help = FALSE;
	const GOptionEntry more[] = { { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help",
					NULL },
				      G_OPTION_ENTRY_NULL };

	g_set_prgname(name);
	/* GOption's own --help exits; a command returns. */
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_set_summary(context, about);
	g_option_context_set_description(context, epilog);
	if (entries)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, more, NULL);
	if (!g_option_context_parse(context, argc, argv, &error)) {
		fprintf(stderr, "%s: %s\nhint: '%s --help' lists the options\n", name,
			error->message, name);
		*ret_exit = EXIT_USAGE;
		return false;
	}
	if (help) {
		g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);

		fputs(text, stdout);
		*ret_exit = EXIT_CLEAN;
		return false;
	}
	return true;
}

int cmd_error(const char *name, const GError *error)
{
	board_clear();
	fprintf(stderr, "%s %s: %s\n", cmd_program, name, error->message);
	if (error->domain != LAB_ERROR)
		return EXIT_INFRA;
	switch ((enum lab_error)error->code) {
	case LAB_ERROR_USAGE:
	case LAB_ERROR_INPUT:
		return EXIT_USAGE;
	case LAB_ERROR_TIMEOUT:
		return EXIT_OVERALL_TIMEOUT;
	case LAB_ERROR_INTERRUPTED:
		return EXIT_INTERRUPTED;
	case LAB_ERROR_INFRA:
	case LAB_ERROR_UNAVAILABLE:
	case LAB_ERROR_UNSUPPORTED:
	case LAB_ERROR_NO_SPACE:
		break;
	}
	return EXIT_INFRA;
}

/* Are they the same but for numbers: one counter that moves? */
static bool same_but_digits(const char *a, const char *b)
{
	for (;;) {
		while (g_ascii_isdigit(*a))
			a++;
		while (g_ascii_isdigit(*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

#define REPEAT_US (10 * G_USEC_PER_SEC) /* a moving counter's pace where lines pile up */

static void progress_line(const struct progress *progress, const char *text)
{
	static char *last;
	static int64_t last_us;
	int64_t now_us = clock_now_us(&clock_monotonic);

	if (board_has_terminal()) {
		board_say(text);
		return;
	}
	if (last && same_but_digits(last, text) && now_us - last_us < REPEAT_US)
		return;
	fprintf(stderr, "%s\n", text);
	g_free(last);
	last = g_strdup(text);
	last_us = now_us;
}

const struct progress cmd_progress = { .say = progress_line };

void cmd_line(const char *line)
{
	board_line(line);
}

bool cmd_output(const char *file, const char *data, size_t len, GError **error)
{
	if (strcmp(file, "-"))
		return fs_write(file, data, len, error);
	board_clear();
	if (fwrite(data, 1, len, stdout) != len || fflush(stdout) == EOF)
		return lab_fail_errno(error, "stdout");
	return true;
}
