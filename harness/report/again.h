/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tally of repetitions: how many of how many, with what title, and what that says of the rate. A
 * function of judged cells. */
#ifndef KLAB_REPORT_AGAIN_H
#define KLAB_REPORT_AGAIN_H

#include "run/run.h"

#define AGAIN_SCHEMA 1

/* `of` holds the cells (struct cell *) that `r` repeats: their repetitions are named ID.againN. A
 * line or two for each; the caller frees it. */
char *again_text(const struct run *r, const GPtrArray *of);
/* The same as an object; the caller owns it. */
json_t *again_json(const struct run *r, const GPtrArray *of);

#endif
