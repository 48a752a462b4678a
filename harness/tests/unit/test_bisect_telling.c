// SPDX-License-Identifier: GPL-2.0-or-later
/* What a bisection tells: words and numbers of a line, the board, the plan, the status, to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/board.h"
#include "report/bisect.h"

#include <string.h>

#define N 40

static struct bisect_range *kernels(void)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	struct bisect_range *r = NULL;

	for (unsigned i = 0; i <= N; i++)
		g_ptr_array_add(ids, g_strdup_printf("k%02u", i));
	g_ptr_array_add(ids, NULL);
	assert_true(bisect_range_kernels((const char *const *)ids->pdata, false, &r, NULL));
	for (unsigned i = 20; i < 24; i++)
		r->changes[i].subject = g_strdup_printf("fix number %u", i);
	return r;
}

static void log_test(struct bisect_state *s, unsigned node, const char *outcome, double seconds)
{
	unsigned test = bisect_state_test(s);
	g_autofree char *text = g_strdup_printf(
		"{\"ev\":\"start\",\"test\":%u,\"node\":%u,\"length\":1}\n"
		"{\"ev\":\"end\",\"test\":%u,\"outcome\":\"%s\",\"had\":1,\"seconds\":%f,\"why\":\"exit code\"}\n",
		test, node, test, outcome, seconds);

	assert_true(bisect_replay(s, text, strlen(text), NULL));
}

/* Five failures at the bad end, survivors up to 19, failures from 24 on. */
static struct bisect_state *half_way(const struct bisect_range *r)
{
	static const char begin[] = "{\"ev\":\"begin\",\"schema\":1,\"form\":\"runs\",\"run_s\":20,"
				    "\"confidence\":0.99}\n";
	struct bisect_state *s = bisect_state_new(r, 30, 0);

	assert_true(bisect_replay(s, begin, strlen(begin), NULL));
	for (unsigned i = 0; i < 5; i++)
		log_test(s, N - 1, "failed", 10);
	for (unsigned i = 0; i < 4; i++)
		log_test(s, 19, "survived", 10);
	log_test(s, 24, "failed", 10);
	log_test(s, 5, "untestable", 10);
	return s;
}

static void same(const char *is, const char *want)
{
	if (strcmp(is, want))
		fail_msg("is:\n%s\nwant:\n%s", is, want);
}

static void a_line_a_test(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	struct bisect_step step = bisect_state_next(s, NULL, 0, NULL);
	g_autofree char *line = bisect_test_line(r, s, &step, 9);

	(void)unused;
	same(line, "  10  search    k25  failed: exit code  | 20 % k21, 16 suspects, about 3 min to go");
}

/* Each step is 2.4 times as much, and the places are the range's. */
static void the_posterior_on_a_line(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	g_autofree char *blocks = bisect_sparkline(s, N, true), *ascii = bisect_sparkline(s, N, false);
	g_autofree char *narrow = bisect_sparkline(s, 4, false);

	(void)unused;
	same(ascii, "[                    *****...............]");
	same(blocks, "[                    ▆▆▆▆▆▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁]");
	same(narrow, "[::@-]");
}

static void a_sure_answer_fills_its_cell(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	g_autofree char *ascii = NULL;

	(void)unused;
	for (unsigned i = 0; i < 10; i++) {
		log_test(s, 21, "survived", 1);
		log_test(s, 22, "failed", 1);
	}
	ascii = bisect_sparkline(s, N, false);
	same(ascii, "[                      @                 ]");
}

static void the_board_has_two_lines(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	const struct bisect_test tests[] = { { .node = 21 }, { .node = 22 }, { .node = 23 } };
	g_autofree char *text = NULL, *late = NULL, *making = NULL;
	struct bisect_board board;

	(void)unused;
	bisect_board_fill(&board, s, "search", tests, 1, false, false);
	text = bisect_board_text(&board, 7.9, NULL);
	same(text, "search    k22  7 s of 10 s  | 20 % k21, 16 suspects\n"
		   "[                    *****...............]  about 3 min to go");
	late = bisect_board_text(&board, 4000, NULL);
	same(late, "search    k22  66:40 min of 10 s  | 20 % k21, 16 suspects\n"
		   "[                    *****...............]");
	bisect_board_clear(&board);
	bisect_board_fill(&board, s, "search", tests, 3, true, false);
	making = bisect_board_text(&board, 71, "linux: building, 34 %");
	same(making, "kernel    k22, k23, 1 more  1:11 min of 30 s  | 20 % k21, 16 suspects\n"
		     "[                    *****...............]  about 2 min to go  linux: building, 34 %");
	bisect_board_clear(&board);
}

