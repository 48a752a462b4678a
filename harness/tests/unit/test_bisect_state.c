// SPDX-License-Identifier: GPL-2.0-or-later
/* A bisection as a function of its log: played, cut off anywhere, read again; ranges as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bisect/prior.h"
#include "bisect/state.h"
#include "bisect/symptom.h"

#include <math.h>
#include <string.h>

#define N 40
#define CULPRIT 17
#define SHA "%064x"

static struct bisect_range *kernels(unsigned n)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	struct bisect_range *r = NULL;

	for (unsigned i = 0; i <= n; i++)
		g_ptr_array_add(ids, g_strdup_printf("k%u", i));
	g_ptr_array_add(ids, NULL);
	assert_true(bisect_range_kernels((const char *const *)ids->pdata, false, &r, NULL));
	return r;
}

static const char begin[] = "{\"ev\":\"begin\",\"schema\":1,\"form\":\"runs\",\"run_s\":10,"
			    "\"confidence\":0.99}\n";

/* Play a whole bisection by the log alone: what is decided follows from what was written. */
static char *play(const struct bisect_range *r, const char *log, struct bisect_step *ret)
{
	g_autoptr(bisect_state) s = bisect_state_new(r, 30, 5);
	GString *text = g_string_new(log);

	for (;;) {
		g_autoptr(GError) error = NULL;
		struct bisect_step step;
		unsigned node, test;
		size_t from;

		bisect_state_free(s);
		s = bisect_state_new(r, 30, 5);
		assert_true(bisect_replay(s, text->str, text->len, &error));
		step = bisect_state_next(s, NULL, 0, NULL);
		*ret = step;
		if (step.phase == BISECT_DONE)
			return g_string_free(text, FALSE);
		node = step.test.node;
		test = bisect_state_test(s);
		from = text->len;
		if (!s->image[node])
			g_string_append_printf(text, "{\"ev\":\"image\",\"node\":%u,\"sha256\":\"" SHA
						     "\",\"seconds\":20}\n", node, node);
		g_string_append_printf(text, "{\"ev\":\"start\",\"test\":%u,\"node\":%u,\"length\":1}\n",
				       test, node);
		g_string_append_printf(text, "{\"ev\":\"end\",\"test\":%u,\"outcome\":\"%s\",\"had\":1,"
					     "\"seconds\":12}\n", test,
				       node < N && node >= CULPRIT && test % 3 ? "failed" : "survived");
		assert_true(text->len > from);
	}
}

static void the_log_is_the_state(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autofree char *log = NULL;
	struct bisect_step step;

	(void)unused;
	log = play(r, begin, &step);
	assert_int_equal(step.answer, BISECT_FOUND);
	assert_int_equal(step.change, CULPRIT);
}

/* Killed after any byte: the torn line is dropped, and the rest is gone on from to the same answer. */
static void cut_off_anywhere_it_goes_on(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autofree char *log = NULL;
	struct bisect_step step;

	(void)unused;
	log = play(r, begin, &step);
	for (size_t len = strlen(begin); len < strlen(log); len += 97) {
		g_autofree char *cut = g_strndup(log, len), *again = NULL;
		char *newline = strrchr(cut, '\n');

		newline[1] = '\0';	/* as who goes on writes */
		again = play(r, cut, &step);
		assert_int_equal(step.answer, BISECT_FOUND);
		assert_int_equal(step.change, CULPRIT);
	}
}

static void apply(struct bisect_state *s, const char *text, bool ok)
{
	json_t *json = json_loads(text, 0, NULL);
	g_autoptr(GError) error = NULL;

	assert_non_null(json);
	if (bisect_apply(s, json, &error) != ok)
		fail_msg("%s: %s", text, error ? error->message : "taken");
	json_decref(json);
}

static struct bisect_state *begun(const struct bisect_range *r)
{
	struct bisect_state *s = bisect_state_new(r, 30, 5);

	apply(s, begin, true);
	return s;
}

static void no_test_counts_twice(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);

	(void)unused;
	apply(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\"}", false);
	apply(s, "{\"ev\":\"start\",\"test\":1,\"node\":39,\"length\":1}", false);
	apply(s, "{\"ev\":\"start\",\"test\":0,\"node\":39,\"length\":1}", true);
	apply(s, "{\"ev\":\"start\",\"test\":0,\"node\":39,\"length\":1}", false);
	apply(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\"}", true);
	apply(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\"}", false);
	assert_true(s->belief->at[39].fails == 1);
	assert_int_equal(s->counts[OUTCOME_FAILED], 1);
}

