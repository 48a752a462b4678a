// SPDX-License-Identifier: GPL-2.0-or-later
/* Any lines: no crash, bounded results, counts that add up. */
#include "parse/ktap.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size;
	struct ktap k;

	ktap_init(&k);
	while (p < end) {
		const char *nl = memchr(p, '\n', end - p);
		const char *stop = nl ? nl : end;

		ktap_line(&k, p, stop - p);
		p = stop + (nl != NULL);
	}
	ktap_finish(&k);
	g_assert(k.cases->len <= KTAP_CASES_MAX);
	for (unsigned i = 0; i < k.cases->len; i++) {
		const struct ktap_case *kc = &g_array_index(k.cases, struct ktap_case, i);

		g_assert(kc->name && *kc->name && kc->depth < KTAP_DEPTH_MAX);
	}
	if (ktap_is_ok(&k))
		g_assert(!k.counts[KTAP_FAIL] && !k.missing && !k.bailed);
	ktap_clear(&k);
	return 0;
}