/* A guess of what a command takes is not shown as if it were known. */
static void nothing_is_expected_before_it_has_run(void **unused)
{
	static const char begin[] = "{\"ev\":\"begin\",\"schema\":1,\"form\":\"runs\",\"run_s\":60,"
				    "\"confidence\":0.99}\n";
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = bisect_state_new(r, 30, 0);
	struct bisect_board board;

	(void)unused;
	assert_true(bisect_replay(s, begin, strlen(begin), NULL));
	bisect_board_fill(&board, s, "calibrate", &(struct bisect_test){ .node = 39 }, 1, false, false);
	assert_true(board.expected_s == 0 && board.eta_s > 60);
	bisect_board_clear(&board);
}

static void a_line_is_cut_by_what_is_seen(void **unused)
{
	static const struct {
		const char *line, *want;
		unsigned columns;
	} cases[] = {
		{ "abcdef", "abc", 3 },	       { "abc", "abc", 3 },	{ "▁▂▃▄", "▁▂", 2 },
		{ "日本語", "日", 3 },	       { "e\u0301a", "e\u0301", 1 }, { "", "", 5 },
		{ "a\xff" "b", "a\xef\xbf\xbd", 2 },
	};

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *is = board_fit(cases[i].line, cases[i].columns);

		same(is, cases[i].want);
	}
}

/* --- the plan ----------------------------------------------------------------------------------- */

static void a_plan_is_a_table(void **unused)
{
	static const struct bisect_plan plan = {
		.n_rows = 3,
		.rows = { { .p = 1, .trials = 100, .all = true, .tests = { 18.25, 22, 24 },
			    .kernels = { 7.66, 8, 9 }, .wall_s = { 1100, 1320, 1440 } },
			  { .p = 0.5, .trials = 100, .tests = { 48.5, 71, 88 },
			    .kernels = { 11.5, 17, 24 }, .wall_s = { 2910, 4260, 5280 } },
			  { .p = 0.2, .wall_s = { .mean = 8700 } } },
	};
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	g_autofree char *text = NULL;

	(void)unused;
	text = bisect_plan_text(s, &plan, "kbisect run --resume DIR");
	same(text,
	     "16 suspects; what it will take, if a run with the bug fails in\n\n"
	     "                           TESTS   95%   MAX  KERNELS   95%   MAX      TIME      95%      MAX\n"
	     "each run                    18.2    22    24      7.7     8     9    18 min   22 min   24 min\n"
	     "1 run of 2                  48.5    71     -     11.5    17     -    48 min   71 min        -\n"
	     "1 run of 5                                                            2.4 h        -        -\n"
	     "\n"
	     "A run takes 10 s, a kernel 30 s, as measured or guessed.\n"
	     "By simulation: 100, 100 and 0 bisections of this range, in the first row each change was the "
	     "culprit.\n"
	     "A row without tests is an estimate: so long a range takes too long to simulate.\n"
	     "To go on: kbisect run --resume DIR\n");
}

static void a_plan_says_after_how_long(void **unused)
{
	static const char begin[] = "{\"ev\":\"begin\",\"schema\":1,\"form\":\"time\",\"run_s\":20,"
				    "\"confidence\":0.99}\n";
	static const struct bisect_plan plan = {
		.n_rows = 2,
		.rows = { { .p = 1, .mean_s = 2, .trials = 3, .tests = { 10, 11, 12 },
			    .kernels = { 5, 6, 7 }, .wall_s = { 300, 400, 500 } },
			  { .p = 0.2, .mean_s = 89.6, .trials = 3, .tests = { 10, 11, 12 },
			    .kernels = { 5, 6, 7 }, .wall_s = { 300, 400, 500 } } },
	};
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = bisect_state_new(r, 120, 8);
	g_autofree char *text = NULL;

	(void)unused;
	assert_true(bisect_replay(s, begin, strlen(begin), NULL));
	s->costs.jobs = 2;
	text = bisect_plan_text(s, &plan, "AGAIN");
	assert_non_null(strstr(text, "\neach run, after 2.0 s         10     -     -        5     -     -     5 "
				     "min        -        -\n"));
	assert_non_null(strstr(text, "\n1 run of 5, after 90 s "));
	assert_non_null(strstr(text, "A run takes 28 s at the usual length, with its boot, a kernel 2 min; "
				     "these are guesses; 2 guests at once.\n"));
	assert_non_null(strstr(text, "By simulation: 3 and 3 bisections of this range.\n"));
	assert_non_null(strstr(text, "Nothing has been run. To go on: AGAIN\n"));
}

