/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bisection tells besides its answer: whether the answer was checked and held, whether the change
 * is in the image at all, what the failure pointed at, where the ends parted. Pure.
 */
#ifndef KLAB_REPORT_BISECT_NOTES_H
#define KLAB_REPORT_BISECT_NOTES_H

#include "bisect/state.h"

/* Append lines, each with its newline. */
void bisect_notes_add(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step);
/* Add the same to the object `doc`: "verify", "images", "suspected", "beside". */
void bisect_notes_json(json_t *doc, const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step);
/* "  52  verify    1a2b3c4d5e6f without 5d6e7f809a1b  survived | 3 more". The caller frees. */
char *bisect_verify_line(const struct bisect_range *r, const struct bisect_state *s, unsigned test);

#endif
