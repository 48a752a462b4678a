// SPDX-License-Identifier: GPL-2.0-or-later
/* What git prints of a repository's commits: their subjects and files are the world's. Half of the input
 * is the list, half the names. */
#include "bisect/range.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *middle = size ? memchr(data, '\0', size) : NULL;
	size_t list = middle ? (size_t)(middle - data) : size;
	g_autoptr(history) h = NULL;
	g_autoptr(bisect_range) r = NULL, again = NULL;
	json_t *json;

	if (!history_parse((const char *)data, list, &h, NULL))
		return 0;
	history_parse_names(h, (const char *)data + list, size - list);
	h->from = g_strdup("0000000000000000000000000000000000000000");
	if (!h->n || !bisect_range_commits(h, false, NULL, &r, NULL))
		return 0;
	json = bisect_range_json(r);
	if (!bisect_range_parse(json, &again, NULL) || again->n != r->n)
		__builtin_trap();
	json_decref(json);
	return 0;
}