static void a_plan_as_json(void **unused)
{
	static const struct bisect_plan plan = {
		.n_rows = 2,
		.rows = { { .p = 1, .mean_s = 2, .trials = 3, .all = true, .tests = { 10, 11, 12 },
			    .kernels = { 5, 6, 7 }, .wall_s = { 300, 400, 500 } },
			  { .p = 0.2, .wall_s = { .mean = 8700 } } },
	};
	json_t *json = bisect_plan_json(&plan);
	char *text = json_dumps(json, JSON_COMPACT);

	(void)unused;
	same(text, "{\"measured\":false,\"rows\":[{\"p\":1.0,\"trials\":3,\"each_change\":true,\"wall_s\":{"
		   "\"mean\":300.0,\"p95\":400.0,\"max\":500.0},\"mean_to_failure_s\":2.0,\"tests\":{\"mean\":10.0,"
		   "\"p95\":11.0,\"max\":12.0},\"kernels\":{\"mean\":5.0,\"p95\":6.0,\"max\":7.0}},{\"p\":"
		   "0.20000000000000001,\"trials\":0,\"each_change\":false,\"wall_s\":{\"mean\":8700.0}}]}");
	free(text);
	json_decref(json);
}

/* --- the status --------------------------------------------------------------------------------- */

static void the_status_at_length(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	struct bisect_step step = bisect_state_next(s, NULL, 0, NULL);
	g_autofree char *text = bisect_status_text(r, s, &step, "search, stopped", false);

	(void)unused;
	same(text, "search, stopped\n"
		   "not done: 20 % k21 (\"fix number 20\"), 16 suspects\n"
		   "fails in 96.4 % of runs (67.0 to 100.0)\n"
		   "11 tests (6 failed, 4 survived, 0 failed otherwise, 1 untestable, 0 lost) in 2 min, 0 "
		   "kernels in 0.0 s\n"
		   "to go: about 3 min\n"
		   "\n"
		   "[                    *****...............]\n"
		   " k01                                  k40\n"
		   "\n"
		   "SUSPECTS\n"
		   "     20 %  k21  fix number 20\n"
		   "     20 %  k22  fix number 21\n"
		   "     20 %  k23  fix number 22\n"
		   "     20 %  k24  fix number 23\n"
		   "     20 %  k25  \n"
		   "    0.1 %  k26  \n"
		   "    0.1 %  k27  \n"
		   "    0.1 %  k28  \n"
		   "           8 more\n"
		   "\n"
		   "   FAILED    SURVIVED    HAS IT  KERNEL\n"
		   "        0  untestable     0.2 %  k06\n"
		   "        0           4     0.6 %  k20\n"
		   "        1           0      98 %  k25\n"
		   "        5           0   99.99 %  k40\n");
}

static void json_has_the_time_to_go(void **unused)
{
	g_autoptr(bisect_range) r = kernels();
	g_autoptr(bisect_state) s = half_way(r);
	struct bisect_step step = bisect_state_next(s, NULL, 0, NULL);
	json_t *json = bisect_json(r, s, &step);
	double eta_s = json_number_value(json_object_get(json, "eta_s"));

	(void)unused;
	assert_true(eta_s > 60 && eta_s < 600);
	json_decref(json);
	step.phase = BISECT_DONE;
	json = bisect_json(r, s, &step);
	assert_true(json_number_value(json_object_get(json, "eta_s")) == 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_a_test),
		cmocka_unit_test(the_posterior_on_a_line),
		cmocka_unit_test(a_sure_answer_fills_its_cell),
		cmocka_unit_test(the_board_has_two_lines),
		cmocka_unit_test(nothing_is_expected_before_it_has_run),
		cmocka_unit_test(a_line_is_cut_by_what_is_seen),
		cmocka_unit_test(a_plan_is_a_table),
		cmocka_unit_test(a_plan_says_after_how_long),
		cmocka_unit_test(a_plan_as_json),
		cmocka_unit_test(the_status_at_length),
		cmocka_unit_test(json_has_the_time_to_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
