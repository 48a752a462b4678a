/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts of runs as evidence on builds: read from result.json. Pure. */
#ifndef KLAB_KNOW_MEASURED_H
#define KLAB_KNOW_MEASURED_H

#include "base/lab.h"
#include "conf/hazards.h"
#include "conf/probes.h"

#define MEASURED_RESULT_MAX (64u << 20) /* bytes of a result.json */

struct measured {
	char *kernel;                            /* id in its run */
	char *release, *version;                 /* "" if the result does not say */
	char *vendor, *package_version, *sha256; /* or NULL */
	char *probe, *op;
	bool affected;               /* else clean */
	char *kind, *title;          /* of a failure, or NULL */
	char *hazard;                /* whose signature the failure matched, or NULL */
	bool reachable;              /* affected, and all jobs that failed had injected delays */
	double confidence, p_missed; /* NAN: not stated; clean without p_missed is uncalibrated */
	char **journals; /* folders of its jobs, as the result names them, NULL-terminated */
	char **digests;  /* sha256 of those journals where given, NULL-terminated */
	char **limits;   /* what the probe could not do there, NULL-terminated, or NULL */
	bool untold;     /* affected, and nothing tells which of the probe's operations failed */
};
void measured_free(struct measured *m);

/*
 * The operations that a verdict of `probe` speaks of (borrowed strings; perhaps none):
 *
 * - affected, and looks like a hazard: that hazard's operation; if another probe counts that
 * hazard's exposure, also those that this probe presses on;
 * - affected, and looks like none: those of all the probe's hazards, *ret_untold if that is
 * several;
 * - clean: those of its hazards that it presses on.
 *
 * A probe presses on an operation if its first counter is the `exposure` of each hazard of that
 * operation, and none of the cell's limits holds words of the hazard's `untested_if`. So a clean of
 * a weaker probe is no evidence on what only a stronger one presses on. A probe without a hazard
 * that is known here stands for an operation of its own name.
 */
GPtrArray *measured_ops(const struct measured *m, const struct probe_info *probe,
			const struct hazard_set *hazards, bool *ret_untold);

/*
 * Append a result's affected and clean cells to `out`, a struct measured * for each operation that
 * they speak of; other verdicts are no evidence. `name` is what errors call the file, `probes` are
 * struct probe_info *. LAB_ERROR_INPUT: it is no result of schema 1.
 */
bool measured_read(const char *name, const char *json, size_t len, const GPtrArray *probes,
		   const struct hazard_set *hazards, GPtrArray *out, GError **error);

#endif
