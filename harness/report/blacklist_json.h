/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON twin of tracing_blacklist.h: the same knowledge, with where it comes from. Pure. */
#ifndef KLAB_REPORT_BLACKLIST_JSON_H
#define KLAB_REPORT_BLACKLIST_JSON_H

#include "know/know.h"

#include <jansson.h>

/* Raised when a reader would have to change; docs/blacklist.schema.json describes the members. */
#define BLACKLIST_SCHEMA 1

/*
 * The whole document, with its own sha256 over everything but "files" as "digest"; that digest goes
 * into the header too. `runs` (report/blacklist_evidence.h, or NULL) become its provenance. Same
 * hazards, measurements and runs, same bytes, in whatever order they come. json_decref().
 */
json_t *blacklist_json_of_runs(const struct knowledge *known, const struct hazard_set *hazards,
			       const GPtrArray *measured, const GPtrArray *runs);
/* The same without provenance of runs. */
json_t *blacklist_json(const struct knowledge *known, const struct hazard_set *hazards,
		       const GPtrArray *measured);
/* What the digest of this document must be; g_free() it. */
char *blacklist_json_compute_digest(const json_t *document);
/* Note the sha256 of what was made along with it in "files": "header", "markdown", "evidence". */
void blacklist_json_add_file(json_t *document, const char *what, const char *text);
/* Borrowed from the document. */
const char *blacklist_json_digest(const json_t *document);
/* Indented text with a newline at its end; free() it. */
char *blacklist_json_text(const json_t *document);
/* One hazard with its ranges, sources and claims; also what `klab hazards --json` lists. */
json_t *blacklist_json_hazard(const struct hazard *hazard);

#endif
