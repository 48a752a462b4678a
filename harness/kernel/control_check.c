// SPDX-License-Identifier: GPL-2.0-or-later
/* Can control kernels be built: tools, and the options that a tree took. */
#include "kernel/build.h"
#include "kernel/control.h"

#include <string.h>

char *control_missing_packages(void)
{
	return build_missing_packages(BUILD_NEEDS_SPATCH);
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
