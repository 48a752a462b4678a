/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which known hazard do these symptoms belong to? Pure. */
#ifndef KLAB_JUDGE_SIGNATURE_H
#define KLAB_JUDGE_SIGNATURE_H

#include "judge/judge.h"

/*
 * The id of the first hazard with a signature that fits: its kind (a deadlock may also show as a
 * lockup, a stall or a hung task; an oops as a panic), and each frame as a whole word in the title,
 * in the console from `console_from` on, or in a vCPU's stack. NULL: a new candidate.
 */
const char *signature_match(const struct evidence *ev, const struct judge_params *params,
			    const struct verdict *verdict, size_t console_from);

#endif
