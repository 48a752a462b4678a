/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A JSON twin read back into what klab looks kernels up in. Pure. */
#ifndef KLAB_REPORT_BLACKLIST_TWIN_H
#define KLAB_REPORT_BLACKLIST_TWIN_H

#include "know/know.h"

#include <jansson.h>

struct blacklist_twin {
	struct hazard_set *hazards;
	GPtrArray *measured; /* of struct measured * */
	struct knowledge *known;
};
void blacklist_twin_clear(struct blacklist_twin *twin);
/* LAB_ERROR_INPUT: no twin, or one of a schema that is not ours. */
bool blacklist_twin_read(const json_t *document, struct blacklist_twin *ret, GError **error);

#endif
