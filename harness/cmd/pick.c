// SPDX-License-Identifier: GPL-2.0-or-later
/* See pick.h. */
#include "cmd/pick.h"

#include "base/fs.h"
#include "conf/suggest.h"

#include <fnmatch.h>
#include <string.h>

#define RESULTS "results"
#define RUN_FILE_MAX (64u << 20)
#define LISTED_MAX 8

bool pick_judge(struct lab *lab, struct run *r, GError **error)
{
	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];
		enum cell_needs needs;

		if (!cell_refresh(r, cell, g_hash_table_lookup(lab->judge_params, cell->job->probe),
				  &needs, error))
			return false;
		cell->done = cell->skip || cell->outcomes->len > 0;
	}
	return true;
}

bool pick_load(struct lab *lab, const char *dir, struct run **ret, GError **error)
{
	g_autofree char *plan = g_build_filename(dir, "run.json", NULL);
	g_autoptr(run) r = NULL;

	if (!g_file_test(plan, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is no run's folder: it has no run.json", dir);
	if (!run_load(dir, &r, error) || !pick_judge(lab, r, error))
		return false;
	*ret = g_steal_pointer(&r);
	return true;
}

/* ISO 8601 in UTC: text that sorts by time. */
static char *started_of(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "run.json", NULL), *text = NULL;
	json_t *json;
	char *started;
	size_t len;

	if (!fs_read(path, RUN_FILE_MAX, &text, &len, NULL))
		return NULL;
	json = json_loadb(text, len, 0, NULL);
	started = g_strdup(json_string_value(json_object_get(json, "started")));
	json_decref(json);
	return started;
}

char *pick_newest_run(GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(RESULTS, 0, NULL);
	g_autofree char *newest = NULL, *when = NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(RESULTS, name, NULL);
		g_autofree char *started = started_of(path);
		int later = started ? g_strcmp0(started, when) : -1;

		/* two within a second: the name decides, so that the choice is always the same */
		if (later < 0 || (later == 0 && strcmp(path, newest) < 0))
			continue;
		g_free(newest);
		newest = g_steal_pointer(&path);
		g_free(when);
		when = g_steal_pointer(&started);
	}
	if (!newest)
		lab_fail(error, LAB_ERROR_USAGE,
			 "no run below '" RESULTS "/'\n"
			 "hint: name one with --run DIR");
	return g_steal_pointer(&newest);
}

static const char *id_of(const struct run *r, guint i)
{
	return ((struct cell *)r->cells->pdata[i])->job->cell;
}

static bool fail_unknown(const struct run *r, const char *name, GError **error)
{
	g_autofree const char **ids = g_new0(const char *, r->cells->len + 1);
	g_autofree char *hint = NULL;

	for (guint i = 0; i < r->cells->len; i++)
		ids[i] = id_of(r, i);
	hint = suggest_phrase(name, ids);
	return lab_fail(error, LAB_ERROR_USAGE, "no cell '%s' in '%s'%s\nhint: its %u cell%s: %s%s",
			name, r->dir, hint, r->cells->len,
			r->cells->len == 1 ? " is" : "s begin with",
			r->cells->len ? ids[0] : "none", r->cells->len > 1 ? ", ..." : "");
}

static bool fail_ambiguous(const char *name, const GPtrArray *fits, GError **error)
{
	GString *list = g_string_new(NULL);

	for (guint i = 0; i < MIN(fits->len, LISTED_MAX); i++)
		g_string_append_printf(list, "%s%s", i ? ", " : "",
				       ((struct cell *)fits->pdata[i])->job->cell);
	lab_fail(error, LAB_ERROR_USAGE, "%s%s%s %u cells\nhint: %s%s", *name ? "'" : "the run",
		 name, *name ? "' fits" : " has", fits->len, list->str,
		 fits->len > LISTED_MAX ? ", ..." : "");
	g_string_free(list, TRUE);
	return false;
}

struct cell *pick_cell(const struct run *r, const char *name, GError **error)
{
	g_autoptr(GPtrArray) fits = g_ptr_array_new();

	for (guint i = 0; i < r->cells->len; i++) {
		if (strcmp(id_of(r, i), name) == 0)
			return r->cells->pdata[i];
		if (strstr(id_of(r, i), name) || fnmatch(name, id_of(r, i), 0) == 0)
			g_ptr_array_add(fits, r->cells->pdata[i]);
	}
	if (fits->len == 1)
		return fits->pdata[0];
	if (fits->len)
		fail_ambiguous(name, fits, error);
	else
		fail_unknown(r, name, error);
	return NULL;
}
