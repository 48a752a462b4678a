/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reports on blacklists share: ranges in words, their sources, kernels of builds. Pure. */
#ifndef KLAB_REPORT_BLACKLIST_TEXT_H
#define KLAB_REPORT_BLACKLIST_TEXT_H

#include "base/ktb_check.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* A member's text, "" if there is none. */
const char *blacklist_text_of(const json_t *object, const char *key);
/* Text as it can stand in Markdown, also in a table's cell. */
void blacklist_append_escaped(GString *out, const char *text);
/* The builds of one of a hazard's "ranges", in words: "5.19.6-1 until before 6.1.37-1". */
void blacklist_append_builds(GString *out, const json_t *range);
/* "affected", "clean" or "unknown". */
const char *blacklist_range_answer(const json_t *range);
/* Does a source's sentence name a bound of the range? */
bool blacklist_is_about(const char *says, const json_t *range);
/* "affected (declared)"; "unknown" where there is no evidence. */
char *blacklist_answer_text(const char *value, const char *evidence);

/*
 * The kernel that a range's bound speaks of, as if it ran: of "X.Y-eol" the first of branch X.Y.
 * False for "unknown", and for what is no version.
 */
bool blacklist_kernel_of_bound(const char *vendor, const char *bound, struct ktb_kernel *ret);

#endif
