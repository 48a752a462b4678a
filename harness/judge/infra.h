/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of what kind is a failure of the lab? Stable names for reports. Pure. */
#ifndef KLAB_JUDGE_INFRA_H
#define KLAB_JUDGE_INFRA_H

#include "judge/judge.h"

/* A boot that came to nothing while others had more than this share of the host was starved. */
#define INFRA_HOST_TAKEN 0.5

/* Fill in v->infra of a job's finished verdict, unless the judge knew better, and say in its reason
 * when the host was starved. Verdicts other than infra have INFRA_NONE. */
void infra_settle(const struct evidence *ev, struct verdict *v);

#endif
