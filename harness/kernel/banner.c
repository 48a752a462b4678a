// SPDX-License-Identifier: GPL-2.0-or-later
/* See banner.h. init/version.c has the format: it is the same from 2.6 to 7.x. */
#include "kernel/banner.h"

#include <string.h>

#define MARK "Linux version "
#define MARK_LEN (sizeof(MARK) - 1)

/* The text that begins at `at` and ends in a newline or a NUL, if it reads like a banner. A draft
 * of it, with '#' but no number, is left in images by builds that time their link (6.1 and later).
 */
static char *banner_at(const guint8 *at, size_t len)
{
	size_t n = MARK_LEN;

	if (len <= MARK_LEN || !g_ascii_isdigit(at[MARK_LEN]))
		return NULL;
	while (n < len && n < BANNER_MAX && g_ascii_isprint(at[n]))
		n++;
	if (n == len || n == BANNER_MAX || (at[n] != '\n' && at[n]) || !memmem(at, n, " #", 2) ||
	    memmem(at, n, " # ", 3))
		return NULL;
	return g_strndup((const char *)at, n);
}

/* Look at the marks that have `need` bytes from them on; what is left begins at the first that has
 * less, or is too short to hold one. */
static void search(struct banner_scan *scan, size_t need)
{
	const guint8 *p = scan->kept->data, *end = p + scan->kept->len;

	while (!scan->banner && (p = memmem(p, end - p, MARK, MARK_LEN)) &&
	       (size_t)(end - p) >= need) {
		scan->banner = banner_at(p, MIN((size_t)(end - p), BANNER_MAX));
		p++;
	}
	if (!p)
		p = end - MIN(scan->kept->len, MARK_LEN);
	g_byte_array_remove_range(scan->kept, 0, p - scan->kept->data);
}

void banner_scan_feed(struct banner_scan *scan, const void *data, size_t len)
{
	if (scan->banner || !len)
		return;
	g_byte_array_append(scan->kept, data, len);
	search(scan, BANNER_MAX);
}

void banner_scan_end(struct banner_scan *scan)
{
	if (!scan->banner && scan->kept->len)
		search(scan, MARK_LEN);
}

/* The parenthesis that closes the one at `open`, or NULL. */
static const char *closing(const char *open)
{
	unsigned depth = 0;

	for (const char *at = open; *at; at++) {
		if (*at == '(')
			depth++;
		else if (*at == ')' && --depth == 0)
			return at;
	}
	return NULL;
}

char *banner_compiler(const char *banner)
{
	static const char *const linkers[] = { ", GNU ld", ", LLD", ", ld.lld", ", GNU gold" };
	const char *builder = strchr(banner, '('), *end = builder ? closing(builder) : NULL;
	const char *open = end && g_str_has_prefix(end, ") (") ? end + 2 : NULL;
	char *text;

	end = open ? closing(open) : NULL;
	if (!end)
		return NULL;
	text = g_strndup(open + 1, end - open - 1);
	for (size_t i = 0; i < G_N_ELEMENTS(linkers); i++) {
		char *at = strstr(text, linkers[i]);

		if (at)
			*at = '\0';
	}
	return g_strstrip(text);
}

bool banner_fits(const char *banner, const char *release, const char *version)
{
	const char *at = banner + MARK_LEN, *number = strchr(version, '#');
	size_t n = strlen(release);

	return g_str_has_prefix(banner, MARK) && !strncmp(at, release, n) && at[n] == ' ' &&
	       (!number || strstr(at, number));
}
