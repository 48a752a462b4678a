// SPDX-License-Identifier: GPL-2.0-or-later
/* See boot_keys.h. */
#include "run/boot_keys.h"

#include <glib.h>

#define CTRL_A '\001'

enum boot_key boot_keys_feed(struct boot_keys *keys, const char *typed, size_t len, char *out,
			     size_t *ret_len)
{
	enum boot_key key = BOOT_KEY_NONE;

	*ret_len = 0;
	for (size_t i = 0; i < len; i++) {
		char c = g_ascii_tolower(typed[i]);

		if (!keys->escaped && c == CTRL_A) {
			keys->escaped = true;
			continue;
		}
		if (!keys->escaped)
			out[(*ret_len)++] = typed[i];
		else if (c == 'x')
			return BOOT_KEY_LEAVE;
		else if (c == 'h' || c == '?')
			key = BOOT_KEY_HELP;
		else if (c == 'a' || c == CTRL_A)
			out[(*ret_len)++] = CTRL_A;
		keys->escaped = false;
	}
	return key;
}
