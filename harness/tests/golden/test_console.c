// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console corpus: golden/console/NAME/{README,console.txt,expect.json}. README says whether it is
 * real or made by hand after the kernel's format strings. Each console is read at once and in pieces;
 * all must give what expect.json says. KLAB_GOLDEN_UPDATE=1 rewrites the
 * expectations (read the difference before you keep it) and fails, so that it cannot pass by habit.
 */
#include "parse/console.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define CASES_MIN 200 /* the corpus only grows */
#define CORPUS TEST_DIR "/console"

static json_t *event_json(const struct console_event *ev)
{
	json_t *o = json_pack("{s:s, s:s, s:s?, s:b}", "class", console_class_name(ev->class),
			      "title", ev->title, "frame", ev->frame, "corrupted", ev->corrupted);

	if (ev->no_symbols)
		json_object_set_new(o, "no_symbols", json_true());
	if (ev->signal)
		json_object_set_new(o, "signal", json_integer(ev->signal));
	return o;
}

static json_t *report_json(const struct console *c)
{
	const struct console_report *r = console_report(c);
	const struct console_event *fatal = console_fatal(c);
	json_t *events = json_array(), *counts = json_object();

	for (unsigned i = 0; i < r->n && i < 8; i++)
		json_array_append_new(events, event_json(&r->events[i]));
	for (unsigned i = 0; i < CONSOLE__COUNT; i++) {
		if (r->counts[i])
			json_object_set_new(counts, console_class_name(i),
					    json_integer(r->counts[i]));
	}
	return json_pack("{s:o, s:o, s:s?, s:I, s:I, s:I}", "events", events, "counts", counts,
			 "fatal", fatal ? fatal->title : NULL, "chatter", (json_int_t)r->chatter,
			 "weather", (json_int_t)r->weather, "cleaned", (json_int_t)r->cleaned);
}

/* What must hold for any console. */
static void check_bounds(const char *name, const struct console *c, size_t len)
{
	const struct console_report *r = console_report(c);

	assert_int_equal(r->bytes, len);
	assert_true(r->n <= CONSOLE_EVENTS_MAX);
	for (unsigned i = 0; i < r->n; i++) {
		const struct console_event *ev = &r->events[i];
		g_auto(GStrv) lines = g_strsplit(ev->excerpt, "\n", -1);

		if (g_strv_length(lines) > CONSOLE_EXCERPT_LINES + 1)
			fail_msg("%s: excerpt of %u lines", name, g_strv_length(lines));
		assert_false(ev->open);
		assert_true(ev->offset < len);
		assert_true(strlen(ev->title) < 300);
	}
}

static json_t *scan_pieces(const char *data, size_t len, size_t piece)
{
	g_autoptr(console) c = console_new();

	for (size_t at = 0; at < len; at += piece)
		console_feed(c, data + at, MIN(piece, len - at));
	console_finish(c);
	return report_json(c);
}

/* Says what is wrong and returns false, so that one run shows all cases. */
static bool check_case(const char *name, bool update)
{
	static const size_t pieces[] = { 1, 7, 64, 4096 };
	g_autofree char *dir = g_build_filename(CORPUS, name, NULL);
	g_autofree char *console_path = g_build_filename(dir, "console.txt", NULL);
	g_autofree char *expect_path = g_build_filename(dir, "expect.json", NULL);
	g_autofree char *readme = g_build_filename(dir, "README", NULL);
	g_autofree char *data = NULL, *about = NULL, *text = NULL;
	g_autoptr(console) c = NULL;
	json_t *got, *want;
	bool ok = true;
	gsize len;

	if (!g_file_get_contents(console_path, &data, &len, NULL))
		fail_msg("%s: no console.txt", name);
	if (!g_file_get_contents(readme, &about, NULL, NULL) || strlen(about) < 30 ||
	    !(g_str_has_prefix(about, "Real, ") || g_str_has_prefix(about, "Hand-made. ")))
		fail_msg("%s: no README that says what it is, 'Real, ' or 'Hand-made. ' first", name);
	c = console_scan(data, len);
	check_bounds(name, c, len);
	got = report_json(c);
	for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
		json_t *again = scan_pieces(data, len, pieces[i]);

		if (!json_equal(got, again)) {
			g_autofree char *other = json_dumps(again, JSON_COMPACT);

			print_error("%s: fed by %zu bytes it reads %s\n", name, pieces[i], other);
			ok = false;
		}
		json_decref(again);
	}
	if (update)
		json_dump_file(got, expect_path, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	want = json_load_file(expect_path, 0, NULL);
	text = json_dumps(got, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	if (!want || !json_equal(got, want)) {
		print_error("%s: got %s\n", name, text);
		ok = false;
	}
	json_decref(want);
	json_decref(got);
	return ok;
}

static void test_corpus(void **unused)
{
	bool update = g_getenv("KLAB_GOLDEN_UPDATE");
	GDir *dir = g_dir_open(CORPUS, 0, NULL);
	unsigned n = 0, bad = 0;

	assert_non_null(dir);
	for (const char *name; (name = g_dir_read_name(dir)); n++)
		bad += !check_case(name, update);
	g_dir_close(dir);
	if (bad)
		fail_msg("%u of %u cases differ", bad, n);
	if (n < CASES_MIN)
		fail_msg("%u cases, want at least %u", n, CASES_MIN);
	if (update)
		fail_msg("expectations rewritten: look at them, then run without "
			 "KLAB_GOLDEN_UPDATE");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_corpus) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
