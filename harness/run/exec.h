/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Execute one job: check its inputs, get the kernel's symbols, plan delays, run the session. */
#ifndef KLAB_RUN_EXEC_H
#define KLAB_RUN_EXEC_H

#include "base/progress.h"
#include "run/job.h"
#include "run/session.h"

/*
 * The journal in `dir` (spec.json is there) holds what happened, failures of the lab included; false
 * only if it could not be written, or (LAB_ERROR_NO_SPACE) if a disk is full: then it stays open. The first contact with a kernel is a short boot that sends its
 * symbols; when that boot fails, its journal is the job's.
 */
bool job_execute(const struct job *job, const char *dir, const struct progress *progress,
		 const volatile sig_atomic_t *interrupted, GError **error);

#endif
