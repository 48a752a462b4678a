// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz journals: any events, judged. What is no proof must never come out as clean. */
#include "base/fs.h"
#include "run/evidence.h"

#include <stdlib.h>
#include <string.h>

static const char *job_dir(void)
{
	static char *dir;

	if (!dir) {
		static const char *const names[] = { "console.log", "wire.log", "status.bin" };

		dir = g_dir_make_tmp("klab-fuzz-XXXXXX", NULL);
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
			g_autofree char *path = g_build_filename(dir, names[i], NULL);

			if (!g_file_set_contents(path, "", 0, NULL))
				abort();
		}
		g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);

		if (!g_file_set_contents(spec, "{\"counters\":[\"pokes\"],\"accel\":\"tcg\"}", -1, NULL))
			abort();
	}
	return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct judge_params nothing_known = { 0 };
	g_autofree char *path = g_build_filename(job_dir(), "journal.jsonl", NULL);
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(outcome) o = NULL;

	if (!g_file_set_contents(path, (const char *)data, size, NULL))
		abort();
	if (!outcome_load(job_dir(), &nothing_known, &o, NULL))
		return 0;
	if (o->verdict.value == VERDICT_CLEAN && !strstr(text, "pass"))
		abort();
	return 0;
}
