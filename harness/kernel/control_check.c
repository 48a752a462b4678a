// SPDX-License-Identifier: GPL-2.0-or-later
/* Can control kernels be built: the tools of this host, and the options that a tree took. */
#include "base/proc.h"
#include "kernel/control.h"

#define TOOL_TIMEOUT_S 30

static bool have_libelf(void)
{
	static const char *const argv[] = { "gcc",      "-fsyntax-only", "-x",        "c",
					    "-include", "gelf.h",        "/dev/null", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_s = TOOL_TIMEOUT_S };

	return proc_run(&spec, NULL, NULL, NULL);
}

char *control_missing_packages(void)
{
	static const struct {
		const char *tool, *package;
	} tools[] = {
		{ "make", "make" },        { "gcc", "gcc" },           { "ld", "binutils" },
		{ "flex", "flex" },        { "bison", "bison" },       { "bc", "bc" },
		{ "flock", "util-linux" }, { "spatch", "coccinelle" },
	};
	g_autoptr(GString) missing = g_string_new(NULL);
	g_autofree char *gcc = g_find_program_in_path("gcc");

	for (unsigned i = 0; i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *path = g_find_program_in_path(tools[i].tool);

		if (!path)
			g_string_append_printf(missing, " %s", tools[i].package);
	}
	if (gcc && !have_libelf())
		g_string_append(missing, " libelf-dev");
	return missing->len ? g_strdup(missing->str + 1) : NULL;
}

/* Is `line` one of `text`'s lines? */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
			return true;
	return false;
}

bool control_config_check(const char *fragment, const char *config, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(fragment, "\n", -1);
	g_autoptr(GString) lost = g_string_new(NULL);

	for (char **line = lines; *line; line++) {
		char *off = g_str_has_suffix(*line, "=n") ? strrchr(*line, '=') : NULL;
		g_autofree char *set = NULL;
		bool ok;

		if (!g_str_has_prefix(*line, "CONFIG_"))
			continue;
		if (off) {
			set = g_strdup_printf("%.*s=y", (int)(off - *line), *line);
			ok = !has_line(config, set);
		} else {
			ok = has_line(config, *line);
		}
		if (!ok)
			g_string_append_printf(lost, " '%s'", *line);
	}
	return !lost->len || lab_fail(error, LAB_ERROR_INPUT,
				      "the source tree does not take these options:%s", lost->str);
}
