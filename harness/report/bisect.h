/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bisection told: a line a test, where it stands, the report in Markdown, the posterior after each
 * test as SVG. Pure.
 */
#ifndef KLAB_REPORT_BISECT_H
#define KLAB_REPORT_BISECT_H

#include "bisect/state.h"

/* "  12  1a2b3c4d5e6f  failed after 0.3 s: oops: ... | 41 % 9f8e7d6c5b4a, 12 suspects". The caller
 * frees, here and below. */
char *bisect_test_line(const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step, unsigned test);

/* Where it stands, or the answer, for a terminal. `step` is bisect_state_next()'s. */
char *bisect_text(const struct bisect_range *r, const struct bisect_state *s,
		  const struct bisect_step *step);
/* The same as JSON, with the evidence by kernel and the credible set. */
json_t *bisect_json(const struct bisect_range *r, const struct bisect_state *s,
		    const struct bisect_step *step);
/* The report; `svg` is the name of the picture, `title` what was asked ("text-poke between v6.1.1 and
 * v6.1.9"), both plain text. */
char *bisect_markdown(const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step, const char *title, const char *svg);

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
