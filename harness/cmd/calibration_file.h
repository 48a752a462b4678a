/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where calibrations lie: this machine's own below XDG_DATA_HOME, those that klab ships in a file.
 */
#ifndef KLAB_CMD_CALIBRATION_FILE_H
#define KLAB_CMD_CALIBRATION_FILE_H

#include "stats/calibration.h"

/* XDG_DATA_HOME/klab/calibration.json; the caller owns the string. */
char *calibration_file_local(void);
/* Read one; an absent file is an empty calibration, a damaged one an error that names it. */
bool calibration_file_load(const char *path, bool shipped, struct calibration **ret,
			   GError **error);
/* Put `found` over what the file has, under a lock; creates file and folder. */
bool calibration_file_update(const char *path, const struct calibration *found, GError **error);

#endif
