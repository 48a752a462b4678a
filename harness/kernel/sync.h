/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What came out since the last look: the indexes that a catalogue's rows read, each once, and which
 * builds of kernels they have that no earlier sync saw.
 *
 *	sync_read(matrix, specs, progress, &sync, error)	looks; nothing is written
 *	... tell sync->builds, sync->indexes, sync->watches ...
 *	sync_record(sync, error)				from now on these are known
 *
 * A family is watched for all packages that its `package` would take in, another row for the newest
 * build that its package leads to. What was seen is kept for each of these, below the user's state
 * folder "klab/sync"; a watch, or an index of it, that is looked at for the first time has no news.
 */
#ifndef KLAB_KERNEL_SYNC_H
#define KLAB_KERNEL_SYNC_H

#include "kernel/sync_index.h"

struct sync_build {
	char *id;           /* what -k calls it, once it is added; NULL: that is no good id */
	char *entry;        /* the family or kernel that it belongs to */
	const char *source; /* "apt", "deb", "rpm" */
	char *index;        /* "bookworm-security", "jammy-updates of http://..." */
	char *package, *version;
	char *seen;              /* when it was seen first, ISO 8601 */
	bool is_new;             /* by this sync */
	bool is_named;           /* the catalogue has it, under that id */
	struct kernel_spec *row; /* that would name it; NULL: it has one, or cannot have one */
};

struct sync_watch {
	const struct kernel_spec *spec;
	const struct matrix_family *family; /* or NULL: the newest of spec->package */
	GPtrArray *indexes;                 /* of struct sync_index *, borrowed */
	char *name;                         /* "linux-image-{version}-generic in jammy of ..." */
	GHashTable *known;                  /* "PACKAGE VERSION" -> when it was seen first */
	GHashTable *places;                 /* names of indexes that were looked at */
	char *since;                        /* the last sync, ISO 8601; NULL: this is the first */
	char *note;                         /* what is wrong with its state, or NULL */
	unsigned n_builds, n_new;
};

struct sync_report {
	GPtrArray *indexes; /* of struct sync_index * */
	GPtrArray *watches; /* of struct sync_watch * */
	GPtrArray *builds;  /* of struct sync_build *, in the order of the rows and of versions */
	char *now;          /* ISO 8601 */
};
typedef struct sync_report sync_report;
void sync_report_free(struct sync_report *sync);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sync_report, sync_report_free)

/*
 * `specs` (of struct kernel_spec *) are rows of `m`; those that no index is read for are passed
 * over. LAB_ERROR_USAGE: that is all of them. Indexes that could not be read have a reason. Runs
 * children: main thread only.
 */
bool sync_read(const struct matrix *m, GPtrArray *specs, const struct progress *progress,
	       struct sync_report **ret, GError **error);
/* Remember what was seen. A kill -9 leaves what was remembered before, of each watch. */
bool sync_record(const struct sync_report *sync, GError **error);
/* Held from before sync_read() until it is recorded; -1: an error. */
int sync_lock(const struct progress *progress, GError **error);

/* ---- the state of a watch; pure ---- */

/* Into watch->known, ->places and ->since. LAB_ERROR_INPUT: damaged; then nothing was taken. */
bool sync_state_parse(struct sync_watch *watch, const char *text, size_t len, GError **error);
/* The caller frees. */
char *sync_state_text(const struct sync_watch *watch, const char *now);

#endif
