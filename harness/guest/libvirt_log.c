// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's lines in a domain's log. See libvirt_log.h. */
#include "guest/libvirt_log.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* "2026-01-31T12:34:56.123456Z " or libvirt's "2026-01-31 12:34:56.123+0000: ": the length, or 0. */
static size_t stamp_len(const char *line, size_t len, char separator)
{
	static const char digits[] = "dddd-dd-dd?dd:dd:dd.";
	size_t at = strlen(digits);
	const char *end = len > at ? memchr(line, ' ', len) : NULL;

	for (size_t i = 0; i < MIN(at, len); i++)
		if (digits[i] == 'd' ? !g_ascii_isdigit(line[i]) :
				       digits[i] != '?' && line[i] != digits[i])
			return 0;
	if (len <= at || line[10] != separator)
		return 0;
	if (separator == ' ')
		end = memchr(line + at, ' ', len - at);
	return end ? (size_t)(end - line) + 1 : len;
}

/* QEMU's stamps have a 'T'; a library below it says things without any. */
static bool is_libvirts(const char *line, size_t len)
{
	return stamp_len(line, len, ' ') || !len || line[len - 1] == '\\' ||
	       (len > 12 && memcmp(line, "char device ", 12) == 0);
}

static void take_line(GString *words, const char *line, size_t len, bool *command)
{
	size_t stamp = stamp_len(line, len, 'T');
	bool libvirts = is_libvirts(line, len);

	/* the command line is one logical line: its last part has no backslash */
	if (stamp_len(line, len, ' ') && memmem(line, len, "starting up", 11)) {
		g_string_truncate(words, 0);
		*command = true;
	} else if (*command) {
		*command = line[len ? len - 1 : 0] == '\\';
	} else if (!libvirts && words->len + len < LIBVIRT_WORDS_MAX) {
		g_string_append_len(words, line + stamp, len - stamp);
		g_string_append_c(words, '\n');
	}
}

char *libvirt_log_words(const char *log, size_t len)
{
	GString *words = g_string_new(NULL);
	size_t skip = len > LIBVIRT_LOG_MAX ? len - LIBVIRT_LOG_MAX : 0;
	const char *at = log + skip, *end = log + len;
	bool command = false;
	char *ret;

	while (at < end) {
		const char *eol = memchr(at, '\n', end - at) ?: end;

		take_line(words, at, eol - at, &command);
		at = eol + (eol < end);
	}
	ret = g_utf8_make_valid(words->str, words->len);
	g_string_free(words, TRUE);
	return ret;
}
