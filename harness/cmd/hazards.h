/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Load hazard declarations, and other files that the user named, for a command. */
#ifndef KLAB_CMD_HAZARDS_H
#define KLAB_CMD_HAZARDS_H

#include "conf/hazards.h"

/* As fs_read(), but a file that is not there is LAB_ERROR_USAGE: the user named it. */
bool cmd_read_named(const char *file, size_t max, char **ret_data, size_t *ret_len, GError **error);
/* From `file`, or the shipped ones if it is NULL. */
bool cmd_load_hazards(const char *file, struct hazard_set **ret, GError **error);

#endif
