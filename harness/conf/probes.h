/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probes' records, as the guest agent describes them at build time (`init --describe`). */
#ifndef KLAB_CONF_PROBES_H
#define KLAB_CONF_PROBES_H

#include "base/lab.h"

struct probe_info {
	char *name, *summary;
	char **hazards, **kconfig, **amplify, **counters;	/* NULL-terminated, never NULL */
	unsigned min_cpus, duration_s;
	bool needs_nmi;
	unsigned nmi_hz;	/* host injections a second that the probe wants */
};
void probe_info_free(struct probe_info *p);

/* Array of struct probe_info *, in the order of the records. */
bool probes_parse(const char *json, size_t len, GPtrArray **ret, GError **error);
/* Those whose name matches one of the globs (NULL or empty: all), borrowed from `all`; a glob without
 * a match is LAB_ERROR_USAGE. */
bool probes_select(GPtrArray *all, const char *const *globs, GPtrArray **ret, GError **error);

#endif
