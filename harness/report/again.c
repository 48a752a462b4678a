// SPDX-License-Identifier: GPL-2.0-or-later
/* See again.h. */
#include "report/again.h"

#include "report/schedule.h"
#include "stats/rate.h"

#include <math.h>
#include <string.h>

#define CONFIDENCE 0.95

struct tally {
	unsigned trials, hits,
		same_title; /* trials: repetitions that say something on the kernel */
	unsigned aside;     /* infra, unsupported */
	unsigned plain, plain_hits; /* trials without delays */
	bool reachable;	    /* what is repeated failed with delays alone */
	double exposure;
	struct interval share; /* of hits, at CONFIDENCE */
	double p_missed;       /* of all together; NAN: a hit, or no rate */
	GHashTable *titles;    /* title -> count */
};

static bool repeats(const struct cell *cell, const struct cell *of)
{
	g_autofree char *prefix = g_strconcat(of->job->cell, ".again", NULL);

	return g_str_has_prefix(cell->job->cell, prefix);
}

static bool had_delays(const struct cell *cell)
{
	for (guint i = 0; i < cell->outcomes->len; i++)
		if (((struct outcome *)cell->outcomes->pdata[i])->delayed)
			return true;
	return false;
}

static void count(struct tally *t, const struct cell *cell, const struct cell *of)
{
	const struct verdict *v = &cell->verdict.v;
	gpointer n;

	if (v->value == VERDICT_INFRA || v->value == VERDICT_UNSUPPORTED) {
		t->aside++;
		return;
	}
	t->trials++;
	t->exposure += v->exposure;
	if (!had_delays(cell)) {
		t->plain++;
		t->plain_hits += v->value == VERDICT_AFFECTED;
	}
	if (v->value != VERDICT_AFFECTED)
		return;
	t->hits++;
	t->same_title += of->done && g_strcmp0(v->title, of->verdict.v.title) == 0;
	n = g_hash_table_lookup(t->titles, v->title);
	g_hash_table_insert(t->titles, v->title, GUINT_TO_POINTER(GPOINTER_TO_UINT(n) + 1));
}

static void take(struct tally *t, const struct run *r, const struct cell *of)
{
	*t = (struct tally){ .p_missed = NAN, .titles = g_hash_table_new(g_str_hash, g_str_equal) };
	t->reachable = of->done && g_strcmp0(schedule_of(of), "reachable") == 0;
	for (guint i = 0; i < r->cells->len; i++) {
		struct cell *cell = r->cells->pdata[i];

		if (cell->done && repeats(cell, of))
			count(t, cell, of);
	}
	t->share = proportion_limits(t->hits, t->trials, CONFIDENCE);
	if (!t->hits && t->trials)
		t->p_missed = rate_p_missed(of->rate_lower, t->exposure);
}

/* Trials without delays of what failed with delays, and none of them failed. */
static bool is_informative_only(const struct tally *t)
{
	return t->reachable && t->plain && !t->plain_hits;
}

/* Most frequent first, then by name: the same tally, the same text. */
static gint by_count(gconstpointer a, gconstpointer b, gpointer user)
{
	unsigned m = GPOINTER_TO_UINT(g_hash_table_lookup(user, a));
	unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(user, b));

	return m != n ? (m < n ? 1 : -1) : strcmp(a, b);
}

static GList *sorted_titles(const struct tally *t)
{
	return g_list_sort_with_data(g_hash_table_get_keys(t->titles), by_count, t->titles);
}

static void put_one(GString *out, const struct cell *of, const struct tally *t)
{
	GList *titles = sorted_titles(t);

	g_string_append_printf(out, "%s: %u of %u affected", of->job->cell, t->hits, t->trials);
	if (t->trials)
		g_string_append_printf(out, " (%.0f %% interval of the share: %.1f %% to %.1f %%)",
				       100 * CONFIDENCE, 100 * t->share.lower,
				       100 * t->share.upper);
	if (of->done && of->verdict.v.value == VERDICT_AFFECTED && t->hits)
		g_string_append_printf(out, "; same title: %u", t->same_title);
	if (t->aside)
		g_string_append_printf(out, "; not counted (infra or unsupported): %u", t->aside);
	g_string_append_c(out, '\n');
	for (GList *l = titles; l; l = l->next)
		g_string_append_printf(out, "  %u x %s\n",
				       GPOINTER_TO_UINT(g_hash_table_lookup(t->titles, l->data)),
				       (char *)l->data);
	if (is_informative_only(t))
		g_string_append_printf(out,
				       "  %u without delays did not fail: informative only, no word "
				       "against the finding\n  (%s)\n",
				       t->plain, schedule_reachable_words);
	if (isfinite(t->p_missed))
		g_string_append_printf(out, "  all together: P(missed) <= %.2g\n", t->p_missed);
	g_list_free(titles);
}

char *again_text(const struct run *r, const GPtrArray *of)
{
	GString *out = g_string_new(NULL);

	for (guint i = 0; i < of->len; i++) {
		struct tally t;

		take(&t, r, of->pdata[i]);
		put_one(out, of->pdata[i], &t);
		g_hash_table_destroy(t.titles);
	}
	return g_string_free(out, FALSE);
}

static json_t *one_json(const struct cell *of, const struct tally *t)
{
	GList *sorted = sorted_titles(t);
	json_t *titles = json_array();

	for (GList *l = sorted; l; l = l->next)
		json_array_append_new(
			titles,
			json_pack("{s:s, s:i}", "title", l->data, "n",
				  GPOINTER_TO_INT(g_hash_table_lookup(t->titles, l->data))));
	g_list_free(sorted);
	return json_pack(
		"{s:s, s:i, s:i, s:i, s:i, s:[f, f], s:f, s:f, s:o, s:o, s:i, s:b}", "cell", of->job->cell,
		"n", (int)t->trials, "affected", (int)t->hits, "same_title", (int)t->same_title,
		"not_counted", (int)t->aside, "interval", t->share.lower, t->share.upper,
		"interval_confidence", CONFIDENCE, "exposure", t->exposure, "p_missed",
		isfinite(t->p_missed) ? json_real(t->p_missed) : json_null(), "titles", titles,
		"without_delays", (int)t->plain, "informative_only", is_informative_only(t));
}

json_t *again_json(const struct run *r, const GPtrArray *of)
{
	json_t *cells = json_array();

	for (guint i = 0; i < of->len; i++) {
		struct tally t;

		take(&t, r, of->pdata[i]);
		json_array_append_new(cells, one_json(of->pdata[i], &t));
		g_hash_table_destroy(t.titles);
	}
	return json_pack("{s:i, s:o}", "schema", AGAIN_SCHEMA, "cells", cells);
}
