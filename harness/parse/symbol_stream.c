// SPDX-License-Identifier: GPL-2.0-or-later
/* See symbol_stream.h. */
#include "parse/symbol_stream.h"

#include "parse/symbols.h"

#include <string.h>
#include <zlib.h>

bool symbol_stream_add(GString *deflated, const char *payload)
{
	g_autofree guchar *bytes = NULL;
	gsize len;

	if (strcmp(payload, ".") == 0)
		return true;
	bytes = g_base64_decode(payload, &len);
	if (deflated->len + len <= SYMBOLS_TEXT_MAX)
		g_string_append_len(deflated, (char *)bytes, len);
	return false;
}

char *symbol_stream_text(const GString *deflated)
{
	z_stream z = { .next_in = (Bytef *)deflated->str, .avail_in = deflated->len };
	GString *out = g_string_new(NULL);
	char buf[65536];
	int rc = inflateInit(&z);

	while (rc == Z_OK && out->len < SYMBOLS_TEXT_MAX) {
		z.next_out = (Bytef *)buf;
		z.avail_out = sizeof(buf);
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_OK || rc == Z_STREAM_END)
			g_string_append_len(out, buf, sizeof(buf) - z.avail_out);
	}
	inflateEnd(&z);
	return g_string_free(out, rc != Z_STREAM_END);
}
