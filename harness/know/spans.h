/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two measured builds say of those between them (struct ktb_span). Two neighbours among the
 * measured builds of one series (ktb_same_series) make a span where they agree and no declared
 * boundary lies between them: where a range of affected or of clean builds begins or ends; for a
 * clean span also where declarations stop to know. Nothing is concluded for vendors whose builds
 * are several series by one name. Pure.
 */
#ifndef KLAB_KNOW_SPANS_H
#define KLAB_KNOW_SPANS_H

#include "base/ktb_check.h"
#include "base/lab.h"

/* One verdict on one operation, in the form of the table and with the kernel that it is about. */
struct seen {
	struct ktb_measured m;
	double p_missed; /* NAN: not stated */
	struct ktb_kernel kernel;
};

/* Array of struct ktb_span in the order of the table, borrowing the texts of `all` (of struct seen;
 * in whatever order) but for positions, which are put into `text`. */
GArray *spans_make(const struct ktb_table *table, const GArray *all, GStringChunk *text);

#endif
