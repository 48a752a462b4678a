/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The build ids that a stack of this process may tell. */
#ifndef KLAB_PROBE_BUILD_ID_H
#define KLAB_PROBE_BUILD_ID_H

#include <stdbool.h>

#define BUILD_ID_SIZE 20

/* Is it this program's or the vDSO's? Yes, too, where the program has none. From one thread. */
bool build_id_is_ours(const unsigned char id[BUILD_ID_SIZE]);

#endif
