// SPDX-License-Identifier: GPL-2.0-or-later
/* Liveness: silence, starvation, parked CPUs, invalid pages and unwatched gaps told apart. */
#include "judge/liveness.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define SEC G_USEC_PER_SEC

static const struct liveness_limits limits = { .suspect_us = 2 * SEC, .silent_us = 5 * SEC };

/* A guest of `ncpus` CPUs read every 100 ms, from `from_s` on; times in seconds, 99: never. */
struct scene {
	const char *name;
	unsigned ncpus;
	double stop_s[4];	/* when each CPU's beats stop */
	double again_s;		/* when the stopped ones beat again */
	double park_s;		/* when CPU 1 is parked */
	double unpark_s;
	double bad_from_s, bad_to_s;	/* the page is garbage */
	double gap_from_s, gap_to_s;	/* nobody reads */
	double starve_from_s;	/* from here on the host takes `share` of the time */
	double share;
	double pause_from_s, pause_to_s;	/* the engine keeps the vCPUs from running */
	double talk_from_s;	/* the console talks on and on */
	double until_s;
	enum liveness_state want;
	uint64_t want_mask;
};

#define NEVER 99.0
#define BEATS { NEVER, NEVER, NEVER, NEVER }

static const struct scene scenes[] = {
	{ "all beat", 4, BEATS, .until_s = 20, .want = LIVE_OK },
	{ "one CPU", 1, BEATS, .until_s = 20, .want = LIVE_OK },
	{ "one stops, just", 4, { NEVER, 3, NEVER, NEVER }, .until_s = 4.5, .want = LIVE_OK },
	{ "one stops, suspect", 4, { NEVER, 3, NEVER, NEVER }, .until_s = 6, .want = LIVE_SUSPECT,
	  .want_mask = 2 },
	{ "one stops, silent", 4, { NEVER, NEVER, NEVER, 3 }, .until_s = 9, .want = LIVE_SILENT,
	  .want_mask = 8 },
	{ "all stop", 4, { 3, 3, 3, 3 }, .until_s = 9, .want = LIVE_SILENT, .want_mask = 15 },
	{ "the only CPU stops", 1, { 3 }, .until_s = 9, .want = LIVE_SILENT, .want_mask = 1 },
	{ "stops and comes back", 4, { 3, 3, 3, 3 }, .again_s = 7, .until_s = 8, .want = LIVE_OK },
	{ "the others follow", 4, { 3, 4, 5, 5 }, .until_s = 8.5, .want = LIVE_SILENT,
	  .want_mask = 15 },
	{ "host takes all", 4, { 3, 3, 3, 3 }, .starve_from_s = 3, .share = 1, .until_s = 20,
	  .want = LIVE_STARVED, .want_mask = 15 },
	{ "host takes nine tenths", 4, { 3, 3, 3, 3 }, .starve_from_s = 3, .share = 0.9, .until_s = 15,
	  .want = LIVE_STARVED, .want_mask = 15 },
	{ "and it hangs even so", 4, { 3, 3, 3, 3 }, .starve_from_s = 3, .share = 0.5,
	  .until_s = 14, .want = LIVE_SILENT, .want_mask = 15 },
	{ "parked on purpose", 2, { NEVER, 3 }, .park_s = 3, .until_s = 20, .want = LIVE_OK },
	{ "parked, then silent", 2, { NEVER, 3 }, .park_s = 3, .unpark_s = 10, .until_s = 11.5,
	  .want = LIVE_OK },
	{ "parked, then silent for long", 2, { NEVER, 3 }, .park_s = 3, .unpark_s = 10,
	  .until_s = 16, .want = LIVE_SILENT, .want_mask = 2 },
	{ "page overwritten", 4, BEATS, .bad_from_s = 3, .bad_to_s = NEVER, .until_s = 9,
	  .want = LIVE_SILENT, .want_mask = 15 },
	{ "page garbage for a moment", 4, BEATS, .bad_from_s = 3, .bad_to_s = 4, .until_s = 5,
	  .want = LIVE_OK },
	{ "page never valid", 4, BEATS, .bad_to_s = NEVER, .until_s = 9, .want = LIVE_SILENT,
	  .want_mask = 1 },
	{ "page late, guest fine", 4, BEATS, .bad_to_s = 1.5, .until_s = 9, .want = LIVE_OK },
	{ "nobody looked for long", 4, { 3, 3, 3, 3 }, .gap_from_s = 3.2, .gap_to_s = 60,
	  .until_s = 60.05, .want = LIVE_STARVED, .want_mask = 15 },
	{ "paused", 2, { 3, 3 }, .pause_from_s = 3, .pause_to_s = NEVER, .until_s = 40,
	  .want = LIVE_PAUSED },
	{ "paused and gone on", 2, { 3, 3 }, .again_s = 20, .pause_from_s = 3, .pause_to_s = 20,
	  .until_s = 22, .want = LIVE_OK },
	{ "goes on, and its beats take a while", 2, { 3, 3 }, .again_s = 21.5, .pause_from_s = 3,
	  .pause_to_s = 20, .until_s = 21.4, .want = LIVE_OK },
	{ "a pause cures no hang", 2, { 3, 3 }, .pause_from_s = 4, .pause_to_s = 20, .until_s = 25,
	  .want = LIVE_SILENT, .want_mask = 3 },
	{ "silent before the pause", 2, { 3, 3 }, .pause_from_s = 6, .pause_to_s = NEVER,
	  .until_s = 20, .want = LIVE_PAUSED, .want_mask = 3 },
	{ "talks, and is silent", 2, { 3, 3 }, .talk_from_s = 1, .until_s = 8.5,
	  .want = LIVE_STARVED, .want_mask = 3 },
	{ "talks, and is silent for long", 2, { 3, 3 }, .talk_from_s = 1, .until_s = 10.5,
	  .want = LIVE_SUSPECT, .want_mask = 3 },
	{ "talks for ever", 2, { 3, 3 }, .talk_from_s = 1, .until_s = 19, .want = LIVE_SILENT,
	  .want_mask = 3 },
	{ "nobody looked, all was well", 4, BEATS, .gap_from_s = 3.2, .gap_to_s = 60,
	  .until_s = 60.05, .want = LIVE_OK },
};

