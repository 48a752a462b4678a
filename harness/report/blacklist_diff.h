/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changed from one JSON twin to another, for release notes. Both are asked about the same
 * kernels: those that either measured, and those at the ends of either's ranges. Pure.
 */
#ifndef KLAB_REPORT_BLACKLIST_DIFF_H
#define KLAB_REPORT_BLACKLIST_DIFF_H

#include "base/lab.h"

#include <jansson.h>

/*
 * {"schema":1, "same", "old", "new" (digests), "ops", "hazards", "answers", "contradictions", ...},
 * see docs/blacklist.md; json_decref(). LAB_ERROR_INPUT, prefixed "old" or "new": that is no JSON
 * twin that this klab can read.
 */
json_t *blacklist_diff(const json_t *old, const json_t *new, GError **error);
bool blacklist_diff_is_same(const json_t *diff);
/* The same for people. Caller frees. */
char *blacklist_diff_markdown(const json_t *diff);

#endif
