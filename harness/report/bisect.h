/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bisection told: what it will take, a line a test, a board while one runs, where it stands, the report
 * in Markdown, the posterior after each test as SVG. Pure.
 */
#ifndef KLAB_REPORT_BISECT_H
#define KLAB_REPORT_BISECT_H

#include "bisect/plan.h"
#include "bisect/state.h"

/* "9.5 s", "20 s", "12 min", "1.5 h"; "41 %", and 99.995 % is not 100 %. */
void bisect_add_seconds(GString *out, double s);
void bisect_add_percent(GString *out, double p);
/* How many changes hold the asked confidence. */
unsigned bisect_suspects(const struct bisect_state *s);

/* "  12  search  1a2b3c4d5e6f  failed after 0.3 s: oops: ... | 41 % 9f8e7d6c5b4a, 12 suspects, about 20
 * min to go". The caller frees, here and below. */
char *bisect_test_line(const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step, unsigned test);

/* Where it stands, or the answer, for a terminal. `step` is bisect_state_next()'s. */
char *bisect_text(const struct bisect_range *r, const struct bisect_state *s,
		  const struct bisect_step *step);
/* The same as JSON, with the evidence by kernel and the credible set. */
json_t *bisect_json(const struct bisect_range *r, const struct bisect_state *s,
		    const struct bisect_step *step);
/* What a plan foretells, for a terminal; `again` is the command that goes on. */
char *bisect_plan_text(const struct bisect_state *s, const struct bisect_plan *plan, const char *again);
json_t *bisect_plan_json(const struct bisect_plan *plan);

/* The posterior over the range, old to new: a character for some changes each, `cells` at most. From one
 * in 1000 on something is seen, each step more is 2.4 times as much. `utf8`: blocks, else ASCII. */
char *bisect_sparkline(const struct bisect_state *s, unsigned cells, bool utf8);

/* What runs now, and how it stands, as text: nothing of the state is needed to draw it. */
struct bisect_board {
	char *doing;		/* "search     1a2b3c4d5e6f" */
	char *leader;		/* "41 % 9f8e7d6c5b4a, 12 suspects" */
	char *spark;
	double expected_s;	/* of what is under way; 0: not known */
	double eta_s;		/* from its begin to the answer */
};
/* `n` nodes are made, or tested for `length`. */
void bisect_board_fill(struct bisect_board *b, const struct bisect_state *s, const char *phase,
		       const struct bisect_test *tests, unsigned n, bool making, bool utf8);
void bisect_board_clear(struct bisect_board *b);
/* Two lines, the last one without its newline; `said`: the last progress of whoever builds, or NULL. */
char *bisect_board_text(const struct bisect_board *b, double elapsed_s, const char *said);

/* Where it stands, at length: bisect_text(), the posterior, the likeliest changes, the evidence. `now`
 * is the sentence on what runs, or NULL. */
char *bisect_status_text(const struct bisect_range *r, const struct bisect_state *s,
			 const struct bisect_step *step, const char *now, bool utf8);

/* The report; `svg` is the name of the picture, `title` what was asked ("text-poke between v6.1.1 and
 * v6.1.9"), both plain text; `shown` is what git(1) shows of the change, or NULL. */
char *bisect_markdown(const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step, const char *title, const char *svg,
		      const char *shown);

/* The posterior after each test: one column for each change (neighbours share one in long ranges), one
 * row for each test. */
struct bisect_picture;
typedef struct bisect_picture bisect_picture;
struct bisect_picture *bisect_picture_new(const struct bisect_range *r);
void bisect_picture_free(struct bisect_picture *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bisect_picture, bisect_picture_free)
void bisect_picture_add(struct bisect_picture *p, const struct bisect_state *s);
char *bisect_picture_svg(const struct bisect_picture *p);

#endif
