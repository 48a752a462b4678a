// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Once the bad end has failed: which changes touch what its failure names? A hint, written into the
 * log, so that the log alone replays; whatever goes wrong on the way costs the hint and nothing
 * else.
 */
#include "cmd/bisect.h"

#include "bisect/symptom.h"
#include "kernel/git_define.h"

#include <string.h>

/* Numbers of the commits, ascending. */
static json_t *nodes_of(const struct bisect_range *r, char **ids)
{
	g_autoptr(GHashTable) wanted = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *nodes = json_array();

	for (; *ids; ids++)
		g_hash_table_add(wanted, *ids);
	for (unsigned i = 0; i < r->n; i++)
		if (g_hash_table_contains(wanted, r->changes[i].id))
			json_array_append_new(nodes, json_integer(i));
	return nodes;
}

static json_t *texts(char **list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

/* *ret_files and *ret_ids: NULL where nothing was found. */
static bool look(const struct bisect_session *s, char **functions, char ***ret_files,
		 char ***ret_ids, GError **error)
{
	const struct bisect_range *r = s->range;
	const char *bad = r->changes[bisect_bad_end(s->state->belief)].id;

	if (!*functions ||
	    !git_define(s->req.git, bad, (const char *const *)functions, ret_files, error))
		return !*functions;
	return !**ret_files ||
	       git_touching(s->req.git, r->changes[r->n].id, r->changes[r->n - 1].id,
			    s->req.first_parent, (const char *const *)*ret_files, ret_ids, error);
}

static void tell(const struct bisect_state *state)
{
	g_autofree char *functions = g_strjoinv(", ", state->functions);
	g_autofree char *files = g_strjoinv(", ", state->files), *line = NULL;

	if (!*state->files)
		return;
	line = g_strdup_printf(
		"the failure names %s: changes that touch %s are likelier (%u of %u)", functions,
		files, state->suspects, state->range->n);
	cmd_line(line);
}

bool bisect_suspect(struct bisect_session *s, GError **error)
{
	const char *title = bisect_state_title(s->state);
	g_auto(GStrv) functions = NULL, files = NULL, ids = NULL;
	char *none[] = { NULL };
	g_autoptr(GError) own = NULL;

	if (!s->range->commits || s->state->functions || !title)
		return true;
	functions = symptom_functions(title);
	progress_say(&cmd_progress, "looking for what the failure names");
	if (!look(s, functions, &files, &ids, &own)) {
		g_autofree char *line =
			g_strdup_printf("which changes touch what the failure names is not "
					"known: %s",
					own->message);

		cmd_line(line);
	}
	if (!bisect_session_log(s,
				json_pack("{s:s, s:o, s:o, s:o}", "ev", "suspects", "functions",
					  texts(functions), "files", texts(files), "nodes",
					  nodes_of(s->range, ids ? ids : none)),
				error))
		return false;
	tell(s->state);
	return true;
}
