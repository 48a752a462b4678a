// SPDX-License-Identifier: GPL-2.0-or-later
/* What a bisection tells besides its answer, as text and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "report/bisect_notes.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define O "0000000000000000000000000000000000000000"
#define SHA1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA2 "2222222222222222222222222222222222222222222222222222222222222222"

struct world {
	struct bisect_range *range;
	struct bisect_state *state;
	struct bisect_step step;
};

static void play(struct world *w, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	g_autoptr(GError) error = NULL;

	if (!bisect_apply(w->state, json, &error))
		fail_msg("%s: %s", text, error->message);
	json_decref(json);
}

/* 0 <- a <- b <- c; b was found. `beside`: the old end that is none. */
static struct world world_new(bool fix, const char *beside)
{
	static const char commits[] = A " " O "\n" B " " A "\n" C " " B "\n";
	struct world w = { .step = { .phase = BISECT_DONE, .answer = BISECT_FOUND, .change = 1 } };
	g_autoptr(history) h = NULL;
	unsigned bad = fix ? 3 : 2;

	assert_true(history_parse(commits, strlen(commits), &h, NULL));
	h->from = g_strdup(O);
	h->beside = g_strdup(beside);
	assert_true(bisect_range_commits(h, fix, NULL, &w.range, NULL));
	w.state = bisect_state_new(w.range, 1, 1);
	play(&w, "{\"ev\":\"begin\",\"schema\":1,\"form\":\"runs\",\"run_s\":1,\"confidence\":0.99}");
	for (unsigned i = 0; i < 5; i++) {
		g_autofree char *fails =
			g_strdup_printf("{\"ev\":\"told\",\"node\":%u,\"outcome\":\"failed\"}", bad);

		play(&w, fails);
	}
	return w;
}

static void world_clear(struct world *w)
{
	bisect_state_free(w->state);
	bisect_range_free(w->range);
}

static void says(struct world *w, const char *want)
{
	g_autoptr(GString) text = g_string_new(NULL);

	bisect_notes_add(text, w->range, w->state, &w->step);
	if (!strstr(text->str, want))
		fail_msg("no '%s' in: %s", want, text->str);
}

static void images_are_compared(void **unused)
{
	struct world w = world_new(false, NULL);
	json_t *doc = json_object(), *parent;

	(void)unused;
	play(&w, "{\"ev\":\"image\",\"node\":1,\"sha256\":\"" SHA1 "\"}");
	play(&w, "{\"ev\":\"image\",\"node\":0,\"sha256\":\"" SHA2 "\"}");
	says(&w, "images: bbbbbbbbbbbb (sha256 111111111111) differs from aaaaaaaaaaaa before it (222222222222)");
	bisect_notes_json(doc, w.range, w.state, &w.step);
	parent = json_array_get(json_object_get(json_object_get(doc, "images"), "parents"), 0);
	assert_true(json_is_false(json_object_get(parent, "same")));
	json_decref(doc);
	world_clear(&w);
}

static void the_same_image_is_loud(void **unused)
{
	struct world w = world_new(false, NULL);

	(void)unused;
	play(&w, "{\"ev\":\"image\",\"node\":1,\"sha256\":\"" SHA1 "\"}");
	play(&w, "{\"ev\":\"image\",\"node\":0,\"sha256\":\"" SHA1 "\"}");
	says(&w, "THE SAME IMAGE");
	says(&w, "this change cannot have done it");
	assert_true(w.state->belief->w[1] < 1e-6);
	world_clear(&w);
}

/* A test of the check, as the log has it. */
static void test(struct world *w, const char *outcome)
{
	g_autofree char *start = NULL, *end = NULL, *line = NULL;
	unsigned n = bisect_state_test(w->state);

	start = g_strdup_printf("{\"ev\":\"start\",\"test\":%u,\"node\":2,\"length\":1,\"patched\":true}", n);
	end = g_strdup_printf("{\"ev\":\"end\",\"test\":%u,\"outcome\":\"%s\"}", n, outcome);
	play(w, start);
	play(w, end);
	line = bisect_verify_line(w->range, w->state, n);
	assert_non_null(strstr(line, "verify    cccccccccccc with"));
	assert_non_null(strstr(line, outcome));
}

static void checks_are_told(void **unused)
{
	struct world w = world_new(false, NULL), x = world_new(false, NULL);
	json_t *doc = json_object();

	(void)unused;
	says(&w, "not verified; kbisect run --resume DIR --verify");
	play(&w, "{\"ev\":\"verify\",\"change\":1}");
	says(&w, "verified: open: cccccccccccc without bbbbbbbbbbbb survived 0 runs");
	while (bisect_state_verdict(w.state) == VERIFY_OPEN)
		test(&w, "survived");
	says(&w, "verified: confirmed: cccccccccccc without bbbbbbbbbbbb survived");
	bisect_notes_json(doc, w.range, w.state, &w.step);
	assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "verify"), "verdict")),
			    "confirmed");
	play(&x, "{\"ev\":\"verify\",\"change\":1}");
	test(&x, "failed");
	test(&x, "failed");
	says(&x, "verified: refuted: cccccccccccc without bbbbbbbbbbbb survived 0 runs and failed 2 times");
	play(&x, "{\"ev\":\"verify\",\"change\":1,\"why\":\"it is a merge\"}");
	says(&x, "verified: not possible: it is a merge");
	json_decref(doc);
	world_clear(&w);
	world_clear(&x);
}

static void the_other_side_is_pointed_at(void **unused)
{
	struct world w = world_new(false, "1234567890123"), fix = world_new(true, "1234567890123");

	(void)unused;
	says(&w, "123456789012 is not in the history of the other end: the two parted at 000000000000");
	w.step.answer = BISECT_OLDER;
	says(&w, "--broken 000000000000 --fixed 123456789012");
	fix.step.answer = BISECT_TOO_RARE;
	says(&fix, "--good 000000000000 --bad 123456789012");
	world_clear(&w);
	world_clear(&fix);
}

static void suspects_are_told(void **unused)
{
	struct world w = world_new(false, NULL);

	(void)unused;
	play(&w, "{\"ev\":\"suspects\",\"functions\":[\"f_g\",\"h_i\"],\"files\":[\"a.c\"],\"nodes\":[1]}");
	says(&w, "the failure names f_g, h_i: changes that touch a.c were likelier to begin with (1 of 3)");
	world_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_compared),
		cmocka_unit_test(the_same_image_is_loud),
		cmocka_unit_test(checks_are_told),
		cmocka_unit_test(the_other_side_is_pointed_at),
		cmocka_unit_test(suspects_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
