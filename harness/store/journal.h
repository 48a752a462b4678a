/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job's folder: the truth about what happened. Verdicts are functions of it.
 *
 *	spec.json	what was to be done, every input named by sha256 (written first)
 *	journal.jsonl	one JSON object a line: {"t":US,"ev":NAME,...}; the first is "open" and says
 *			infra/unfinished, which only a later "end" overrules
 *	console.log	raw bytes of ttyS0	\
 *	wire.log	raw bytes of ttyS1	 > "chunk" events say when how many bytes came
 *	status.bin	status pages as read	/
 *	delays.log	the amplifier's delays, if there were any (run/amplifier.h): a stream, too
 *
 * Append only; records that matter are fsynced before the next step is taken, and all streams before
 * the "end". A torn last line (kill -9) is dropped by the reader. A journal that could not take one
 * record takes no more: what is there is a prefix of what happened, never a selection. One whose
 * streams are shorter than its events say (a crash of the host) is not finished.
 */
#ifndef KLAB_STORE_JOURNAL_H
#define KLAB_STORE_JOURNAL_H

#include "base/lab.h"

#include <jansson.h>

#define JOURNAL_CONSOLE_MAX (16u << 20)
#define JOURNAL_WIRE_MAX (64u << 20)
#define JOURNAL_STATUS_MAX (16u << 20)
#define JOURNAL_DELAYS_MAX (16u << 20)
#define JOURNAL_EVENTS_MAX (64u << 20)

enum journal_stream { STREAM_CONSOLE, STREAM_WIRE, STREAM_STATUS, STREAM_DELAYS, STREAM__COUNT };

struct journal;
typedef struct journal journal;
void journal_free(struct journal *j);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journal, journal_free)

/* Start a job's journal in the existing folder `dir` (spec.json is there): whatever an unfinished
 * attempt left is removed, the "open" record is written and synced. */
bool journal_create(const char *dir, struct journal **ret, GError **error);
/* Append {"t":at_us,"ev":ev,...fields}; `fields` (may be NULL) is consumed. Synced if `sync`. */
bool journal_event(struct journal *j, int64_t at_us, const char *ev, json_t *fields, bool sync,
		   GError **error);
/* Append raw bytes and their "chunk" event; `fields` (may be NULL, consumed) goes into the event.
 * Beyond the stream's limit bytes are dropped and counted ("dropped" in the next event). */
bool journal_stream(struct journal *j, int64_t at_us, enum journal_stream stream, const void *data,
		    size_t len, json_t *fields, GError **error);

/* A journal read back. */
struct journal_view {
	json_t *spec;		/* object */
	json_t *events;		/* array of objects, in order */
	char *data[STREAM__COUNT];	/* NUL-terminated */
	size_t len[STREAM__COUNT];
	char *digest;		/* sha256 over all of it: equal journals, equal digests */
	bool finished;		/* has an "end" record, that is not "interrupted", and is not torn */
	bool torn;		/* bytes are missing that the events tell of: nothing can be judged */
};
typedef struct journal_view journal_view;
void journal_view_free(struct journal_view *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journal_view, journal_view_free)

bool journal_load(const char *dir, struct journal_view **ret, GError **error);
/* Does the folder hold a finished journal? Reads its events alone. */
bool journal_is_finished(const char *dir);

#endif
