/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How likely is it that a kernel cannot be built or booted, or crashes otherwise, before it is
 * tried? Breakage comes in spans, from the change that broke the build to the one that mended it,
 * so neighbours count, half as much every 8 changes away. That is a guess for planning alone and
 * never evidence about the culprit. Pure.
 */
#ifndef KLAB_BISECT_UNTESTABLE_H
#define KLAB_BISECT_UNTESTABLE_H

#include <stdint.h>

enum testable {
	TESTABLE_UNKNOWN,
	TESTABLE_YES,
	TESTABLE_NO,
};

/* `known` and `ret` (probabilities: 0 and 1 where it is known) have n entries in the order of
 * dag.h, where a branch's changes follow each other. */
void untestable_guess(const uint8_t *known, unsigned n, double *ret);

#endif