static void bad_events_change_nothing(void **unused)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"ev\":\"frobnicate\"}", "{\"ev\":\"image\",\"node\":3}",
		"{\"ev\":\"image\",\"node\":99,\"sha256\":\"0\"}",
		"{\"ev\":\"start\",\"test\":0,\"node\":-1,\"length\":1}",
		"{\"ev\":\"start\",\"test\":0,\"node\":1,\"length\":-1}",
		"{\"ev\":\"start\",\"test\":0.5,\"node\":1,\"length\":1}",
		"{\"ev\":\"told\",\"node\":1,\"outcome\":\"perhaps\"}",
		"{\"ev\":\"begin\",\"schema\":1,\"form\":\"runs\",\"run_s\":10,\"confidence\":0.9}",
	};
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r), empty = bisect_state_new(r, 1, 1);

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		apply(s, bad[i], false);
	assert_int_equal(s->runs->len, 0);
	apply(empty, "{\"ev\":\"told\",\"node\":1,\"outcome\":\"failed\"}", false);
	apply(empty, "{\"ev\":\"begin\",\"schema\":2,\"form\":\"runs\",\"run_s\":1,\"confidence\":0.9}",
	      false);
}

/* A crash of another kind is no failure and no survival; a lost test is nothing at all. */
static void other_outcomes_are_no_evidence(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);
	double before = s->belief->w[5];

	(void)unused;
	apply(s, "{\"ev\":\"told\",\"node\":5,\"outcome\":\"other\"}", true);
	apply(s, "{\"ev\":\"told\",\"node\":5,\"outcome\":\"lost\"}", true);
	apply(s, "{\"ev\":\"told\",\"node\":9,\"outcome\":\"untestable\"}", true);
	assert_true(fabs(s->belief->w[5] - before) < 1e-12);
	assert_int_equal(s->known[9], TESTABLE_NO);
	assert_true(s->untestable[9] == 1 && s->untestable[10] > s->untestable[30]);
}

/* Images that are the same: the change between them cannot have done it. */
static void a_change_that_changes_nothing_is_no_suspect(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);

	(void)unused;
	apply(s, "{\"ev\":\"image\",\"node\":4,\"seconds\":20,\"sha256\":\""
		 "0000000000000000000000000000000000000000000000000000000000000001\"}", true);
	apply(s, "{\"ev\":\"image\",\"node\":6,\"seconds\":20,\"sha256\":\""
		 "0000000000000000000000000000000000000000000000000000000000000001\"}", true);
	assert_true(s->belief->w[5] < s->belief->w[7] * 1e-3);
	assert_true(s->belief->w[6] < s->belief->w[7] * 1e-3);
	assert_true(fabs(s->belief->w[4] - s->belief->w[7]) < 1e-12);
	assert_true(s->make_s[4] == 0 && s->make_s[7] > 0);
}

#define SAME "0000000000000000000000000000000000000000000000000000000000000001"

/* Not even by evidence: one kernel cannot fail where it survives, other than by chance. */
static void the_same_image_is_not_the_answer(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);

	(void)unused;
	apply(s, "{\"ev\":\"image\",\"node\":5,\"sha256\":\"" SAME "\"}", true);
	apply(s, "{\"ev\":\"image\",\"node\":6,\"sha256\":\"" SAME "\"}", true);
	for (unsigned i = 0; i < 5; i++) {
		apply(s, "{\"ev\":\"told\",\"node\":39,\"outcome\":\"failed\"}", true);
		apply(s, "{\"ev\":\"told\",\"node\":7,\"outcome\":\"failed\"}", true);
		apply(s, "{\"ev\":\"told\",\"node\":4,\"outcome\":\"survived\"}", true);
		apply(s, "{\"ev\":\"told\",\"node\":5,\"outcome\":\"survived\"}", true);
	}
	apply(s, "{\"ev\":\"told\",\"node\":6,\"outcome\":\"failed\"}", true);
	assert_true(bisect_state_same_image(s, 5, 6) && !bisect_state_same_image(s, 4, 5));
	assert_true(bisect_best(s->belief) != 6 && s->belief->w[6] < 1e-3);
}

/* --- the check of an answer --------------------------------------------------------------------- */

static void patched(struct bisect_state *s, const char *outcome)
{
	g_autofree char *start = NULL, *end = NULL;
	unsigned test = bisect_state_test(s);

	start = g_strdup_printf("{\"ev\":\"start\",\"test\":%u,\"node\":39,\"length\":1,"
				"\"patched\":true}", test);
	end = g_strdup_printf("{\"ev\":\"end\",\"test\":%u,\"outcome\":\"%s\",\"why\":\"w\"}", test,
			      outcome);
	apply(s, start, true);
	apply(s, end, true);
}

