// SPDX-License-Identifier: GPL-2.0-or-later
/* kbisect status: where a bisection stands, at length. Part of bisect.h. */
#include "report/bisect.h"

#include <string.h>

#define SPARK_CELLS 72
#define CHANGES_SHOWN 8
#define KERNELS_SHOWN 24 /* of those tested */
#define SUBJECT_MAX 60

static void add_picture(GString *out, const struct bisect_state *s, bool utf8)
{
	g_autofree char *spark = bisect_sparkline(s, SPARK_CELLS, utf8);
	g_autofree char *oldest = bisect_range_name(s->range, 0);
	g_autofree char *newest = bisect_range_name(s->range, s->range->n - 1);
	int gap = (int)MIN(s->range->n, SPARK_CELLS) - (int)strlen(oldest) - (int)strlen(newest);

	g_string_append_printf(out, "\n%s\n %s%*s%s\n", spark, oldest, MAX(gap, 2), "", newest);
}

static void add_changes(GString *out, const struct bisect_range *r, const struct bisect_state *s)
{
	g_autofree unsigned *set = NULL;
	unsigned n;

	set = bisect_credible(s->belief, s->goal.confidence, &n);
	g_string_append(out, "\nSUSPECTS\n");
	for (unsigned i = 0; i < MIN(n, CHANGES_SHOWN); i++) {
		const char *subject = r->changes[set[i]].subject ? r->changes[set[i]].subject : "";
		int shown = g_utf8_offset_to_pointer(subject, MIN(g_utf8_strlen(subject, -1),
								  SUBJECT_MAX)) - subject;
		g_autofree char *name = bisect_range_name(r, set[i]);
		g_autoptr(GString) p = g_string_new(NULL);

		bisect_add_percent(p, s->belief->w[set[i]]);
		g_string_append_printf(out, "%9s  %s  %.*s\n", p->str, name, shown, subject);
	}
	if (n > CHANGES_SHOWN)
		g_string_append_printf(out, "%9s  %u more\n", "", n - CHANGES_SHOWN);
}

static bool was_tested(const struct bisect_state *s, unsigned node)
{
	const struct bisect_tally *t = &s->belief->at[node];

	return t->fails > 0 || t->had > 0 || s->known[node] == TESTABLE_NO;
}

static void add_kernel(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		       unsigned node)
{
	const struct bisect_tally *t = &s->belief->at[node];
	g_autofree char *name = bisect_range_name(r, node);
	g_autoptr(GString) had = g_string_new(NULL), p = g_string_new(NULL);

	if (s->known[node] == TESTABLE_NO)
		g_string_append(had, "untestable");
	else if (s->model.form == BISECT_TIME)
		bisect_add_seconds(had, t->had);
	else
		g_string_append_printf(had, "%.0f", t->had);
	bisect_add_percent(p, bisect_p_present(s->belief, node));
	g_string_append_printf(out, "%9.0f  %10s  %8s  %s\n", t->fails, had->str, p->str, name);
}

/* Those in the middle say least. */
static void add_kernels(GString *out, const struct bisect_range *r, const struct bisect_state *s)
{
	bool time = s->model.form == BISECT_TIME;
	unsigned n = 0, at = 0, half = KERNELS_SHOWN / 2;

	for (unsigned node = 0; node <= r->n; node++)
		n += was_tested(s, node);
	if (!n)
		return;
	g_string_append_printf(out, "\n%9s  %10s  %8s  KERNEL\n", "FAILED",
			       time ? "EXPOSURE" : "SURVIVED", "HAS IT");
	for (unsigned i = 0; i <= r->n; i++) {
		unsigned node = i ? i - 1 : r->n; /* the old end first */

		if (!was_tested(s, node))
			continue;
		if (n <= KERNELS_SHOWN || at < half || at >= n - half)
			add_kernel(out, r, s, node);
		else if (at == half)
			g_string_append_printf(out, "%9s  %u more: --json\n", "", n - 2 * half);
		at++;
	}
}

char *bisect_status_text(const struct bisect_range *r, const struct bisect_state *s,
			 const struct bisect_step *step, const char *now, bool utf8)
{
	g_autofree char *text = bisect_text(r, s, step);
	GString *out = g_string_new(NULL);

	if (now)
		g_string_append_printf(out, "%s\n", now);
	g_string_append(out, text);
	add_picture(out, s, utf8);
	add_changes(out, r, s);
	add_kernels(out, r, s);
	return g_string_free(out, FALSE);
}
