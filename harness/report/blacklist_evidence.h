/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a blacklist was made of, small enough to be committed: of each run's result.json what
 * verdicts, kernels and their provenance say, and the digests of the journals, but no host, console
 * or path outside of the run. Pure.
 *
 *	g_autoptr(GPtrArray) runs = blacklist_evidence_new();
 *	blacklist_evidence_add(runs, "result.json", text, len, &error);	// or such a file again
 *	g_autofree char *file = blacklist_evidence_text(runs);
 *
 * Each run is itself a result of schema 1, which measured_read() takes.
 */
#ifndef KLAB_REPORT_BLACKLIST_EVIDENCE_H
#define KLAB_REPORT_BLACKLIST_EVIDENCE_H

#include "base/lab.h"

#include <jansson.h>

/* No runs yet; of json_t *. */
GPtrArray *blacklist_evidence_new(void);
/* Add the run of a result.json, or all runs of an evidence file; one that is there already is
 * dropped. The order of the runs is that of their texts. LAB_ERROR_INPUT: it is neither. */
bool blacklist_evidence_add(GPtrArray *runs, const char *name, const char *text, size_t len,
			    GError **error);
/* The evidence file: same runs, same bytes. */
char *blacklist_evidence_text(const GPtrArray *runs);
/* One run as the text of a result.json. */
char *blacklist_evidence_run_text(const json_t *run);

#endif
