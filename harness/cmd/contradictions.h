/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tell on stderr where measurements and what is known do not agree: a line each. */
#ifndef KLAB_CMD_CONTRADICTIONS_H
#define KLAB_CMD_CONTRADICTIONS_H

#include "cmd/lab.h"
#include "know/know.h"

void contradictions_tell(const struct knowledge *known, const GPtrArray *measured);
/* The verdicts of this run against the declarations of the lab, and against each other. */
void contradictions_tell_run(const struct lab *lab, const struct run *r);

#endif
