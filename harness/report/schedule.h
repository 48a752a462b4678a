/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What delays (amplify/) mean for a verdict, in words that all reports share. */
#ifndef KLAB_REPORT_SCHEDULE_H
#define KLAB_REPORT_SCHEDULE_H

#include "run/run.h"

/* A sentence without a full stop, for people who wonder whether a delayed failure counts. */
extern const char schedule_reachable_words[];

/* Of an affected cell: "plain" if some job failed without delays, "reachable" if all that failed had
 * delays; else NULL. */
const char *schedule_of(const struct cell *cell);
/* Why the cell's first job that was to be amplified was not, or NULL; one line. The caller frees. */
char *schedule_unamplified(const struct cell *cell);
/* How one job was amplified: "delays (auto) in f g: 812 delays, 0.3 s in all". The caller frees. */
char *schedule_of_job(const struct outcome *o);

#endif