static struct bisect_state *answered(const struct bisect_range *r)
{
	struct bisect_state *s = begun(r);

	for (unsigned i = 0; i < 5; i++)
		apply(s, "{\"ev\":\"told\",\"node\":39,\"outcome\":\"failed\"}", true);
	assert_int_equal(bisect_state_verdict(s), VERIFY_NONE);
	apply(s, "{\"ev\":\"start\",\"test\":0,\"node\":39,\"length\":1,\"patched\":true}", false);
	apply(s, "{\"ev\":\"verify\",\"change\":17}", true);
	assert_int_equal(bisect_state_verdict(s), VERIFY_OPEN);
	return s;
}

static void a_check_is_no_evidence_of_the_search(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = answered(r);
	double before = s->belief->w[17], needs = bisect_state_verify_lacks(s);

	(void)unused;
	for (double i = 0; i < needs; i++) {
		assert_true(bisect_state_verify_lacks(s) == needs - i);
		patched(s, "survived");
	}
	assert_int_equal(bisect_state_verdict(s), VERIFY_CONFIRMED);
	assert_true(needs >= 3 && needs <= 6);	/* 0.01 of a rate that is above 0.6 or so */
	assert_true(s->belief->w[17] == before && s->belief->at[39].had == 0);
	assert_int_equal(s->counts[OUTCOME_SURVIVED], needs);
	assert_true(verify_chance(&s->verify, &s->model, s->belief->at[39]) <= 0.01);
	/* another check begins anew */
	apply(s, "{\"ev\":\"verify\",\"change\":18}", true);
	assert_int_equal(bisect_state_verdict(s), VERIFY_OPEN);
	assert_true(bisect_state_verify_lacks(s) == needs);
}

static void two_failures_refute(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = answered(r);

	(void)unused;
	patched(s, "lost");
	patched(s, "failed");
	assert_int_equal(bisect_state_verdict(s), VERIFY_OPEN);
	patched(s, "failed");
	assert_int_equal(bisect_state_verdict(s), VERIFY_REFUTED);
}

static void what_cannot_be_checked_is_no_verdict(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = answered(r), t = answered(r), u = answered(r);

	(void)unused;
	patched(s, "untestable");
	assert_int_equal(bisect_state_verdict(s), VERIFY_IMPOSSIBLE);
	assert_string_equal(s->verify.why, "w");
	assert_int_equal(s->known[39], TESTABLE_YES);
	for (unsigned i = 0; i < VERIFY_OTHERS_MAX; i++)
		patched(t, "other");
	assert_int_equal(bisect_state_verdict(t), VERIFY_IMPOSSIBLE);
	apply(u, "{\"ev\":\"verify\",\"change\":17,\"why\":\"a merge\"}", true);
	assert_int_equal(bisect_state_verdict(u), VERIFY_IMPOSSIBLE);
	apply(u, "{\"ev\":\"verify\",\"change\":40}", false);
}

/* --- what the failure points at ----------------------------------------------------------------- */

static void the_failure_makes_suspects(void **unused)
{
	static const char event[] = "{\"ev\":\"suspects\",\"functions\":[\"f_g\"],\"files\":[\"a.c\"],"
				    "\"nodes\":[3,9]}";
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = NULL;

	(void)unused;
	r->prior[9] = PRIOR_SUSPECTED;	/* the user's hint, too: together they have a limit */
	r->prior[12] = PRIOR_OUTSIDE;
	s = begun(r);
	assert_null(bisect_state_title(s));
	apply(s, event, true);
	assert_true(fabs(s->belief->w[3] / s->belief->w[4] - PRIOR_SUSPECTED) < 1e-9);
	assert_true(fabs(s->belief->w[9] / s->belief->w[4] - PRIOR_MOST) < 1e-9);
	assert_int_equal(s->suspects, 2);
	apply(s, event, false);	/* once */
	bisect_state_free(s);
	s = begun(r);
	apply(s, "{\"ev\":\"suspects\",\"functions\":[],\"files\":[],\"nodes\":[9,3]}", false);
	apply(s, "{\"ev\":\"suspects\",\"functions\":[],\"files\":[],\"nodes\":[40]}", false);
	apply(s, "{\"ev\":\"suspects\",\"functions\":[],\"files\":[],\"nodes\":[12]}", true);
	assert_true(s->belief->w[12] < s->belief->w[4] * 1e-3);
}

