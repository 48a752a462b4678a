// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes, cut anywhere: no crash, bounded results, and the same events as when fed at once. The
 * first byte says how the rest is cut. Seeds: tests/golden/console/NAME/console.txt.
 */
#include "parse/console.h"

#include <string.h>

static void check_same(const struct console *a, const struct console *b)
{
	const struct console_report *x = console_report(a), *y = console_report(b);

	g_assert(x->n == y->n && x->n <= CONSOLE_EVENTS_MAX);
	g_assert(x->chatter == y->chatter && x->lines == y->lines && x->bytes == y->bytes);
	g_assert(!memcmp(x->counts, y->counts, sizeof(x->counts)));
	g_assert(!memcmp(x->unkept, y->unkept, sizeof(x->unkept)));
	g_assert(console_held(a) <= CONSOLE_HELD_MAX && console_held(b) <= CONSOLE_HELD_MAX);
	for (unsigned i = 0; i < x->n; i++) {
		g_assert_cmpstr(x->events[i].title, ==, y->events[i].title);
		g_assert_cmpstr(x->events[i].frame, ==, y->events[i].frame);
		g_assert(x->events[i].corrupted == y->events[i].corrupted);
		g_assert(x->events[i].class == y->events[i].class);
		g_assert_cmpstr(x->events[i].excerpt, ==, y->events[i].excerpt);
		g_assert(x->events[i].offset == y->events[i].offset);
		g_assert(!x->events[i].open && strlen(x->events[i].title) < 400);
	}
}

/* A boot and a run: shares of events, and bounds, wherever the run begins. */
static void check_shares(const char *data, size_t len, size_t boot)
{
	g_autoptr(console) c = console_new();
	const struct console_report *r = console_report(c);
	uint64_t events = 0;

	console_feed(c, data, boot);
	console_new_share(c);
	console_feed(c, data + boot, len - boot);
	console_finish(c);
	for (unsigned i = 0; i < CONSOLE__COUNT; i++)
		events += r->counts[i];
	g_assert(r->n <= CONSOLE_EVENTS_MAX && r->n <= events);
	g_assert(console_held(c) <= CONSOLE_HELD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(console) pieces = console_new(), whole = NULL;
	size_t piece = size ? data[0] + 1 : 1;

	if (!size)
		return 0;
	whole = console_scan(data + 1, size - 1);
	for (size_t at = 1; at < size; at += piece)
		console_feed(pieces, data + at, MIN(piece, size - at));
	console_finish(pieces);
	check_same(whole, pieces);
	check_shares((const char *)data + 1, size - 1, (size - 1) / piece);
	return 0;
}
