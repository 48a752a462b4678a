// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop of a bisection: decide, have the kernel, test, write down, tell. */
#include "cmd/bisect.h"

#include "report/bisect.h"

#include <string.h>

#define LOST_MAX 5	/* in a row: the lab is at fault, not the kernels */
#define ROUND_MAX 64

struct round {
	struct bisect_session *s;
	const struct bisect_tester *tester;
	GRand *rand;
	enum bisect_phase phase;
	struct bisect_try tries[ROUND_MAX];
	unsigned n, lost;
};

static void round_clear(struct round *r)
{
	for (unsigned i = 0; i < r->n; i++)
		bisect_try_clear(&r->tries[i]);
	memset(r->tries, 0, sizeof(r->tries));
	r->n = 0;
}

/* --- kernels ------------------------------------------------------------------------------------ */

static bool log_end(struct bisect_session *s, const struct bisect_try *t, GError **error)
{
	return bisect_session_log(
		s, json_pack("{s:s, s:i, s:s, s:f, s:f, s:s*, s:s*, s:s*, s:s*}", "ev", "end",
			     "test", (int)t->test, "outcome", bisect_outcome_name(t->outcome),
			     "had", t->had, "seconds", t->seconds, "title", t->title, "hazard",
			     t->hazard, "why", t->why, "dir", t->dir), error);
}

static bool log_start(struct bisect_session *s, const struct bisect_try *t, GError **error)
{
	json_t *json = json_pack("{s:s, s:i, s:i, s:f}", "ev", "start", "test", (int)t->test, "node",
				 (int)t->node, "length", t->length);

	if (t->patched)
		json_object_set_new(json, "patched", json_true());
	return bisect_session_log(s, json, error);
}

/* A kernel that cannot be had is a test that ended at once. */
static bool note_unmakable(struct bisect_session *s, unsigned node, double seconds,
			   const GError *why, GError **error)
{
	struct bisect_try t = { .test = bisect_state_test(s->state), .node = node, .seconds = seconds,
				.outcome = OUTCOME_UNTESTABLE, .why = why->message };
	g_autofree char *name = bisect_range_name(s->range, node);
	g_autofree char *line = g_strdup_printf("%s cannot be had: %s", name, why->message);

	cmd_line(line);
	return log_start(s, &t, error) && log_end(s, &t, error);
}

/* *ret_there: the kernel can be booted. */
static bool have_kernel(struct round *r, unsigned node, bool *ret_there, GError **error)
{
	struct bisect_session *s = r->s;
	int64_t began = g_get_monotonic_time();
	g_autofree char *sha256 = NULL;
	g_autoptr(GError) own = NULL;
	double seconds;
	bool made;

	*ret_there = true;
	if (s->state->image[node])
		return true;
	bisect_prebuild_yield(s, node);
	bisect_tell_begin(s, NULL, &(struct bisect_test){ .node = node }, 1, true);
	made = r->tester->make(s, node, false, &sha256, &own);
	bisect_tell_end();
	if (!made) {
		*ret_there = false;
		seconds = (g_get_monotonic_time() - began) / 1e6;
		if (g_error_matches(own, LAB_ERROR, LAB_ERROR_INPUT))
			return note_unmakable(s, node, seconds, own, error);
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	seconds = (g_get_monotonic_time() - began) / 1e6;
	return !sha256 || bisect_session_log(s, json_pack("{s:s, s:i, s:s, s:f}", "ev", "image",
							  "node", (int)node, "sha256", sha256,
							  "seconds", seconds), error);
}

/* --- a round ------------------------------------------------------------------------------------ */

static unsigned round_size(const struct bisect_session *s)
{
	return s->req.command ? 1 : CLAMP(s->req.jobs, 1, ROUND_MAX);
}

/* Choose tests until all guests have one; *ret is what the first decision said. */
static bool choose(struct round *r, struct bisect_step *ret, GError **error)
{
	struct bisect_state *state = r->s->state;
	struct bisect_test pending[ROUND_MAX];

	round_clear(r);
	*ret = bisect_state_next(state, NULL, 0, r->rand);
	for (struct bisect_step step = *ret; step.phase != BISECT_DONE;) {
		struct bisect_try *t = &r->tries[r->n];
		bool there;

		if (!have_kernel(r, step.test.node, &there, error))
			return false;
		if (!there) {	/* that was news: think again */
			round_clear(r);
			*ret = step = bisect_state_next(state, NULL, 0, r->rand);
			continue;
		}
		r->phase = step.phase;
		t->node = step.test.node;
		t->length = state->model.form == BISECT_RUNS ? 1 : step.test.length;
		pending[r->n] = step.test;
		pending[r->n++].length = t->length;
		if (r->n == round_size(r->s))
			break;
		step = bisect_state_next(state, pending, r->n, r->rand);
	}
	return true;
}

static bool write_start(struct round *r, GError **error)
{
	for (unsigned i = 0; i < r->n; i++) {
		r->tries[i].test = bisect_state_test(r->s->state);
		if (!log_start(r->s, &r->tries[i], error))
			return false;
	}
	return true;
}

/* The delays that brought a failure about at the bad end are every later test's: what is compared
 * must be alike. What was seen before them does not count. */
static bool freeze_plan(struct round *r, const struct bisect_try *t, bool *ret_frozen, GError **error)
{
	struct bisect_state *state = r->s->state;

	*ret_frozen = !state->plan && t->plan && !t->patched &&
		      t->node == bisect_bad_end(state->belief);
	if (!*ret_frozen)
		return true;
	cmd_line("the delays of that failure are kept for all tests from now on");
	return bisect_session_log(r->s, json_pack("{s:s, s:s}", "ev", "plan", "text", t->plan),
				  error);
}

/* What was tested once and now "cannot be" is no news of the kernel, and must not go on for ever. */
static bool says_nothing(const struct bisect_state *state, const struct bisect_try *t)
{
	return t->outcome == OUTCOME_LOST ||
	       (t->outcome == OUTCOME_UNTESTABLE && !t->patched &&
		state->known[t->node] == TESTABLE_YES);
}

static bool write_end(struct round *r, GError **error)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct bisect_try *t = &r->tries[i];
		bool frozen = false;

		if (t->outcome == OUTCOME_FAILED && !freeze_plan(r, t, &frozen, error))
			return false;
		if (!log_end(r->s, t, error))
			return false;
		r->lost = says_nothing(r->s->state, t) ? r->lost + 1 : 0;
	}
	if (r->lost < LOST_MAX)
		return true;
	return lab_fail(error, LAB_ERROR_INFRA,
			"%u tests in a row say nothing, the last one: %s\nhint: klab doctor; kbisect "
			"run --resume goes on", r->lost, r->tries[r->n - 1].why);
}