static bool within(double t, double from, double to)
{
	return to && t >= from && t < to;
}

static void page_fill(const struct scene *s, double t, struct wire_status *page)
{
	memset(page, 0, sizeof(*page));
	page->magic = within(t, s->bad_from_s, s->bad_to_s) ? 0 : WIRE_STATUS_MAGIC;
	page->version = WIRE_VERSION;
	page->ncpus = s->ncpus;
	for (unsigned i = 0; i < s->ncpus; i++) {
		bool beats = t < s->stop_s[i] || (s->again_s && t >= s->again_s);

		page->cpu[i].beats = (uint64_t)((beats ? t : s->stop_s[i]) * 20);
	}
	if (s->park_s && t >= s->park_s && (!s->unpark_s || t < s->unpark_s))
		page->parked[0] = 2;
}

static enum liveness_state feed(struct liveness *l, const struct liveness_reading *reading)
{
	enum liveness_state state = liveness_feed(l, reading);

	assert_true(*liveness_state_name(state));
	return state;
}

static enum liveness_state play(const struct scene *s, struct liveness *l)
{
	enum liveness_state state = LIVE_OK;
	double delay_s = 0;

	liveness_init(l, limits);
	for (unsigned i = 0; i * 0.1 <= s->until_s; i++) {
		double t = i * 0.1;
		struct wire_status page;

		if (s->share && t > s->starve_from_s)
			delay_s += 0.1 * s->share;
		if (within(t, s->gap_from_s, s->gap_to_s))
			continue;
		page_fill(s, t, &page);
		state = feed(l, &(struct liveness_reading){
				.at_us = 7 * SEC + (int64_t)(t * SEC), .page = &page,
				.run_delay_us = (int64_t)(delay_s * SEC),
				.paused = within(t, s->pause_from_s, s->pause_to_s),
				.talks = s->talk_from_s && t > s->talk_from_s });
	}
	return state;
}

