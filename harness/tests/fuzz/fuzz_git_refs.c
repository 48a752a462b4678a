// SPDX-License-Identifier: GPL-2.0-or-later
/* What a git server answers, and what it was asked for: the first line is the ref, the rest the
 * answer. What is found is a commit's number. */
#include "kernel/git_repo.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) halves = g_strsplit(text, "\n", 2);
	g_auto(git_ref) ref = { 0 };
	g_autofree char *path = NULL;
	const char *name = halves[0] ? halves[0] : "", *answer = halves[0] ? halves[1] : NULL;

	git_remote_check(name, &path, NULL);
	if (!git_ref_check(name, NULL) || !answer)
		return 0;
	if (git_refs_find(answer, name, &ref) != (ref.commit != NULL))
		g_error("found, and nothing there");
	if (ref.commit && (strlen(ref.commit) < 40 || !ref.name))
		g_error("'%s' is no commit", ref.commit);
	return 0;
}
