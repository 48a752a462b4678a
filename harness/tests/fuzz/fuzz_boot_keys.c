// SPDX-License-Identifier: GPL-2.0-or-later
/* Any typed bytes: never more out than in, and however they are cut, the same. */
#include "run/boot_keys.h"

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t feed(const uint8_t *data, size_t len, size_t step, char *out)
{
	struct boot_keys keys = { 0 };
	size_t sum = 0, n;

	for (size_t at = 0; at < len; at += step) {
		enum boot_key key = boot_keys_feed(&keys, (const char *)data + at,
						   MIN(step, len - at), out + sum, &n);

		if (n > MIN(step, len - at) + 1)
			abort();
		sum += n;
		if (key == BOOT_KEY_LEAVE)
			break;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autofree char *whole = g_malloc(len + 1), *cut = g_malloc(len + 1);
	size_t n = feed(data, len, MAX(len, 1), whole);

	if (n > len || feed(data, len, 1, cut) != n || memcmp(whole, cut, n))
		abort();
	return 0;
}
