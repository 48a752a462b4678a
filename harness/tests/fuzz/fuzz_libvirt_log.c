// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz what libvirt's hosts say: a domain's log, and addresses of QEMU's monitor. */
#include "guest/libvirt_inside.h"
#include "guest/libvirt_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autofree char *words = libvirt_log_words((const char *)data, size);
	uint64_t gpa = 0;

	if (!g_utf8_validate(words, -1, NULL) ||
	    strlen(words) > 3 * LIBVIRT_WORDS_MAX)	/* U+FFFD for each bad byte */
		abort();
	libvirt_gpa_parse(text, &gpa);
	return 0;
}
