/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON twin of tracing_blacklist.h: the same knowledge, with where it comes from. Pure. */
#ifndef KLAB_REPORT_BLACKLIST_JSON_H
#define KLAB_REPORT_BLACKLIST_JSON_H

#include "know/know.h"

#include <jansson.h>

/*
 * The whole document (schema 1), with its own sha256 over everything else as "digest"; that digest
 * goes into the header too. Same hazards and measurements, same bytes, in whatever order the
 * measurements come. json_decref().
 */
json_t *blacklist_json(const struct knowledge *known, const struct hazard_set *hazards,
		       const GPtrArray *measured);
/* Borrowed from the document. */
const char *blacklist_json_digest(const json_t *document);
/* Indented text with a newline at its end; free() it. */
char *blacklist_json_text(const json_t *document);
/* One hazard with its ranges, sources and claims; also what `klab hazards --json` lists. */
json_t *blacklist_json_hazard(const struct hazard *hazard);

#endif