static bool run_round(struct round *r, GError **error)
{
	struct bisect_test tests[ROUND_MAX];
	bool ran;

	for (unsigned i = 0; i < r->n; i++)
		tests[i] = (struct bisect_test){ .node = r->tries[i].node, .length = r->tries[i].length };
	bisect_tell_begin(r->s, r->tries[0].patched ? "verify" : bisect_phase_name(r->phase), tests,
			  r->n, false);
	ran = r->tester->run(r->s, r->tries, r->n, error);
	bisect_tell_end();
	return ran;
}

static bool do_round(struct round *r, GError **error)
{
	g_autoptr(GError) own = NULL;
	bool ran;

	if (!write_start(r, error))
		return false;
	if (!r->tries[0].patched)
		bisect_prebuild_start(r->s);
	ran = run_round(r, &own);
	if (!ran && !g_error_matches(own, LAB_ERROR, LAB_ERROR_INTERRUPTED)) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	if (!write_end(r, error))
		return false;
	if (!ran)
		g_propagate_error(error, g_steal_pointer(&own));
	return ran;
}

const struct bisect_tester *bisect_tester_of(const struct bisect_session *s)
{
	return s->req.command ? &bisect_tester_command : &bisect_tester_probe;
}

bool bisect_tests(struct bisect_session *s, struct bisect_try *tries, unsigned n, unsigned *lost,
		  GError **error)
{
	struct round r = { .s = s, .tester = bisect_tester_of(s), .lost = *lost };
	bool ok;

	r.n = MIN(n, ROUND_MAX);
	memcpy(r.tries, tries, r.n * sizeof(*tries));
	ok = do_round(&r, error);
	memcpy(tries, r.tries, r.n * sizeof(*tries));
	*lost = r.lost;
	return ok;
}

static void tell(const struct round *r, const struct bisect_step *step)
{
	for (unsigned i = 0; i < r->n; i++) {
		g_autofree char *line = bisect_test_line(r->s->range, r->s->state, step,
							 r->tries[i].test);

		cmd_line(line);
	}
}

bool bisect_work(struct bisect_session *s, struct bisect_step *ret, GError **error)
{
	struct round r = { .s = s, .rand = g_rand_new_with_seed((guint32)s->req.seed),
			   .tester = bisect_tester_of(s) };
	bool ok;

	for (;;) {
		ok = choose(&r, ret, error);
		if (!ok || ret->phase == BISECT_DONE)
			break;
		ok = do_round(&r, error);
		if (!ok)
			break;
		tell(&r, ret);
		ok = bisect_suspect(s, error);
		if (!ok)
			break;
	}
	bisect_prebuild_stop(s);
	round_clear(&r);
	g_rand_free(r.rand);
	return ok && bisect_session_log(s, json_pack("{s:s, s:s, s:i, s:f}", "ev", "answer", "answer",
						     bisect_answer_name(ret->answer), "change",
						     (int)ret->change, "p",
						     s->state->belief->w[ret->change]), error);
}
