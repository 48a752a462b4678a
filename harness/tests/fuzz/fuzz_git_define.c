// SPDX-License-Identifier: GPL-2.0-or-later
/* What git grep prints of a tree, and titles of failures: names of files are those that it holds, as many
 * as may be. */
#include "bisect/symptom.h"
#include "kernel/git_define.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "f", "find_area", "g_h", NULL };
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) files = git_define_parse(text, names), functions = symptom_functions(text);

	if (g_strv_length(files) > DEFINE_FILES_MAX ||
	    g_strv_length(functions) > SYMPTOM_FUNCTIONS_MAX)
		__builtin_trap();
	for (char **file = files; *file; file++)
		if (!**file || !strstr(text, *file))
			__builtin_trap();
	return 0;
}
