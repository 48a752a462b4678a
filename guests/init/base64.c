// SPDX-License-Identifier: GPL-2.0-or-later
/* See base64.h. */
#include "base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i += 3, out += 4) {
		uint32_t v = in[i] << 16 | (i + 1 < len ? in[i + 1] << 8 : 0) |
			     (i + 2 < len ? in[i + 2] : 0);

		out[0] = digits[v >> 18];
		out[1] = digits[v >> 12 & 63];
		out[2] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		out[3] = i + 2 < len ? digits[v & 63] : '=';
	}
	*out = '\0';
}

/* Four digits, of which the last `pads` are '='; -1 if one is none. */
static int32_t group_value(const char *text, unsigned pads)
{
	int32_t value = 0;

	for (unsigned i = 0; i < 4; i++) {
		const char *at = i < 4 - pads ? memchr(digits, text[i], 64) : digits;

		if (!at)
			return -1;
		value = value << 6 | (at - digits);
	}
	return value;
}

int base64_decode(uint8_t *out, size_t size, const char *text)
{
	size_t len = strlen(text), n = 0;

	if (len % 4)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		unsigned pads = i + 4 < len          ? 0
				: text[i + 3] != '=' ? 0
				: text[i + 2] != '=' ? 1
						     : 2;
		int32_t value = group_value(text + i, pads);

		if (value < 0 || n + 3 - pads > size)
			return -1;
		for (unsigned b = 0; b < 3 - pads; b++)
			out[n++] = value >> (16 - 8 * b);
	}
	return n;
}
