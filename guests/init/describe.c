// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the probe records as JSON: the build embeds that in the host's binaries, so that there is
 * one source for what a probe is.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

static json_t *strings(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *params_json(const struct probe_param *p)
{
	json_t *array = json_array();

	for (; p && p->name; p++)
		json_array_append_new(array, json_pack("{ss ss si si}", "name", p->name, "summary",
						       p->summary, "min", (int)p->min, "max",
						       (int)p->max));
	return array;
}

static json_t *probe_json(const struct probe *p)
{
	return json_pack("{ss ss so so so so so si si sb si sb sb}", "name", p->name, "summary", p->summary,
			 "hazards", strings(p->hazards), "kconfig", strings(p->kconfig), "amplify",
			 strings(p->amplify), "counters", strings(p->counters), "params", params_json(p->params), "min_cpus",
			 (int)(p->min_cpus ?: 1), "duration_s",
			 (int)(p->duration_s ?: PROBE_DURATION_S_DEFAULT), "needs_nmi",
			 p->needs_nmi, "nmi_hz", (int)p->nmi_hz, "proves_engine",
			 p->proves_engine, "by_name", p->by_name);
}

const struct probe *probe_find(const char *name)
{
	for (const struct probe *const *p = probe_table; *p; p++)
		if (!strcmp((*p)->name, name))
			return *p;
	return canary_find(name) ?: engine_stress_find(name);
}

int describe_main(void)
{
	json_t *all = json_array();

	for (const struct probe *const *p = probe_table; *p; p++)
		json_array_append_new(all, probe_json(*p));
	if (json_dumpf(all, stdout, JSON_INDENT(2)) || putchar('\n') == EOF || fflush(stdout))
		return 1;
	json_decref(all);
	return 0;
}
