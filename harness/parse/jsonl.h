/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON lines, as journals have them. Total. */
#ifndef KLAB_PARSE_JSONL_H
#define KLAB_PARSE_JSONL_H

#include <jansson.h>

/* The objects of `text` (which is modified) as an array, up to the first line that is none: only a
 * torn last line can be, and what follows a hole proves nothing. Never NULL. */
json_t *jsonl_parse(char *text);

#endif
