// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Self-test of the wire: records survive the round trip, wrong ones are counted and dropped.
 */
#include "base64.h"
#include "init.h"
#include "wire_codec.h"

#include "probes/lib/util.h"

#include <string.h>

static struct wire_decoder decoder;

/* Feed bytes; returns the number of records and leaves the last one in *ret. */
static int feed(const char *bytes, size_t len, struct wire_record *ret)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += wire_decode(&decoder, bytes[i], ret);
	return n;
}

static bool test_golden(void)
{
	char line[WIRE_LINE_MAX];

	/* CRC-32 of "1 bye" by another implementation (zlib.crc32 of Python). */
	return wire_encode(line, 1, "bye", "") > 0 && !strcmp(line, "@1 72278133 bye\n");
}

static bool test_round_trip(void)
{
	static const char *const payloads[] = { "", "x", "{\"a\":\"b c\"}", " two  spaces " };
	char line[WIRE_LINE_MAX];
	struct wire_record r;

	decoder = (struct wire_decoder){ 0 };
	for (unsigned i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		size_t len = wire_encode(line, i + 1, "note", payloads[i]);

		if (feed(line, len, &r) != 1 || r.seq != i + 1 || strcmp(r.type, "note") ||
		    strcmp(r.payload, payloads[i]))
			return false;
	}
	return decoder.torn == 0 && decoder.lost == 0;
}

/* One byte wrong, anywhere: never a record, and always counted. */
static bool test_each_byte_torn(void)
{
	char line[WIRE_LINE_MAX];
	struct wire_record r;
	size_t len = wire_encode(line, 7, "start", "{\"probe\":\"text-poke\"}");

	for (size_t i = 0; i < len - 1; i++) {
		char bad[WIRE_LINE_MAX];

		memcpy(bad, line, len);
		bad[i] ^= 1;
		decoder = (struct wire_decoder){ 0 };
		if (feed(bad, len, &r) || decoder.torn == 0)
			return false;
	}
	return true;
}

static bool test_too_long(void)
{
	static char big[3 * WIRE_LINE_MAX];
	char line[WIRE_LINE_MAX];
	struct wire_record r;
	size_t len;

	memset(big, 'a', sizeof(big) - 1);
	len = wire_encode(line, 1, "note", big);
	if (len >= WIRE_LINE_MAX || line[len - 1] != '\n')
		return false;
	decoder = (struct wire_decoder){ 0 };
	big[sizeof(big) - 1] = '\n';
	if (feed(big, sizeof(big), &r) || decoder.torn != 1)
		return false;
	return feed(line, len, &r) == 1;
}

static bool test_lost(void)
{
	char line[WIRE_LINE_MAX];
	struct wire_record r;

	decoder = (struct wire_decoder){ 0 };
	feed(line, wire_encode(line, 1, "stop", ""), &r);
	feed(line, wire_encode(line, 5, "stop", ""), &r);
	return decoder.lost == 3 && decoder.torn == 0;
}

static bool test_garbage(void)
{
	uint64_t rand = 42;
	struct wire_record r;

	decoder = (struct wire_decoder){ 0 };
	for (int i = 0; i < 1 << 20; i++)
		if (wire_decode(&decoder, rand_next(&rand) >> 56, &r))
			return false;
	return decoder.torn > 1000;
}

/* Every length and every byte comes back; what is no base64, or too long, is refused. */
static bool test_base64(void)
{
	static const char *const bad[] = { "a", "ab=", "a===", "=abc", "ab=c", "ab c", "abc\n",
					   "abcd====" };
	uint8_t raw[256], back[256];
	char text[BASE64_LEN(sizeof(raw)) + 1];

	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = i;
	for (unsigned len = 0; len <= sizeof(raw); len++) {
		base64_encode(text, raw, len);
		if (strlen(text) != BASE64_LEN(len) ||
		    base64_decode(back, sizeof(back), text) != (int)len || memcmp(raw, back, len) ||
		    (len && base64_decode(back, len - 1, text) >= 0))
			return false;
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (base64_decode(back, sizeof(back), bad[i]) >= 0)
			return false;
	return base64_decode(back, sizeof(back), "aGk=") == 2 && !memcmp(back, "hi", 2);
}

const struct selftest selftest_wire[] = {
	{ "golden", test_golden },
	{ "round_trip", test_round_trip },
	{ "each_byte_torn", test_each_byte_torn },
	{ "too_long", test_too_long },
	{ "lost", test_lost },
	{ "garbage", test_garbage },
	{ "base64", test_base64 },
	{ NULL, NULL },
};
