// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of wire.h, see wire_codec.h. Total: takes any byte stream and counts what is wrong. */
#include "wire_codec.h"

#include "probes/lib/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CRC_DIGITS 8
#define PREFIX_MAX 64 /* "@SEQ CRC TYPE " and the newline */

static uint32_t crc_of(const char *seq, size_t seq_len, const char *rest)
{
	uLong crc = crc32(0, (const Bytef *)seq, seq_len);

	crc = crc32(crc, (const Bytef *)" ", 1);
	return crc32(crc, (const Bytef *)rest, strlen(rest));
}

size_t wire_encode(char *buf, uint64_t seq, const char *type, const char *payload)
{
	static __thread char rest[WIRE_LINE_MAX - PREFIX_MAX];
	char number[24];

	text_format(number, sizeof(number), "%llu", (unsigned long long)seq);
	text_format(rest, sizeof(rest), "%s%s%s", type, *payload ? " " : "", payload);
	for (char *p = rest; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	text_format(buf, WIRE_LINE_MAX, "@%s %08x %s\n", number,
		    crc_of(number, strlen(number), rest), rest);
	return strlen(buf);
}

/* Split "@SEQ CRC TYPE PAYLOAD" in place. */
static bool line_parse(char *line, struct wire_record *ret)
{
	char *end, *rest;
	unsigned long crc;
	size_t seq_len, type_len;

	if (line[0] != '@' || line[1] < '0' || line[1] > '9')
		return false;
	ret->seq = strtoull(line + 1, &end, 10);
	seq_len = end - (line + 1);
	if (*end != ' ' || strspn(end + 1, "0123456789abcdef") != CRC_DIGITS)
		return false;
	crc = strtoul(end + 1, &rest, 16);
	if (*rest++ != ' ' || crc != crc_of(line + 1, seq_len, rest))
		return false;
	type_len = strspn(rest, "abcdefghijklmnopqrstuvwxyz");
	if (!type_len || type_len >= WIRE_TYPE_MAX || (rest[type_len] && rest[type_len] != ' '))
		return false;
	memcpy(ret->type, rest, type_len);
	ret->type[type_len] = '\0';
	ret->payload = rest + type_len + (rest[type_len] == ' ');
	return true;
}

static bool line_end(struct wire_decoder *d, struct wire_record *ret)
{
	size_t len = d->len;
	bool whole = !d->overlong;

	d->len = 0;
	d->overlong = false;
	if (len && d->line[len - 1] == '\r')
		len--;
	if (!len && whole)
		return false; /* an empty line is nothing, and nothing is torn */
	d->line[len] = '\0';
	if (!whole || strlen(d->line) != len || !line_parse(d->line, ret)) {
		d->torn++;
		return false;
	}
	if (ret->seq > d->seq + 1)
		d->lost += ret->seq - d->seq - 1;
	d->seq = ret->seq;
	return true;
}

bool wire_decode(struct wire_decoder *d, char c, struct wire_record *ret)
{
	if (c == '\n')
		return line_end(d, ret);
	if (d->len >= sizeof(d->line) - 1)
		d->overlong = true;
	else
		d->line[d->len++] = c;
	return false;
}
