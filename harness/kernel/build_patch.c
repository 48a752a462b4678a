// SPDX-License-Identifier: GPL-2.0-or-later
/* Patches of the user's, applied so that a patch which does nothing is never taken for one that
 * did. */
#include "base/fs.h"
#include "base/proc.h"
#include "kernel/build.h"

#include <string.h>

#define PATCH_MAX (16u << 20)
#define PATCH_TIMEOUT_S 300
#define SPATCH_FILE_TIMEOUT_S 600
#define SPATCH_TREE_TIMEOUT_S 7200
#define FILES_MAX 64
#define FILES_MARK "// Files:"
#define REASON_MAX 300

/* A line of the tool's that says what went wrong, or its first. */
static char *reason(const char *output)
{
	static const char *const words[] = { "FAILED", "malformed", "can't find", "rror", "Only " };
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
	const char *found = NULL;

	for (char **line = lines; *line && !found; line++)
		for (size_t i = 0; i < G_N_ELEMENTS(words) && !found; i++)
			found = strstr(*line, words[i]) ? *line : NULL;
	found = found ? found : lines[0] ? lines[0] : "";
	return g_strdup_printf("%.*s", REASON_MAX, found);
}

static bool run(const char *const *argv, const char *src, unsigned timeout_s, char **ret_output,
		GError **error)
{
	static const char *const env[] = { "LC_ALL=C", "POSIXLY_CORRECT=", NULL };
	struct proc_spec spec = { .argv = argv, .env = env, .cwd = src, .timeout_s = timeout_s };
	g_autofree char *output = NULL, *why = NULL;
	int status;

	if (!proc_run(&spec, &output, &status, error))
		return false;
	if (status) {
		why = reason(output);
		return lab_fail(error, LAB_ERROR_INPUT, "it does not apply: '%s'", why);
	}
	*ret_output = g_steal_pointer(&output);
	return true;
}

static bool apply_plain(const char *src, const char *patch, const char *text, GError **error)
{
	const char *const argv[] = { "patch",
				     "-p1",
				     "--fuzz=0",
				     "--batch",
				     "--forward",
				     "--silent",
				     "--no-backup-if-mismatch",
				     "--reject-file=-",
				     "-i",
				     patch,
				     NULL };
	g_autofree char *output = NULL;

	if (!strstr(text, "@@ ") && !strstr(text, "GIT binary patch"))
		return lab_fail(error, LAB_ERROR_INPUT, "it changes nothing: it has no hunk");
	return run(argv, src, PATCH_TIMEOUT_S, &output, error);
}

static bool file_is_in(const char *src, const char *name)
{
	g_autofree char *path = g_build_filename(src, name, NULL);
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);

	return !g_path_is_absolute(name) && *name != '-' &&
	       !g_strv_contains((const char *const *)parts, "..") &&
	       g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* The files of all "// Files:" lines. */
static bool files_of(const char *text, const char *src, GPtrArray *files, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) names = NULL;

		if (!g_str_has_prefix(*line, FILES_MARK))
			continue;
		names = g_strsplit_set(*line + strlen(FILES_MARK), " \t\r", -1);
		for (char **name = names; *name; name++) {
			if (!**name)
				continue;
			if (files->len >= FILES_MAX || !file_is_in(src, *name))
				return lab_fail(error, LAB_ERROR_INPUT,
						"it names '%s', which is no file of the tree",
						*name);
			g_ptr_array_add(files, g_strdup(*name));
		}
	}
	return true;
}

static bool apply_semantic(const char *src, const char *patch, const char *text,
			   const struct progress *progress, GError **error)
{
	static const char *const first[] = { "spatch", "--very-quiet", "--in-place", "--show-diff",
					     "--sp-file" };
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *diff = NULL;
	unsigned timeout_s = SPATCH_FILE_TIMEOUT_S;

	if (!files_of(text, src, files, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(argv, g_strdup(first[i]));
	g_ptr_array_add(argv, g_strdup(patch));
	for (guint i = 0; i < files->len; i++)
		g_ptr_array_add(argv, g_strdup(files->pdata[i]));
	if (!files->len) {
		progress_say(progress, "'%s': looking through the whole tree", patch);
		timeout_s = SPATCH_TREE_TIMEOUT_S;
		g_ptr_array_add(argv, g_strdup("--include-headers"));
		g_ptr_array_add(argv, g_strdup("--dir"));
		g_ptr_array_add(argv, g_strdup("."));
	}
	g_ptr_array_add(argv, NULL);
	if (!run((const char *const *)argv->pdata, src, timeout_s, &diff, error))
		return false;
	return strstr(diff, "+++ ") ||
	       lab_fail(error, LAB_ERROR_INPUT, "it finds nothing to change in the tree");
}

bool build_patch(const char *src, const char *patch, const struct progress *progress,
		 GError **error)
{
	g_autofree char *path = g_canonicalize_filename(patch, NULL), *text = NULL;
	bool ok;

	if (!fs_read(path, PATCH_MAX, &text, NULL, error))
		return lab_prefix(error, "patch");
	ok = g_str_has_suffix(path, ".cocci") ? apply_semantic(src, path, text, progress, error)
					      : apply_plain(src, path, text, error);
	return ok || lab_prefix(error, "patch '%s'", patch);
}
