// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz the texts of /proc and of control groups that tell of a host's load. */
#include "run/host.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	const struct host_texts texts = { text, text, text, 100 };
	struct host_load load = { 0 };
	json_t *a, *b, *sum;

	host_load_parse(&texts, &load);
	if (load.busy_ms < -1 || load.idle_ms < -1 || load.steal_ms < -1 || !isfinite(load.load1))
		abort();
	load.cpu_limit = host_limit_parse(text, NULL);
	a = host_load_json(&load);
	b = json_loads(text, 0, NULL);
	sum = host_summary(a, b);
	if (sum && !(host_taken(sum) >= 0 && host_taken(sum) <= 1))
		abort();
	json_decref(sum);
	json_decref(b);
	json_decref(a);
	return 0;
}
