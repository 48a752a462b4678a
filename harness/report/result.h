/* SPDX-License-Identifier: GPL-2.0-or-later */
/* result.json: a run's verdicts with their evidence, schema 1. Same journals, same bytes. */
#ifndef KLAB_REPORT_RESULT_H
#define KLAB_REPORT_RESULT_H

#include "run/run.h"

#define RESULT_SCHEMA 1

/* The whole document; the caller owns it. Cells that are not done are left out. */
json_t *result_json(const struct run *r);
/* Its bytes, newline included; the caller frees them. */
char *result_text(const struct run *r);
/* Counts by verdict of the cells that are done. */
void result_count(const struct run *r, unsigned ret_counts[VERDICT__COUNT]);
/* Write DIR/result.json. */
bool result_save(const struct run *r, GError **error);

#endif
