/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which cell does the user mean? What explain and again share. */
#ifndef KLAB_CMD_PICK_H
#define KLAB_CMD_PICK_H

#include "cmd/lab.h"
#include "run/run.h"

/* Load a run and judge all its cells by the journals that are there. LAB_ERROR_USAGE: no run. */
bool pick_load(struct lab *lab, const char *dir, struct run **ret, GError **error);
/* Judge the cells of a run that is loaded. */
bool pick_judge(struct lab *lab, struct run *r, GError **error);
/* The run below results/ that was started last; LAB_ERROR_USAGE if there is none. */
char *pick_newest_run(GError **error);
/* The cell whose id is `name`, or the only one that the glob or part of an id fits; else
 * LAB_ERROR_USAGE, with the ones that fit or the one that is nearest. */
struct cell *pick_cell(const struct run *r, const char *name, GError **error);

#endif
