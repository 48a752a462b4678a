/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the blacklist answers as it does: the interval that decided and who says so, what was
 * measured there and nearby, what a later build of that series would be told, what would change the
 * answer. Gathered as JSON (docs/blacklist.md), rendered from that for people. Pure.
 */
#ifndef KLAB_REPORT_BLACKLIST_EXPLAIN_H
#define KLAB_REPORT_BLACKLIST_EXPLAIN_H

#include "know/know.h"

#include <jansson.h>

struct blacklist_question {
	const struct knowledge *known;
	const struct hazard_set *hazards;
	const GPtrArray *measured; /* of struct measured * */
	const GPtrArray *probes;   /* of struct probe_info * */
};

/* One operation on one kernel. `only`: tell of this hazard alone, or NULL. json_decref(). */
json_t *blacklist_explain_op(const struct blacklist_question *q, const struct ktb_kernel *kernel,
			     const char *op, const struct hazard *only);
void blacklist_explain_op_text(GString *out, const json_t *explanation);

/* A hazard on all kernels: where it begins and ends, who says so, what was measured. */
json_t *blacklist_explain_hazard(const struct blacklist_question *q, const struct hazard *hazard);
void blacklist_explain_hazard_text(GString *out, const json_t *explanation);

#endif