static void test_scenes(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(scenes); i++) {
		const struct scene *s = &scenes[i];
		struct liveness l;
		enum liveness_state state = play(s, &l);

		if (state != s->want)
			fail_msg("%s: state %d, want %d", s->name, state, s->want);
		if (l.silent[0] != s->want_mask || l.silent[1])
			fail_msg("%s: mask %lx, want %lx", s->name, (unsigned long)l.silent[0],
				 (unsigned long)s->want_mask);
	}
}

static void test_longest(void **unused)
{
	const struct scene s = { "x", 2, { NEVER, 3 }, .until_s = 7.9 };
	struct liveness l;

	assert_int_equal(play(&s, &l), LIVE_SUSPECT);
	assert_in_range(l.longest_us, 4700000, 4950000);
}

/* Fields of another kernel's memory: the number of CPUs never changes in a live guest. */
static void test_garbage_pages(void **unused)
{
	const struct scene good = { "x", 4, BEATS, .until_s = 5 };
	struct liveness l;
	struct wire_status page;

	assert_int_equal(play(&good, &l), LIVE_OK);
	for (unsigned i = 0; i < 60; i++) {
		page_fill(&good, 5 + i * 0.1, &page);
		page.ncpus = i % 2 ? 3 : 100000;
		feed(&l, &(struct liveness_reading){ .at_us = 12 * SEC + i * 100000,
						     .page = i % 3 ? &page : NULL });
	}
	assert_in_range(l.longest_us, 5 * SEC, 7 * SEC);
}

/* A clock or a run delay that jumps back must not count, nor overflow. */
static void test_backwards(void **unused)
{
	const struct scene good = { "x", 2, BEATS, .until_s = 1 };
	struct wire_status page;
	struct liveness l;

	play(&good, &l);
	page_fill(&good, 1, &page);
	feed(&l, &(struct liveness_reading){ .at_us = 1, .page = &page });
	feed(&l, &(struct liveness_reading){ .at_us = 8 * SEC, .page = &page,
					     .run_delay_us = -1000000 });
	feed(&l, &(struct liveness_reading){ .at_us = 8 * SEC + 100000, .page = &page,
					     .run_delay_us = INT64_MAX / 2 });
	assert_in_range(l.longest_us, 0, SEC);
}

/* A guest that took 4 s for a beat once is suspect only after 8 s; nothing makes that endless. */
static void test_slow(void **unused)
{
	static const struct {
		double gap_s;		/* a silence that ended by itself */
		double silent_s;	/* another one, now */
		enum liveness_state want;
	} cases[] = {
		{ 0.5, 2.5, LIVE_SUSPECT }, { 1.9, 3.5, LIVE_SLOW },   { 1.9, 4.5, LIVE_SUSPECT },
		{ 1.9, 6.5, LIVE_SILENT },  { 4.0, 4.5, LIVE_SLOW },   { 4.0, 5.5, LIVE_SUSPECT },
		{ 60, 4.5, LIVE_SLOW },     { 60, 5.5, LIVE_SUSPECT }, { 60, 7.5, LIVE_SILENT },
	};

	for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
		enum liveness_state state = LIVE_OK;
		double t = 0, end = 3 + cases[c].gap_s + cases[c].silent_s;
		struct liveness l;

		liveness_init(&l, limits);
		for (unsigned i = 0; t < end; t = ++i * 0.1) {
			double stop_s = t < 2 + cases[c].gap_s ? 2 : NEVER;
			const struct scene s = { "x", 2, { stop_s, NEVER } };
			double shown = MIN(t, 3 + cases[c].gap_s);
			struct wire_status page;

			page_fill(&s, t, &page);
			if (t >= 2 + cases[c].gap_s)
				page.cpu[0].beats = (uint64_t)(shown * 20);
			state = feed(&l, &(struct liveness_reading){
						 .at_us = SEC + (int64_t)(t * SEC), .page = &page });
		}
		if (state != cases[c].want)
			fail_msg("case %u: state %s", c, liveness_state_name(state));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_garbage_pages),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
