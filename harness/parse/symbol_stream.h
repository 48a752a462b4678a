/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols as a guest sends them: "symbols" records of deflated text in base64, the last one ".". */
#ifndef KLAB_PARSE_SYMBOL_STREAM_H
#define KLAB_PARSE_SYMBOL_STREAM_H

#include <glib.h>
#include <stdbool.h>

/* Returns true at the stream's end. What makes it longer than SYMBOLS_TEXT_MAX is dropped. */
bool symbol_stream_add(GString *deflated, const char *payload);
/* The text, or NULL if the stream is not whole; ends at SYMBOLS_TEXT_MAX, however little was sent for
 * it. The caller frees it. */
char *symbol_stream_text(const GString *deflated);

#endif
