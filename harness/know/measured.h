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
	double confidence, p_missed; /* NAN: not stated; clean without p_missed is uncalibrated */
	char **journals; /* folders of its jobs, as the result names them, NULL-terminated */
	char **digests;  /* sha256 of those journals where given, NULL-terminated */
};
void measured_free(struct measured *m);

/* The operation that a probe exercises: that of its first known hazard, or else its own name. */
const char *measured_op(const char *probe, const GPtrArray *probes,
			const struct hazard_set *hazards);

/*
 * Append a result's affected and clean cells to `out` (struct measured *); other verdicts are no
 * evidence. `name` is what errors call the file, `probes` are struct probe_info *. LAB_ERROR_INPUT:
 * it is no result of schema 1.
 */
bool measured_read(const char *name, const char *json, size_t len, const GPtrArray *probes,
		   const struct hazard_set *hazards, GPtrArray *out, GError **error);

#endif
