// SPDX-License-Identifier: GPL-2.0-or-later
/* git bisect's log is the user's file: any bytes. What is read is bounded, and written again it reads
 * the same. */
#include "bisect/gitlog.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(gitlog) log = NULL, again = NULL;
	g_autoptr(GString) out = g_string_new(NULL);

	if (!gitlog_parse((const char *)data, size, &log, NULL))
		return 0;
	gitlog_start(out, false);
	for (guint i = 0; i < log->lines->len; i++) {
		const struct gitlog_line *line = &g_array_index(log->lines, struct gitlog_line, i);

		if (strspn(line->id, "0123456789abcdef") != strlen(line->id) || !*line->id)
			return 0;
		gitlog_add(out, false, line->verdict, line->id, NULL);
	}
	if (!gitlog_parse(out->str, out->len, &again, NULL) || again->lines->len != log->lines->len)
		__builtin_trap();
	return 0;
}
