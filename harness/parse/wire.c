// SPDX-License-Identifier: GPL-2.0-or-later
/* Wire records: split, verify, format. See probes/lib/wire.h for the format. */
#include "parse/wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint32_t crc32_of(const char *data, size_t len)
{
	uint32_t crc = 0xffffffffu;

	while (len--) {
		crc ^= (uint8_t)*data++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* Digits of `base` up to a space; the byte after the space, or NULL. */
static char *take_number(char *s, unsigned base, unsigned max_digits, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned n = 0;

	for (; isxdigit((unsigned char)*s); s++, n++) {
		unsigned digit = *s <= '9' ? *s - '0' : (*s | 0x20) - 'a' + 10;

		if (digit >= base || n >= max_digits)
			return NULL;
		value = value * base + digit;
	}
	if (!n || *s != ' ')
		return NULL;
	*ret = value;
	return s + 1;
}

static bool is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

/* The CRC covers "SEQ TYPE PAYLOAD", which the CRC field splits: close the gap, then sum. */
static uint32_t record_crc(const char *seq, size_t seq_len, const char *rest)
{
	char joined[WIRE_LINE_MAX + 1];
	size_t rest_len = strlen(rest);

	memcpy(joined, seq, seq_len);
	memcpy(joined + seq_len, rest, rest_len);
	return crc32_of(joined, seq_len + rest_len);
}

bool wire_parse_line(char *line, size_t len, struct wire_record *ret)
{
	uint64_t seq, crc;
	char *crc_at, *type, *payload;

	if (len > WIRE_LINE_MAX || len < 2 || line[0] != '@' || !is_printable(line, len))
		return false;
	line[len] = '\0';
	crc_at = take_number(line + 1, 10, 18, &seq);
	type = crc_at ? take_number(crc_at, 16, 8, &crc) : NULL;
	if (!type || type - crc_at != 9 || record_crc(line + 1, crc_at - line - 1, type) != crc)
		return false;
	payload = type + strspn(type, "abcdefghijklmnopqrstuvwxyz");
	if (payload == type || (*payload != ' ' && *payload != '\0'))
		return false;
	if (*payload)
		*payload++ = '\0';
	*ret = (struct wire_record){ .seq = seq, .type = type, .payload = payload };
	return true;
}

void wire_parser_init(struct wire_parser *p,
		      void (*on_record)(const struct wire_record *record, void *user), void *user)
{
	memset(p, 0, sizeof(*p));
	p->on_record = on_record;
	p->user = user;
}

static void finish_line(struct wire_parser *p)
{
	struct wire_record record;
	size_t len = p->used;

	p->used = 0;
	while (len && p->line[len - 1] == '\r')
		len--;
	if (!len && !p->overlong)
		return;
	if (p->overlong || !wire_parse_line(p->line, len, &record)) {
		p->overlong = false;
		p->torn++;
		return;
	}
	if (record.seq > p->last_seq + 1)
		p->lost += record.seq - p->last_seq - 1 > 1000000 ? 1000000
								  : record.seq - p->last_seq - 1;
	p->last_seq = record.seq;
	p->records++;
	p->on_record(&record, p->user);
}

void wire_parser_feed(struct wire_parser *p, const void *data, size_t len)
{
	const char *s = data;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n')
			finish_line(p);
		else if (p->used < WIRE_LINE_MAX)
			p->line[p->used++] = s[i];
		else
			p->overlong = true;
	}
}

size_t wire_format(char *buf, size_t size, uint64_t seq, const char *type, const char *payload)
{
	char body[WIRE_LINE_MAX + 1], number[24];
	int seq_len = snprintf(number, sizeof(number), "%" PRIu64 " ", seq);
	int len = snprintf(body, sizeof(body), "%s%s%s%s", number, type, *payload ? " " : "",
			   payload);

	if (len < 0 || (size_t)len >= sizeof(body))
		return 0;
	len = snprintf(buf, size, "@%s%08" PRIx32 " %s\n", number, crc32_of(body, len),
		       body + seq_len);
	return len > 0 && (size_t)len < size && len <= WIRE_LINE_MAX ? (size_t)len : 0;
}

bool wire_status_valid(const struct wire_status *page, const uint8_t nonce[WIRE_NONCE_LEN])
{
	return page->magic == WIRE_STATUS_MAGIC && page->version == WIRE_VERSION &&
	       page->ncpus >= 1 && page->ncpus <= WIRE_CPUS_MAX &&
	       memcmp(page->nonce, nonce, WIRE_NONCE_LEN) == 0;
}
