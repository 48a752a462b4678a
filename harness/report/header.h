/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracing_blacklist.h: what is known, as one self-contained C header for products. Pure. */
#ifndef KLAB_REPORT_HEADER_H
#define KLAB_REPORT_HEADER_H

#include "know/know.h"

/* Version of the header's interface: raised when a product's source would have to change. */
#define HEADER_API 1

/*
 * The header's text, NUL-terminated; `digest` is the evidence's sha256 (64 hex digits). Same
 * knowledge and digest, same bytes. Caller frees.
 */
char *header_render(const struct knowledge *known, const char *digest);

#endif