static void titles_name_functions(void **unused)
{
	static const struct {
		const char *title, *want;
	} cases[] = {
		{ "deadlock: find_vmap_area <- __check_object_size <- bpf <- nmi",
		  "find_vmap_area __check_object_size" },
		{ "oops: NULL pointer dereference in poke_int3_handler", "poke_int3_handler" },
		{ "oops: general protection fault in foo_bar.isra.0+0x10/0x20", "foo_bar" },
		{ "corruption: 17 bytes at 0x1234", "" },
		{ "lockup: smp_call smp_call x$(id)_y;_z", "smp_call" },
		{ NULL, "" },
	};

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(GStrv) names = symptom_functions(cases[i].title);
		g_autofree char *all = g_strjoinv(" ", names);

		assert_string_equal(all, cases[i].want);
	}
}

/* Tests with other delays are other tests. */
static void a_plan_begins_anew(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);

	(void)unused;
	apply(s, "{\"ev\":\"told\",\"node\":39,\"outcome\":\"survived\"}", true);
	apply(s, "{\"ev\":\"start\",\"test\":0,\"node\":39,\"length\":1}", true);
	apply(s, "{\"ev\":\"plan\",\"text\":\"f,us=10\"}", true);
	apply(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\"}", true);
	assert_string_equal(s->plan, "f,us=10");
	assert_true(s->belief->at[39].fails == 1 && s->belief->at[39].had == 0);
}

/* The bad end says what is looked for; other failures are others. */
static void symptoms_are_those_of_the_bad_end(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);
	static const char deadlock[] = "deadlock: find_vmap_area <- __check_object_size";

	(void)unused;
	assert_false(bisect_is_symptom(s, 3, deadlock, NULL, NULL));
	assert_true(bisect_is_symptom(s, 39, deadlock, NULL, NULL));
	apply(s, "{\"ev\":\"start\",\"test\":0,\"node\":39,\"length\":1}", true);
	apply(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\",\"title\":\"deadlock: "
		 "alloc_vmap_area <- find_vmap_area\"}", true);
	assert_true(bisect_is_symptom(s, 3, deadlock, NULL, NULL));
	assert_false(bisect_is_symptom(s, 3, "oops: find_vmap_area", NULL, NULL));
	assert_false(bisect_is_symptom(s, 3, "deadlock: mutex_lock", NULL, NULL));
	assert_true(bisect_is_symptom(s, 3, "oops: x", NULL, "oops: *"));
	assert_false(bisect_is_symptom(s, 39, deadlock, NULL, "oops: *"));
}

static void a_torn_line_is_dropped(void **unused)
{
	g_autoptr(bisect_range) r = kernels(N);
	g_autoptr(bisect_state) s = begun(r);
	static const char torn[] = "{\"ev\":\"told\",\"node\":1,\"outcome\":\"failed\"}\n{\"ev\":\"to";
	static const char bad[] = "{\"ev\":\"told\"\n";
	g_autoptr(GError) error = NULL;

	(void)unused;
	assert_true(bisect_replay(s, torn, strlen(torn), NULL));
	assert_true(s->belief->at[1].fails == 1);
	assert_false(bisect_replay(s, bad, strlen(bad), &error));
	assert_non_null(strstr(error->message, "line 1 "));
}

/* --- ranges ------------------------------------------------------------------------------------- */

static const char commits[] =
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0000000000000000000000000000000000000000\n"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	"cccccccccccccccccccccccccccccccccccccccc 0000000000000000000000000000000000000000\n"
	"dddddddddddddddddddddddddddddddddddddddd bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
	"cccccccccccccccccccccccccccccccccccccccc\n";
static const char names[] = "\001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\tone\n\nkernel/a.c\nDocumentation/x\n"
			    "\001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\ttwo\002\n\nDocumentation/y\n"
			    "\001cccccccccccccccccccccccccccccccccccccccc\tthree\00212ab (\"x\")\n\nmm/z.c\n"
			    "\001eeee\tnobody\n\nq\n";

static struct bisect_range *range_of_commits(const char *const *suspects)
{
	struct bisect_range *r = NULL;
	g_autoptr(history) h = NULL;

	assert_true(history_parse(commits, strlen(commits), &h, NULL));
	history_parse_names(h, names, strlen(names));
	h->from = g_strdup("0000000000000000000000000000000000000000");
	assert_true(bisect_range_commits(h, false, suspects, &r, NULL));
	return r;
}

