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
/* The job that carries the cell's verdict: the first that says the same, else the last; NULL without
 * jobs. */
const struct outcome *result_decisive(const struct cell *cell);
/* How many jobs say what the cell says. */
unsigned result_hits(const struct cell *cell);
/* Where its guests ran, as planned; NULL: here, without libvirt. Borrowed. */
const struct job_host *result_host(const struct run *r);
/* Write DIR/result.json. */
bool result_save(const struct run *r, GError **error);

#endif
