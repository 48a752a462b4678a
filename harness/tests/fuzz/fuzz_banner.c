// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a decoded kernel and as a note section: however they are cut, the banner is the
 * same. */
#include "kernel/banner.h"
#include "kernel/import_read.h"

#include <string.h>

static char *scan(const uint8_t *data, size_t len, size_t step)
{
	g_autoptr(GByteArray) kept = g_byte_array_new();
	struct banner_scan s = { .kept = kept };

	for (size_t at = 0; at < len; at += step) {
		banner_scan_feed(&s, data + at, MIN(step, len - at));
		if (kept->len > BANNER_MAX + step)
			abort();
	}
	banner_scan_end(&s);
	return s.banner;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autofree char *whole = scan(data, len, MAX(len, 1)), *cut = scan(data, len, 7);
	g_autofree char *compiler = NULL, *text = g_strndup((const char *)data, len);

	if (g_strcmp0(whole, cut))
		abort();
	compiler = banner_compiler(whole ? whole : text);
	banner_fits(text, "6.1.0", "#1 SMP");
	import_note_is_pvh(data, len);
	return 0;
}
