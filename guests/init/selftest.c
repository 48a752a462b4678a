// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks of the agent that need no guest, run on the build host as `init --selftest`.
 */
#include "init.h"

#include <stdio.h>

/* What looks for no hazard measures the lab, and runs by name only. */
static bool has_a_purpose(const struct probe *p)
{
	return (p->hazards && p->hazards[0]) || p->by_name;
}

static bool test_probes_whole(void)
{
	for (const struct probe *const *p = probe_table; *p; p++) {
		int counters = 0;

		while ((*p)->counters && (*p)->counters[counters])
			counters++;
		if (!(*p)->name || !(*p)->summary || !has_a_purpose(*p) || !counters ||
		    counters > WIRE_COUNTERS_MAX || probe_find((*p)->name) != *p ||
		    (*p)->needs_nmi != ((*p)->nmi_hz > 0))
			return false;
	}
	return probe_table[0] != NULL;
}

static const struct selftest selftest_probes[] = {
	{ "probes_whole", test_probes_whole },
	{ NULL, NULL },
};

static const struct selftest *const groups[] = { selftest_probes, selftest_wire, selftest_runner };

int selftest_main(void)
{
	unsigned n = 0, failed = 0;

	printf("KTAP version 1\n");
	for (unsigned g = 0; g < sizeof(groups) / sizeof(*groups); g++) {
		for (const struct selftest *t = groups[g]; t->name; t++) {
			bool ok = t->run();

			failed += !ok;
			printf("%s %u %s\n", ok ? "ok" : "not ok", ++n, t->name);
		}
	}
	printf("1..%u\n", n);
	return failed ? 1 : 0;
}
