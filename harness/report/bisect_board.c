// SPDX-License-Identifier: GPL-2.0-or-later
/* A bisection at work: the posterior on a line, the board while a test or a build runs. Part of bisect.h.
 */
#include "report/bisect.h"

#include <math.h>

#define SPARK_CELLS 40
#define NAMES_SHOWN 2
#define LEAST 1e-3 /* of the posterior that shows */

static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const letters[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };

/* Probabilities go over orders of magnitude. */
static unsigned level(double p)
{
	unsigned top = G_N_ELEMENTS(blocks) - 1;

	return p < LEAST ? 0 : MIN(top, 1 + (unsigned)((top - 1) * (1 - log(p) / log(LEAST)) + 0.5));
}

char *bisect_sparkline(const struct bisect_state *s, unsigned cells, bool utf8)
{
	unsigned n = s->range->n, used = MIN(n, cells);
	g_autofree double *mass = g_new0(double, used);
	GString *out = g_string_new("[");

	for (unsigned c = 0; c < n; c++)
		mass[(uint64_t)c * used / n] += s->belief->w[c];
	for (unsigned i = 0; i < used; i++)
		g_string_append(out, (utf8 ? blocks : letters)[level(mass[i])]);
	g_string_append_c(out, ']');
	return g_string_free(out, FALSE);
}

/* --- the board ---------------------------------------------------------------------------------- */

static char *doing_words(const struct bisect_state *s, const char *phase,
			 const struct bisect_test *tests, unsigned n, bool making)
{
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%-9s ", making ? "kernel" : phase);
	for (unsigned i = 0; i < MIN(n, NAMES_SHOWN); i++) {
		g_autofree char *name = bisect_range_name(s->range, tests[i].node);

		g_string_append_printf(out, "%s%s", i ? ", " : "", name);
	}
	if (n > NAMES_SHOWN)
		g_string_append_printf(out, ", %u more", n - NAMES_SHOWN);
	return g_string_free(out, FALSE);
}

static double expected_s(const struct bisect_state *s, const struct bisect_test *tests, unsigned n,
			 bool making)
{
	struct bisect_costs pace = bisect_pace(s);
	bool time = s->model.form == BISECT_TIME;
	double most = 0;

	/* nobody knows how long a command takes before it has run */
	if (!making && !time && !s->counts[OUTCOME_FAILED] && !s->counts[OUTCOME_SURVIVED])
		return 0;
	for (unsigned i = 0; i < n; i++)
		most = fmax(most, making ? s->make_s[tests[i].node] :
					   pace.boot_s + (time ? tests[i].length : pace.run_s));
	return most;
}

void bisect_board_fill(struct bisect_board *b, const struct bisect_state *s, const char *phase,
		       const struct bisect_test *tests, unsigned n, bool making, bool utf8)
{
	unsigned best = bisect_best(s->belief), left = bisect_suspects(s);
	g_autofree char *leader = bisect_range_name(s->range, best);
	GString *words = g_string_new(NULL);

	bisect_add_percent(words, s->belief->w[best]);
	g_string_append_printf(words, " %s, %u suspect%s", leader, left, left == 1 ? "" : "s");
	*b = (struct bisect_board){ .doing = doing_words(s, phase, tests, n, making),
				    .leader = g_string_free(words, FALSE),
				    .spark = bisect_sparkline(s, SPARK_CELLS, utf8),
				    .expected_s = expected_s(s, tests, n, making),
				    .eta_s = bisect_eta_s(s) };
}

void bisect_board_clear(struct bisect_board *b)
{
	g_clear_pointer(&b->doing, g_free);
	g_clear_pointer(&b->leader, g_free);
	g_clear_pointer(&b->spark, g_free);
}

/* Whole seconds: it is drawn each second. */
static void add_clock(GString *out, double s)
{
	unsigned whole = s > 0 ? (unsigned)fmin(s, 1e9) : 0;

	if (whole < 60)
		g_string_append_printf(out, "%u s", whole);
	else
		g_string_append_printf(out, "%u:%02u min", whole / 60, whole % 60);
}

char *bisect_board_text(const struct bisect_board *b, double elapsed_s, const char *said)
{
	GString *out = g_string_new(b->doing);

	g_string_append(out, "  ");
	add_clock(out, elapsed_s);
	if (b->expected_s >= 1) {
		g_string_append(out, " of ");
		add_clock(out, b->expected_s);
	}
	g_string_append_printf(out, "  | %s\n%s", b->leader, b->spark);
	if (b->eta_s - elapsed_s >= 1) {
		g_string_append(out, "  about ");
		bisect_add_seconds(out, b->eta_s - elapsed_s);
		g_string_append(out, " to go");
	}
	if (said)
		g_string_append_printf(out, "  %s", said);
	return g_string_free(out, FALSE);
}
