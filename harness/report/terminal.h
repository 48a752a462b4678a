/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person sees of a run: a line a cell as it ends, then a summary. Text only; cmd/ prints. */
#ifndef KLAB_REPORT_TERMINAL_H
#define KLAB_REPORT_TERMINAL_H

#include "run/run.h"

/* How a verdict looks: a sign of its own, and an ANSI colour. */
const char *terminal_sign(enum verdict_value value);
const char *terminal_color(enum verdict_value value);
/* One line, no newline: symbol, kernel, probe, verdict, why, and a note if it was to be amplified and
 * was not. `color`: ANSI colours (never alone). */
char *terminal_cell_line(const struct cell *cell, bool color);
/* Details of what failed, unavailable kernels, the totals. Ends with a newline. */
char *terminal_summary(const struct run *r, bool color);
/* Append lines of text, indented, those longer than 100 columns wrapped at spaces. */
void terminal_add_wrapped(GString *out, const char *text, unsigned indent);

#endif
