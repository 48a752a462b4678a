// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stands on one line of a console: prefixes, time stamps in mid-line, NMI chatter, control
 * bytes. Pure functions of the bytes; console.c puts their results together.
 */
#include "parse/console_priv.h"

#include <string.h>

uint32_t line_bytes(const char *p, const char *end)
{
	static const uint16_t bit[256] = {
		['\r'] = LINE_CR, ['\0'] = LINE_CONTROL, ['\033'] = LINE_CONTROL, ['B'] = LINE_B,
		['D'] = LINE_D,   ['G'] = LINE_G,        ['K'] = LINE_K,          ['M'] = LINE_M,
		['N'] = LINE_N,   ['U'] = LINE_U,        ['v'] = LINE_V,          ['y'] = LINE_Y,
		['z'] = LINE_Z,   ['#'] = LINE_HASH,
	};
	uint32_t a = 0, b = 0;

	for (; end - p >= 4; p += 4) {
		a |= bit[(uint8_t)p[0]] | bit[(uint8_t)p[1]];
		b |= bit[(uint8_t)p[2]] | bit[(uint8_t)p[3]];
	}
	for (; p < end; p++)
		a |= bit[(uint8_t)*p];
	return a | b;
}

/* "[   12.345678]": its length, or 0. */
static size_t stamp_len(const char *p, const char *end, int64_t *ret_us)
{
	const char *s = p + 1;
	int64_t seconds = 0, us = 0;

	if (p >= end || *p != '[')
		return 0;
	while (s < end && *s == ' ')
		s++;
	if (s >= end || !g_ascii_isdigit(*s))
		return 0;
	for (; s < end && g_ascii_isdigit(*s) && seconds < 100000000000; s++)
		seconds = seconds * 10 + (*s - '0');
	if (end - s < 8 || *s++ != '.')
		return 0;
	for (unsigned i = 0; i < 6; i++, s++) {
		if (!g_ascii_isdigit(*s))
			return 0;
		us = us * 10 + (*s - '0');
	}
	if (*s != ']')
		return 0;
	*ret_us = seconds * G_USEC_PER_SEC + us;
	return s + 1 - p;
}

/* "[T123]", "[    C0]" of PRINTK_CALLER: its length, or 0. */
static size_t caller_len(const char *p, const char *end, uint32_t *ret)
{
	const char *s = p + 1;
	uint32_t id = 0;
	char kind;

	if (p >= end || *p != '[')
		return 0;
	while (s < end && *s == ' ')
		s++;
	if (end - s < 3 || (*s != 'T' && *s != 'C') || !g_ascii_isdigit(s[1]))
		return 0;
	kind = *s++;
	for (; s < end && g_ascii_isdigit(*s); s++)
		id = id * 10 + (*s - '0');
	if (s >= end || *s != ']')
		return 0;
	*ret = (id & 0xffffff) | (uint32_t)kind << 24;
	return s + 1 - p;
}

struct segment segment_parse(const char *raw, size_t len, uint64_t offset)
{
	struct segment seg = { .raw = raw, .raw_len = len, .at_us = -1, .offset = offset };
	const char *p = raw, *end = raw + len;
	size_t n;

	if (len >= 3 && p[0] == '<' && g_ascii_isdigit(p[1]) && p[2] == '>')
		p += 3;
	n = stamp_len(p, end, &seg.at_us);
	p += n;
	if (n)
		p += caller_len(p, end, &seg.caller);
	if (n && p < end && *p == ' ')
		p++;
	seg.text = p;
	seg.len = end - p;
	return seg;
}

size_t chatter_len(const char *p, const char *end)
{
	static const char *const plain[] = { "Dazed and confused, but trying to continue",
					     "Do you have a strange power saving mode enabled?" };
	static const char uhhuh[] = "Uhhuh. NMI received for unknown reason ";
	const char *s = p;

	for (unsigned i = 0; i < G_N_ELEMENTS(plain); i++) {
		size_t n = strlen(plain[i]);

		if ((size_t)(end - p) >= n && !memcmp(p, plain[i], n))
			return n;
	}
	if ((size_t)(end - p) < strlen(uhhuh) || memcmp(p, uhhuh, strlen(uhhuh)))
		return 0;
	s += strlen(uhhuh);
	while (s < end && g_ascii_isxdigit(*s))
		s++;
	if (end - s > 8 && !memcmp(s, " on CPU ", 8)) {
		s += 8;
		while (s < end && g_ascii_isdigit(*s))
			s++;
	}
	return s + (s < end && *s == '.') - p;
}

const char *segment_end(const char *p, const char *end)
{
	const char *s = p + (p < end);
	int64_t us;

	for (; (s = memchr(s, '[', end - s)); s++) {
		bool level = s - p >= 3 && s[-3] == '<' && s[-1] == '>';

		/* A level right at `p` and the stamp behind it are this segment's own. */
		if (s - 3 * level > p && stamp_len(s, end, &us))
			return s - 3 * level;
	}
	return end;
}

/* Escape sequences are ESC [ ... letter. */
size_t clean_copy(char *to, const char *p, const char *end)
{
	size_t n = 0;

	while (p < end) {
		if (*p == '\033' && p + 1 < end && p[1] == '[') {
			p += 2;
			while (p < end && (uint8_t)*p >= 0x20 && (uint8_t)*p < 0x40)
				p++;
			p += p < end;
		} else if ((uint8_t)*p < ' ' && *p != '\t') {
			p++;
		} else {
			to[n++] = *p++;
		}
	}
	return n;
}
