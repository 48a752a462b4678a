// SPDX-License-Identifier: GPL-2.0-or-later
/* klab schema: the keys of kernels.yaml, for people, editors and the manual. */
#include "cmd/cmd.h"
#include "conf/matrix_schema.h"

#include <string.h>

static const char epilog[] = "Examples:\n"
			     "  klab schema\n"
			     "  klab schema --json >kernels.schema.json\n\n"
			     "Editors with a YAML language server take the file from a first line\n"
			     "  # yaml-language-server: $schema=kernels.schema.json";

static char *as_json(void)
{
	json_t *schema = matrix_schema_json();
	char *text = json_dumps(schema, JSON_INDENT(2)), *line = g_strconcat(text, "\n", NULL);

	free(text);
	json_decref(schema);
	return line;
}

static int run_command(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	gboolean json = FALSE, markdown = FALSE;
	int code;
	const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &json,
					   "Print JSON Schema (2020-12)", NULL },
					 { "markdown", 0, 0, G_OPTION_ARG_NONE, &markdown,
					   "Print the manual's table", NULL },
					 G_OPTION_ENTRY_NULL };

	if (!cmd_parse(&argc, &argv, "", "Tell the keys of kernels.yaml.", entries, epilog, &code))
		return code;
	if (argc > 1) {
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
		return cmd_error("schema", error);
	}
	text = json ? as_json() : markdown ? matrix_schema_markdown() : matrix_schema_text();
	if (cmd_output("-", text, strlen(text), &error))
		return EXIT_CLEAN;
	return cmd_error("schema", error);
}

const struct command command_schema = {
	.name = "schema",
	.summary = "tell the keys of kernels.yaml; --json for editors",
	.run = run_command,
};
