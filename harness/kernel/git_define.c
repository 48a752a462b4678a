// SPDX-License-Identifier: GPL-2.0-or-later
/* See git_define.h. */
#include "kernel/git_define.h"

#include "kernel/git_repo.h"

#include <string.h>

#define DEADLINE_S 120
#define LINES_MAX (8u << 20)
#define IDS_MAX (64u << 20)

/* Nothing of these is in an x86 kernel. */
#define WHERE                                                                                      \
	"*.c", "*.h", "*.S", ":(exclude)Documentation", ":(exclude)samples", ":(exclude)tools",    \
		":(exclude,glob)arch/[!x]*/**", ":(exclude)arch/xtensa"

/* --- reading git grep ------------------------------------------------------------------------ */

static bool is_of_name(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

/* Does it begin in the first column, and is more than a prototype? */
static bool begins_something(const char *line)
{
	size_t len = strlen(line);

	while (len && g_ascii_isspace(line[len - 1]))
		len--;
	return len && is_of_name(*line) && line[len - 1] != ';';
}

/* "int name(int x)", or "SYM_CODE_START(name)" of assembler. */
static bool defines(const char *line, const char *name)
{
	bool macro = g_str_has_prefix(line, "SYM_") || g_str_has_prefix(line, "ENTRY(");
	size_t len = strlen(name);

	if (!begins_something(line))
		return false;
	for (const char *at = line; len && (at = strstr(at, name)); at += len)
		if ((at == line || !is_of_name(at[-1])) &&
		    (at[len] == '(' || (macro && (at[len] == ')' || at[len] == ','))))
			return true;
	return false;
}

static bool is_header(const char *file)
{
	return g_str_has_suffix(file, ".h");
}

/* Files that define `name`, of one kind. */
static GPtrArray *files_of(char **lines, const char *name, bool headers)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);

	for (; *lines && files->len <= DEFINE_OF_ONE_MAX; lines++) {
		const char *file = strchr(*lines, ':');
		const char *text = file ? strchr(file + 1, ':') : NULL;
		g_autofree char *found = NULL;

		if (!text || text == file + 1 || !defines(text + 1, name))
			continue;
		found = g_strndup(file + 1, text - file - 1);
		if (is_header(found) == headers &&
		    !g_ptr_array_find_with_equal_func(files, found, g_str_equal, NULL))
			g_ptr_array_add(files, g_steal_pointer(&found));
	}
	return files;
}

char **git_define_parse(const char *text, const char *const *functions)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);

	for (; *functions; functions++) {
		g_autoptr(GPtrArray) files = files_of(lines, *functions, false);

		if (!files->len) {
			g_ptr_array_free(files, TRUE);
			files = files_of(lines, *functions, true);
		}
		for (guint i = 0; files->len <= DEFINE_OF_ONE_MAX && i < files->len; i++)
			if (all->len < DEFINE_FILES_MAX &&
			    !g_ptr_array_find_with_equal_func(all, files->pdata[i], g_str_equal,
							      NULL))
				g_ptr_array_add(all, g_strdup(files->pdata[i]));
	}
	g_ptr_array_add(all, NULL);
	return g_strdupv((char **)all->pdata);
}

/* --- asking git ------------------------------------------------------------------------------ */

static GPtrArray *grep_args(const char *commit, const char *const *functions)
{
	static const char *const grep[] = { "grep", "--no-color", "--threads=2", "-I", "-F", "-w" };
	static const char *const where[] = { WHERE };
	GPtrArray *args = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(grep); i++)
		g_ptr_array_add(args, (char *)grep[i]);
	for (; *functions; functions++) {
		g_ptr_array_add(args, (char *)"-e");
		g_ptr_array_add(args, (char *)*functions);
	}
	g_ptr_array_add(args, (char *)commit);
	g_ptr_array_add(args, (char *)"--");
	for (size_t i = 0; i < G_N_ELEMENTS(where); i++)
		g_ptr_array_add(args, (char *)where[i]);
	g_ptr_array_add(args, NULL);
	return args;
}

bool git_define(const char *path, const char *commit, const char *const *functions,
		char ***ret_files, GError **error)
{
	g_autoptr(GPtrArray) args = grep_args(commit, functions);
	struct git_question question = { .path = path,
					 .args = (const char *const *)args->pdata,
					 .output_max = LINES_MAX,
					 .timeout_s = DEADLINE_S };
	g_autoptr(GError) own = NULL;
	g_autofree char *text = *functions ? git_ask_with(&question, &own) : NULL;

	/* git grep that finds nothing ends like one that was refused */
	if (own && !g_error_matches(own, LAB_ERROR, LAB_ERROR_INPUT)) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	*ret_files = git_define_parse(text ? text : "", functions);
	return true;
}

bool git_touching(const char *path, const char *from, const char *to, bool first_parent,
		  const char *const *files, char ***ret_ids, GError **error)
{
	g_autofree char *range = g_strdup_printf("%s..%s", from, to), *text = NULL;
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	struct git_question question = { .path = path,
					 .output_max = IDS_MAX,
					 .timeout_s = DEADLINE_S };

	g_ptr_array_add(args, (char *)"rev-list");
	g_ptr_array_add(args, (char *)"--full-history");
	/* a merge differs from one side by all that the other brings */
	g_ptr_array_add(args, (char *)(first_parent ? "--first-parent" : "--no-merges"));
	g_ptr_array_add(args, range);
	g_ptr_array_add(args, (char *)"--");
	for (; *files; files++)
		g_ptr_array_add(args, (char *)*files);
	g_ptr_array_add(args, NULL);
	question.args = (const char *const *)args->pdata;
	text = git_ask_with(&question, error);
	if (!text)
		return false;
	*ret_ids = g_strsplit(g_strchomp(text), "\n", -1);
	return true;
}
