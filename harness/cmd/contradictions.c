// SPDX-License-Identifier: GPL-2.0-or-later
/* A run's verdicts are read back from the text of its result: they are told of as a blacklist that
 * is made from it would tell. */
#include "cmd/contradictions.h"
#include "cmd/cmd.h"
#include "report/result.h"

void contradictions_tell(const struct knowledge *known, const GPtrArray *measured)
{
	g_auto(GStrv) list = know_contradictions(known, measured);

	for (char **sentence = list; *sentence; sentence++) {
		g_autofree char *line = g_strdup_printf("contradiction: %s", *sentence);

		cmd_line(line);
	}
}

void contradictions_tell_run(const struct lab *lab, const struct run *r)
{
	g_autoptr(GPtrArray) measured =
		g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autofree char *text = result_text(r);
	g_autoptr(knowledge) known = NULL;
	g_autoptr(GError) error = NULL;

	if (!measured_read("result", text, strlen(text), lab->probes, lab->hazards, measured,
			   &error)) {
		cmd_line(error->message);
		return;
	}
	known = know_new(lab->hazards, measured);
	contradictions_tell(known, measured);
}
