/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probes/hazards.yaml: what is declared about the kernel bugs that the probes look for. Validated:
 * all errors at once.
 *
 *	surveyed: "7.2"				# newest mainline branch that the entries were held
 *against hazards:
 *	  - id: nmi-user-read-deadlock
 *	    op: nmi-user-read			# the operation that it makes unsafe
 *	    summary: ...
 *	    workaround: ...			# optional; none: there is no known one
 *	    exposure: nmi-user-reads		# the probe's counter
 *	    untested_if: [WORDS, ...]		# optional: of a probe's limits, with which it is not
 *						# pressed on, so that a clean says nothing of it
 *	    needs: {kconfig: [CONFIG_X=y]}	# optional
 *	    signatures: [{kind: deadlock, frames: [f, g]}]
 *	    introduced: COMMIT			# or a list, in order
 *	    fixed: COMMIT			# or a list, in order; absent: not fixed
 *	    mainline: [RANGE, ...]		# upstream and stable releases
 *	    vendor: {debian: [RANGE, ...]}	# builds, in that vendor's version order
 *	    clean: {rhel7: all-known, rhel8: [BUILD, LO..HI]}
 *	    unknown: {rhel8: [RANGE]}		# optional: builds that nobody can speak for
 *	    sources: [{how: seen, says: ...}]	# seen | derived | measured | memory
 *	    claims: [{who: ..., says: ...}]	# what others say, right or wrong
 *
 * RANGE is "LO..HI" or "LO..LAST..HI"; base/ktb_range.h says what they mean.
 */
#ifndef KLAB_CONF_HAZARDS_H
#define KLAB_CONF_HAZARDS_H

#include "base/ktb_check.h"
#include "base/lab.h"

struct hazard_signature {
	char *kind;    /* name of a verdict's kind: "deadlock", "oops", ... */
	char **frames; /* NULL-terminated; all must occur */
};

/* A sentence and where it comes from: `from` is a source's kind of knowledge or a claim's author.
 */
struct hazard_note {
	char *from, *says;
};

struct hazard {
	char *id, *op, *summary;
	char *workaround;            /* or NULL: none is known */
	char *exposure;              /* name of the probe's counter, or NULL */
	char **untested_if;          /* NULL-terminated */
	char **kconfig;              /* "CONFIG_X=y", NULL-terminated */
	char **introduced, **fixed;  /* commits, NULL-terminated, perhaps none */
	char *needs, *fix;           /* kconfig and fixed joined by ", ", or NULL if empty */
	GPtrArray *signatures;       /* of struct hazard_signature * */
	GArray *ranges;              /* of struct ktb_range, bounds owned by the array */
	GPtrArray *sources, *claims; /* of struct hazard_note * */
	unsigned line;
};

struct hazard_set {
	GPtrArray *all; /* of struct hazard *, in file order */
	char *surveyed;
};
typedef struct hazard_set hazard_set;
void hazard_set_free(struct hazard_set *hazards);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(hazard_set, hazard_set_free)

/* Parse `text`; `name` is what errors call it. On failure the message holds every error, one a
 * line, "name:line:col: sentence", LAB_ERROR_USAGE. */
bool hazard_set_parse(const char *name, const char *text, size_t len, struct hazard_set **ret,
		      GError **error);
/* By id, or NULL. */
const struct hazard *hazard_set_find(const struct hazard_set *hazards, const char *id);

#endif