static void commits_make_a_range(void **unused)
{
	static const char *const suspects[] = { "mm/", NULL };
	g_autoptr(bisect_range) r = range_of_commits(suspects);
	g_autofree char *name = bisect_range_name(r, 3);

	(void)unused;
	assert_int_equal(r->n, 4);
	assert_string_equal(r->changes[1].subject, "two");
	assert_string_equal(r->changes[2].subject, "three");
	assert_true(r->changes[3].merge && !r->changes[2].merge);
	assert_true(r->prior[0] == 1 && r->prior[1] == PRIOR_OUTSIDE);
	assert_true(r->prior[2] == PRIOR_SUSPECTED * PRIOR_FIXES && r->prior[3] == PRIOR_MERGE);
	assert_int_equal(bisect_range_find(r, "bbbbbbbb"), 1);
	assert_int_equal(bisect_range_find(r, "bbb"), -1);
	assert_string_equal(name, "dddddddddddd");
}

static void a_range_survives_json(void **unused)
{
	g_autoptr(bisect_range) r = range_of_commits(NULL), back = NULL;
	json_t *json = bisect_range_json(r), *again;

	(void)unused;
	assert_true(bisect_range_parse(json, &back, NULL));
	again = bisect_range_json(back);
	assert_true(json_equal(json, again));
	json_decref(json);
	json_decref(again);
}

static void what_is_no_range_is_refused(void **unused)
{
	static const char *const texts[] = {
		"{}", "{\"changes\":[]}", "{\"changes\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
		"{\"changes\":[{\"id\":\"a\",\"parents\":[0],\"prior\":1},{\"id\":\"b\"}]}",
		"{\"changes\":[{\"id\":\"a\",\"parents\":[],\"prior\":0},{\"id\":\"b\"}]}",
		"{\"changes\":[{\"id\":\"a\",\"parents\":[],\"prior\":1},"
		"{\"id\":\"b\",\"parents\":[],\"prior\":1},{\"id\":\"c\"}]}",
	};

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		json_t *json = json_loads(texts[i], 0, NULL);
		struct bisect_range *r = NULL;

		assert_false(bisect_range_parse(json, &r, NULL));
		json_decref(json);
	}
}

static void kernels_twice_are_refused(void **unused)
{
	static const char *const twice[] = { "a", "b", "a", NULL }, *const one[] = { "a", NULL };
	struct bisect_range *r = NULL;

	(void)unused;
	assert_false(bisect_range_kernels(twice, false, &r, NULL));
	assert_false(bisect_range_kernels(one, false, &r, NULL));
}

static double prior_of(const char *const *files, const char *const *suspects)
{
	return prior_of_change(&(struct prior_facts){ .files = files }, suspects);
}

static void priors_go_by_files(void **unused)
{
	static const char *const arm[] = { "arch/arm64/mm/x.c", "Documentation/y", NULL };
	static const char *const objtool[] = { "tools/objtool/check.c", NULL };
	static const char *const mixed[] = { "Documentation/y", "kernel/trace/x.c", NULL };
	static const char *const suspects[] = { "kernel/trace/", NULL };
	static const char *const near[] = { "kernel/tracepoint.c", NULL };

	(void)unused;
	assert_true(prior_of(arm, NULL) == PRIOR_OUTSIDE);
	assert_true(prior_of(objtool, NULL) == 1);
	assert_true(prior_of(mixed, suspects) == PRIOR_SUSPECTED);
	assert_true(prior_of(near, suspects) == 1);
	assert_true(prior_of_change(&(struct prior_facts){ .merge = true }, suspects) == PRIOR_MERGE);
	assert_true(prior_of_change(&(struct prior_facts){ .fixes = true }, NULL) == PRIOR_FIXES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_is_the_state),
		cmocka_unit_test(cut_off_anywhere_it_goes_on),
		cmocka_unit_test(no_test_counts_twice),
		cmocka_unit_test(bad_events_change_nothing),
		cmocka_unit_test(other_outcomes_are_no_evidence),
		cmocka_unit_test(a_change_that_changes_nothing_is_no_suspect),
		cmocka_unit_test(the_same_image_is_not_the_answer),
		cmocka_unit_test(a_check_is_no_evidence_of_the_search),
		cmocka_unit_test(two_failures_refute),
		cmocka_unit_test(what_cannot_be_checked_is_no_verdict),
		cmocka_unit_test(the_failure_makes_suspects),
		cmocka_unit_test(titles_name_functions),
		cmocka_unit_test(a_plan_begins_anew),
		cmocka_unit_test(symptoms_are_those_of_the_bad_end),
		cmocka_unit_test(a_torn_line_is_dropped),
		cmocka_unit_test(commits_make_a_range),
		cmocka_unit_test(a_range_survives_json),
		cmocka_unit_test(what_is_no_range_is_refused),
		cmocka_unit_test(kernels_twice_are_refused),
		cmocka_unit_test(priors_go_by_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
