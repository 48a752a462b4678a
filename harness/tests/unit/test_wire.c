// SPDX-License-Identifier: GPL-2.0-or-later
/* The wire parser: what is a record, what is torn, what was lost, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "parse/wire.h"

#include <glib.h>
#include <string.h>

struct seen {
	unsigned n;
	uint64_t seq;
	char type[32], payload[WIRE_LINE_MAX];
};

static void on_record(const struct wire_record *record, void *user)
{
	struct seen *seen = user;

	seen->n++;
	seen->seq = record->seq;
	g_strlcpy(seen->type, record->type, sizeof(seen->type));
	g_strlcpy(seen->payload, record->payload, sizeof(seen->payload));
}

static char *record(uint64_t seq, const char *type, const char *payload)
{
	char buf[WIRE_LINE_MAX + 1];

	assert_true(wire_format(buf, sizeof(buf), seq, type, payload) > 0);
	return g_strdup(buf);
}

static void test_round_trip_in_any_pieces(void **state)
{
	g_autofree char *line = record(7, "hello", "{\"wire\":1}");
	size_t len = strlen(line);

	for (size_t cut = 1; cut <= len; cut++) {
		struct seen seen = { 0 };
		g_autofree struct wire_parser *p = g_new(struct wire_parser, 1);

		wire_parser_init(p, on_record, &seen);
		p->last_seq = 6;
		for (size_t at = 0; at < len; at += cut)
			wire_parser_feed(p, line + at, MIN(cut, len - at));
		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.seq, 7);
		assert_string_equal(seen.type, "hello");
		assert_string_equal(seen.payload, "{\"wire\":1}");
		assert_int_equal(p->torn + p->lost, 0);
	}
}

/* The CRC of "123456789" is CBF43926: the polynomial is the one that zlib and the guest use. */
static void test_known_crc(void **state)
{
	char line[] = "@1 00000000 bye";
	struct wire_record ignored;
	g_autofree char *made = record(123456789, "x", "");

	assert_false(wire_parse_line(line, strlen(line), &ignored));
	/* independent of our code: zlib.crc32(b"123456789 x") */
	assert_string_equal(made, "@123456789 16580f8b x\n");
}

static void test_every_flipped_bit_is_torn(void **state)
{
	g_autofree char *line = record(3, "note", "poke int3");
	size_t len = strlen(line) - 1;

	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			g_autofree char *bad = g_strdup(line);
			struct wire_record got;

			bad[i] ^= 1 << bit;
			if (bad[i] == '\n' || g_ascii_tolower(bad[i]) == g_ascii_tolower(line[i]))
				continue;	/* hex digits read alike in both cases */
			assert_false(wire_parse_line(bad, len, &got));
		}
	}
}

static void test_garbage_is_counted(void **state)
{
	static const char *const lines[] = {
		"", "@", "@1", "@1 ", "@1 12345678", "@x 12345678 a b", "@1 1234567 bye",
		"hello", "\x01\x02", "@18446744073709551616 00000000 bye", "@1 00000000 BYE",
	};
	struct seen seen = { 0 };
	g_autofree struct wire_parser *p = g_new(struct wire_parser, 1);
	unsigned want = 0;

	wire_parser_init(p, on_record, &seen);
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		wire_parser_feed(p, lines[i], strlen(lines[i]));
		wire_parser_feed(p, "\n", 1);
		want += *lines[i] != '\0';
	}
	assert_int_equal(seen.n, 0);
	assert_int_equal(p->torn, want);
}

static void test_gap_and_overlong(void **state)
{
	g_autofree char *first = record(1, "note", "a"), *fifth = record(5, "note", "b");
	g_autofree char *flood = g_strnfill(3 * WIRE_LINE_MAX, 'x');
	struct seen seen = { 0 };
	g_autofree struct wire_parser *p = g_new(struct wire_parser, 1);

	wire_parser_init(p, on_record, &seen);
	wire_parser_feed(p, first, strlen(first));
	wire_parser_feed(p, flood, strlen(flood));
	wire_parser_feed(p, "\n", 1);
	wire_parser_feed(p, fifth, strlen(fifth));
	assert_int_equal(seen.n, 2);
	assert_int_equal(p->torn, 1);
	assert_int_equal(p->lost, 3);
}

static void test_too_long_to_send(void **state)
{
	g_autofree char *payload = g_strnfill(WIRE_LINE_MAX, 'x');
	char buf[2 * WIRE_LINE_MAX];

	assert_int_equal(wire_format(buf, sizeof(buf), 1, "note", payload), 0);
}

static void test_status_page(void **state)
{
	const uint8_t nonce[WIRE_NONCE_LEN] = { 1, 2, 3 };
	struct wire_status page = { .magic = WIRE_STATUS_MAGIC, .version = WIRE_VERSION, .ncpus = 4,
				    .nonce = { 1, 2, 3 } };

	assert_true(wire_status_valid(&page, nonce));
	page.ncpus = WIRE_CPUS_MAX + 1;
	assert_false(wire_status_valid(&page, nonce));
	page.ncpus = 1;
	page.nonce[15] = 1;
	assert_false(wire_status_valid(&page, nonce));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_in_any_pieces),
		cmocka_unit_test(test_known_crc),
		cmocka_unit_test(test_every_flipped_bit_is_torn),
		cmocka_unit_test(test_garbage_is_counted),
		cmocka_unit_test(test_gap_and_overlong),
		cmocka_unit_test(test_too_long_to_send),
		cmocka_unit_test(test_status_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
