/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probes' records, as the guest agent describes them at build time (`init --describe`). */
#ifndef KLAB_CONF_PROBES_H
#define KLAB_CONF_PROBES_H

#include "base/lab.h"

#include <jansson.h>

struct probe_knob {
	char *name, *summary;
	unsigned min, max;
};

struct probe_info {
	char *name, *summary;
	char **hazards, **kconfig, **amplify, **counters;	/* NULL-terminated, never NULL */
	GPtrArray *knobs;	/* of struct probe_knob *: its parameters */
	unsigned min_cpus, duration_s;
	bool needs_nmi;
	unsigned nmi_hz;	/* host injections a second that the probe wants */
	bool proves_engine;	/* part of the engine's proof */
	bool by_name;		/* not among all probes: kernels of today fail it, or, without
				 * hazards, it measures the lab */
};
void probe_info_free(struct probe_info *p);

/* Array of struct probe_info *, in the order of the records. */
bool probes_parse(const char *json, size_t len, GPtrArray **ret, GError **error);
/* Those whose name matches one of the globs, borrowed from `all`; without globs all but those that
 * run by name only. A glob without a match is LAB_ERROR_USAGE. */
bool probes_select(GPtrArray *all, const char *const *globs, GPtrArray **ret, GError **error);

/*
 * "PROBE.NAME=VALUE" texts (NULL: none) to a JSON object {PROBE: {NAME: VALUE}}, to be released by
 * json_decref(). Anything that no probe's record allows is LAB_ERROR_USAGE.
 */
bool probes_params_parse(GPtrArray *all, const char *const *texts, json_t **ret, GError **error);

#endif
