// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that users and remotes give: checked before git sees them, and found in its answers. */
#include "kernel/git_repo.h"

#include <string.h>

#define REF_MAX 200
#define REMOTE_MAX 2000

void git_ref_clear(struct git_ref *ref)
{
	g_clear_pointer(&ref->commit, g_free);
	g_clear_pointer(&ref->name, g_free);
}

static bool is_printable(const char *text, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isgraph(text[i]))
			return false;
	return len > 0 && len <= max;
}

bool git_ref_check(const char *ref, GError **error)
{
	return (is_printable(ref, REF_MAX) && *ref != '-' && !strpbrk(ref, ":*?[\\")) ||
	       lab_fail(error, LAB_ERROR_USAGE, "'%.80s' is no tag, branch or commit", ref);
}

/* "host:path" and "user@host:path", as ssh has it */
static bool is_scp_like(const char *remote)
{
	size_t host = strcspn(remote, ":/");

	return host > 1 && remote[host] == ':' && remote[host + 1];
}

bool git_remote_check(const char *remote, char **ret_path, GError **error)
{
	*ret_path = NULL;
	if (g_file_test(remote, G_FILE_TEST_IS_DIR)) {
		*ret_path = g_canonicalize_filename(remote, NULL);
		return true;
	}
	/* "ext::sh -c ..." runs a program; git has that off by default, and so it stays. */
	if (!is_printable(remote, REMOTE_MAX) || *remote == '-' || strstr(remote, "::"))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%.80s' is no path and no URL of a git repository", remote);
	if (strstr(remote, "://") || is_scp_like(remote))
		return true;
	return lab_fail(error, LAB_ERROR_UNAVAILABLE, "there is no folder '%s'", remote);
}

static bool is_commit(const char *text, size_t len)
{
	return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") >= len;
}

static void take(struct git_ref *ret, const char *line, size_t hex, const char *name, bool is_tag)
{
	git_ref_clear(ret);
	*ret = (struct git_ref){ .commit = g_strndup(line, hex),
				 .name = g_strdup(name),
				 .is_tag = is_tag };
}

bool git_refs_find(const char *text, const char *ref, struct git_ref *ret)
{
	g_autofree char *tag = g_strconcat("refs/tags/", ref, NULL);
	g_autofree char *head = g_strconcat("refs/heads/", ref, NULL);
	g_autofree char *peeled =
		g_strconcat(g_str_has_prefix(ref, "refs/tags/") ? ref : tag, "^{}", NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned best = 0;

	for (char **line = lines; *line; line++) {
		const char *tab = strchr(*line, '\t'), *name = tab ? tab + 1 : NULL;
		unsigned rank = !name                   ? 0
				: !strcmp(name, peeled) ? 4
				: !strcmp(name, tag)    ? 3
				: !strcmp(name, ref)    ? 2
				: !strcmp(name, head)   ? 1
							: 0;
		const char *fetch =
			rank == 4 ? (g_str_has_prefix(ref, "refs/tags/") ? ref : tag) : name;

		if (rank <= best || !is_commit(*line, tab - *line))
			continue;
		best = rank;
		take(ret, *line, tab - *line, fetch, g_str_has_prefix(fetch, "refs/tags/"));
	}
	return best > 0;
}
