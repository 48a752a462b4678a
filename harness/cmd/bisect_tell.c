// SPDX-License-Identifier: GPL-2.0-or-later
/* The board of a bisection at work, and the plan of one that is not begun. */
#include "cmd/bisect.h"

#include "cmd/board.h"
#include "report/bisect.h"

#define PLAN_TRIALS 100
#define PLAN_LIMIT_S 3.0

/* --- the board ---------------------------------------------------------------------------------- */

static struct {
	struct bisect_board board;
	int64_t began_us;
} shown;

static char *draw(const char *said, const void *unused)
{
	(void)unused;
	return bisect_board_text(&shown.board, (g_get_monotonic_time() - shown.began_us) / 1e6, said);
}

void bisect_tell_begin(const struct bisect_session *s, const char *phase,
		       const struct bisect_test *tests, unsigned n, bool making)
{
	/* what takes no time is not worth a flicker */
	if (!board_has_terminal() || (making && s->state->costs.unkept))
		return;
	bisect_board_fill(&shown.board, s->state, phase, tests, n, making, board_utf8());
	shown.began_us = g_get_monotonic_time();
	board_begin(draw, NULL);
}

void bisect_tell_end(void)
{
	board_end();
	bisect_board_clear(&shown.board);
}

/* --- the plan ----------------------------------------------------------------------------------- */

static char *words_of_plan(const struct bisect_session *s, const struct bisect_plan *plan)
{
	bool then_commits = s->req.git && !s->range->commits;
	g_autofree char *again = g_strdup_printf("kbisect run --resume %s", s->dir);
	g_autofree char *text = bisect_plan_text(s->state, plan, again);

	if (!then_commits)
		return g_steal_pointer(&text);
	return g_strconcat(text, "The commits of the build that is found come after that.\n", NULL);
}

static char *json_of_plan(const struct bisect_session *s, const struct bisect_step *step,
		       const struct bisect_plan *plan)
{
	json_t *doc = bisect_json(s->range, s->state, step);
	char *raw, *text;

	json_object_set_new(doc, "plan", bisect_plan_json(plan));
	json_object_set_new(doc, "dir", json_string(s->dir));
	raw = json_dumps(doc, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	text = g_strconcat(raw, "\n", NULL);
	free(raw);
	json_decref(doc);
	return text;
}

char *bisect_tell_plan(const struct bisect_session *s, const struct bisect_step *step, bool json)
{
	struct bisect_plan plan;

	bisect_plan(s->state, PLAN_TRIALS, PLAN_LIMIT_S, s->req.seed, &plan);
	return json ? json_of_plan(s, step, &plan) : words_of_plan(s, &plan);
}
