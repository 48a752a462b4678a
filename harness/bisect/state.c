// SPDX-License-Identifier: GPL-2.0-or-later
/* See state.h. */
#include "bisect/state.h"

#include "bisect/prior.h"
#include "bisect/symptom.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#define RUNS_MAX 1000000u
#define SECONDS_MAX 1e9
#define SHA256_DIGITS 64
#define TEXTS_MAX 64u	/* functions, or files, that a failure points at */
#define UNSURE_SHARE 0.2	/* of the runs that a bad end gets, where nobody has seen it fail */
#define MAKE_SHARE 0.5	/* of the guess in what a build is thought to take, against those measured */

const char *bisect_outcome_name(enum bisect_outcome outcome)
{
	static const char *const names[OUTCOME__COUNT] = { "failed", "survived", "other",
							   "untestable", "lost" };

	return names[outcome];
}

static void run_free(gpointer data)
{
	struct bisect_run *run = data;

	g_free(run->title);
	g_free(run->hazard);
	g_free(run->why);
	g_free(run->dir);
	g_free(run);
}

void bisect_state_free(struct bisect_state *s)
{
	if (!s)
		return;
	bisect_belief_free(s->belief);
	g_free(s->prior);
	g_free(s->make_s);
	g_free(s->untestable);
	g_free(s->known);
	for (unsigned i = 0; i <= s->range->n; i++)
		g_free(s->image[i]);
	g_free(s->image);
	g_ptr_array_free(s->runs, TRUE);
	g_free(s->plan);
	g_strfreev(s->functions);
	g_strfreev(s->files);
	verify_clear(&s->verify);
	g_free(s);
}

struct bisect_state *bisect_state_new(const struct bisect_range *range, double make_s,
				      double boot_s)
{
	struct bisect_state *s = g_new0(struct bisect_state, 1);
	unsigned n = range->n;

	s->range = range;
	s->prior = g_memdup2(range->prior, n * sizeof(*s->prior));
	s->make_s = g_new(double, n + 1);
	s->untestable = g_new0(double, n + 1);
	s->known = g_new0(uint8_t, n + 1);
	s->image = g_new0(char *, n + 1);
	s->runs = g_ptr_array_new_with_free_func(run_free);
	for (unsigned i = 0; i <= n; i++)
		s->make_s[i] = make_s;
	s->costs = (struct bisect_costs){ .boot_s = boot_s, .run_s = 1, .make_s = s->make_s,
					  .untestable = s->untestable };
	return s;
}

/* --- fields of events --------------------------------------------------------------------------- */

static bool refuse(GError **error, const char *what)
{
	return lab_fail(error, LAB_ERROR_INPUT, "no good '%s'", what);
}

static bool get_node(const struct bisect_state *s, const json_t *json, unsigned *ret, GError **error)
{
	const json_t *node = json_object_get(json, "node");
	json_int_t value = json_integer_value(node);

	if (!json_is_integer(node) || value < 0 || value > s->range->n)
		return refuse(error, "node");
	*ret = value;
	return true;
}

/* A number from 0 on; absent is 0 unless it must be there. */
static bool get_number(const json_t *json, const char *key, bool must, double *ret, GError **error)
{
	const json_t *number = json_object_get(json, key);

	*ret = json_number_value(number);
	if ((number || must) &&
	    (!json_is_number(number) || !(*ret >= 0) || !(*ret <= SECONDS_MAX)))
		return refuse(error, key);
	return true;
}

static bool get_outcome(const json_t *json, enum bisect_outcome *ret, GError **error)
{
	const char *name = json_string_value(json_object_get(json, "outcome"));

	for (int i = 0; name && i < OUTCOME__COUNT; i++)
		if (!strcmp(name, bisect_outcome_name(i))) {
			*ret = i;
			return true;
		}
	return refuse(error, "outcome");
}

static char *get_text(const json_t *json, const char *key)
{
	return g_strdup(json_string_value(json_object_get(json, key)));
}

/* --- events ------------------------------------------------------------------------------------- */

static bool on_begin(struct bisect_state *s, const json_t *json, GError **error)
{
	const char *form = json_string_value(json_object_get(json, "form"));
	double schema, run_s, confidence;
	enum bisect_form f = !g_strcmp0(form, "time") ? BISECT_TIME : BISECT_RUNS;

	if (s->begun || !get_number(json, "schema", true, &schema, error) ||
	    !get_number(json, "run_s", true, &run_s, error) ||
	    !get_number(json, "confidence", true, &confidence, error))
		return s->begun ? refuse(error, "begin, for the second time") : false;
	if (schema != BISECT_LOG_SCHEMA)
		return lab_fail(error, LAB_ERROR_INPUT, "written by another klab: schema %g",
				schema);
	if ((f == BISECT_RUNS && g_strcmp0(form, "runs")) || run_s <= 0 || confidence <= 0 ||
	    confidence >= 1)
		return refuse(error, "form, run_s or confidence");
	s->model = bisect_model_default(f, f == BISECT_TIME ? run_s : 1, s->range->fix);
	s->goal = bisect_goal_default(&s->model, confidence, run_s);
	s->goal.verify = json_is_true(json_object_get(json, "verify"));
	if (json_is_true(json_object_get(json, "unsure")))
		s->goal.calibrate_max *= UNSURE_SHARE;
	s->costs.run_s = run_s;
	s->belief = bisect_belief_new(s->range->dag, &s->model, s->prior);
	s->begun = true;
	return true;
}

bool bisect_state_same_image(const struct bisect_state *s, unsigned node, unsigned other)
{
	return s->image[node] && s->image[other] && !strcmp(s->image[node], s->image[other]);
}

/* Two kernels with the same image are one: no change between them does anything. */
static void find_same_image(struct bisect_state *s, unsigned node)
{
	unsigned n = s->range->n, other = 0;
	g_autofree uint8_t *here = NULL, *there = NULL;

	while (other <= n && (other == node || !bisect_state_same_image(s, node, other)))
		other++;
	if (other > n)
		return;
	here = g_new(uint8_t, n);
	there = g_new(uint8_t, n);
	bisect_present_under(s->belief, node, here);
	bisect_present_under(s->belief, other, there);
	for (unsigned c = 0; c < n; c++)
		if (here[c] != there[c])
			s->prior[c] = fmin(s->prior[c], s->range->prior[c] * PRIOR_SAME_IMAGE);
	bisect_update(s->belief);
}

/* What those that are not made yet will take: what the others took, and for a while the guess. */
static void learn_make(struct bisect_state *s, double seconds)
{
	double guess = 0, mean;

	if (seconds < 1)	/* it was there */
		return;
	for (unsigned i = 0; i <= s->range->n; i++)
		guess = fmax(guess, s->image[i] ? 0 : s->make_s[i]);
	s->built++;
	/* the first one is made from nothing, those after it from what is there */
	mean = s->built == 1 ? guess : (1 - MAKE_SHARE) * seconds + MAKE_SHARE * guess;
	for (unsigned i = 0; i <= s->range->n; i++)
		if (!s->image[i])
			s->make_s[i] = mean;
}

static bool is_patched(const json_t *json)
{
	return json_is_true(json_object_get(json, "patched"));
}

static bool on_image(struct bisect_state *s, const json_t *json, GError **error)
{
	const json_t *sha256 = json_object_get(json, "sha256");
	double seconds;
	unsigned node;

	if (!get_node(s, json, &node, error) || !get_number(json, "seconds", false, &seconds, error))
		return false;
	if (json_string_length(sha256) != SHA256_DIGITS)
		return refuse(error, "sha256");
	s->make_spent_s += seconds;
	if (is_patched(json)) {
		s->images += !s->verify.image;
		g_free(s->verify.image);
		s->verify.image = g_strdup(json_string_value(sha256));
		return true;
	}
	if (s->image[node])
		return true;
	s->image[node] = g_strdup(json_string_value(sha256));
	s->make_s[node] = 0;
	s->images++;
	learn_make(s, seconds);
	find_same_image(s, node);
	return true;
}

static bool on_start(struct bisect_state *s, const json_t *json, GError **error)
{
	struct bisect_run *run;
	double test, length;
	unsigned node;

	if (!get_number(json, "test", true, &test, error) || !get_node(s, json, &node, error) ||
	    !get_number(json, "length", true, &length, error))
		return false;
	if (test != s->runs->len || s->runs->len >= RUNS_MAX ||
	    (is_patched(json) && !s->verify.begun))
		return refuse(error, "test");
	run = g_new0(struct bisect_run, 1);
	*run = (struct bisect_run){ .test = s->runs->len, .node = node, .length = length,
				    .patched = is_patched(json) };
	g_ptr_array_add(s->runs, run);
	return true;
}

static void note_testable(struct bisect_state *s, unsigned node, enum testable known)
{
	if (s->known[node] == known || s->known[node] == TESTABLE_YES)
		return;
	s->known[node] = known;
	untestable_guess(s->known, s->range->n, s->untestable);
	s->untestable[s->range->n] = s->known[s->range->n] == TESTABLE_NO;
}

/* Evidence of one test on a kernel. */
static void see(struct bisect_state *s, unsigned node, enum bisect_outcome outcome, double had)
{
	bool runs = s->model.form == BISECT_RUNS;

	s->counts[outcome]++;
	if (outcome == OUTCOME_LOST)
		return;
	note_testable(s, node, outcome == OUTCOME_UNTESTABLE ? TESTABLE_NO : TESTABLE_YES);
	if (outcome == OUTCOME_UNTESTABLE)
		return;
	if (outcome != OUTCOME_FAILED && runs)
		had = outcome == OUTCOME_SURVIVED;	/* a run that ended otherwise is no run */
	if (outcome == OUTCOME_FAILED || had > 0)
		bisect_see(s->belief, node, outcome == OUTCOME_FAILED, had);
	bisect_update(s->belief);
}

/* Of the check: it tells nothing of the range's kernels, nor does a test of an earlier check tell
 * anything of this one. */
static void see_patched(struct bisect_state *s, const struct bisect_run *run)
{
	struct verify *v = &s->verify;

	s->counts[run->outcome]++;
	if (run->test < v->first || run->outcome == OUTCOME_LOST)
		return;
	v->tests++;
	v->others += run->outcome == OUTCOME_OTHER;
	v->seen.fails += run->outcome == OUTCOME_FAILED;
	v->seen.had += s->model.form == BISECT_TIME ? run->had : run->outcome == OUTCOME_SURVIVED;
	if (run->outcome == OUTCOME_UNTESTABLE && !v->why)
		v->why = g_strdup(run->why ? run->why : "it cannot be tested");
}

static bool on_end(struct bisect_state *s, const json_t *json, GError **error)
{
	double test, had, seconds;
	enum bisect_outcome outcome;
	struct bisect_run *run;

	if (!get_number(json, "test", true, &test, error) || !get_outcome(json, &outcome, error) ||
	    !get_number(json, "had", false, &had, error) ||
	    !get_number(json, "seconds", false, &seconds, error))
		return false;
	if (test != floor(test) || test >= s->runs->len)
		return refuse(error, "test");
	run = s->runs->pdata[(unsigned)test];
	if (run->ended)
		return lab_fail(error, LAB_ERROR_INPUT, "test %u ends twice", run->test);
	*run = (struct bisect_run){ .test = run->test, .node = run->node, .length = run->length,
				    .patched = run->patched, .ended = true, .outcome = outcome, .had = had,
				    .seconds = seconds, .title = get_text(json, "title"),
				    .hazard = get_text(json, "hazard"), .why = get_text(json, "why"), .dir = get_text(json, "dir") };
	s->run_spent_s += seconds;
	if (run->patched)
		see_patched(s, run);
	else
		see(s, run->node, outcome, had);
	return true;
}

static bool on_told(struct bisect_state *s, const json_t *json, GError **error)
{
	enum bisect_outcome outcome;
	unsigned node;

	if (!get_node(s, json, &node, error) || !get_outcome(json, &outcome, error))
		return false;
	see(s, node, outcome, s->costs.run_s);
	return true;
}

static bool on_plan(struct bisect_state *s, const json_t *json, GError **error)
{
	if (!json_is_string(json_object_get(json, "text")))
		return refuse(error, "text");
	g_free(s->plan);
	s->plan = get_text(json, "text");
	/* with these delays it fails at another rate: what was seen without them is of another test */
	memset(s->belief->at, 0, (s->range->n + 1) * sizeof(*s->belief->at));
	s->belief->all = (struct bisect_tally){ 0 };
	bisect_update(s->belief);
	return true;
}

static bool on_answer(struct bisect_state *s, const json_t *json, GError **error)
{
	(void)s;
	return json_is_string(json_object_get(json, "answer")) || refuse(error, "answer");
}

static bool on_verify(struct bisect_state *s, const json_t *json, GError **error)
{
	const json_t *change = json_object_get(json, "change");
	json_int_t value = json_integer_value(change);

	if (!json_is_integer(change) || value < 0 || value >= s->range->n)
		return refuse(error, "change");
	verify_clear(&s->verify);
	s->verify = (struct verify){ .begun = true, .change = value, .first = s->runs->len,
				     .why = get_text(json, "why") };
	return true;
}

/* --- what the failure points at ----------------------------------------------------------------- */

static char **get_texts(const json_t *json, const char *key)
{
	const json_t *array = json_object_get(json, key);
	size_t n = json_array_size(array);
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

	if (!json_is_array(array) || n > TEXTS_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (json_is_string(json_array_get(array, i)))
			g_ptr_array_add(texts, g_strdup(json_string_value(json_array_get(array, i))));
	g_ptr_array_add(texts, NULL);
	return g_strdupv((char **)texts->pdata);
}

/* Hints add up to no more than PRIOR_MOST; a change that does nothing stays one. */
static void suspect(struct bisect_state *s, unsigned change)
{
	if (s->prior[change] < s->range->prior[change] || s->prior[change] <= PRIOR_OUTSIDE)
		return;
	s->prior[change] = fmax(s->prior[change], fmin(s->prior[change] * PRIOR_SUSPECTED, PRIOR_MOST));
	s->suspects++;
}

static bool check_nodes(const struct bisect_state *s, const json_t *nodes)
{
	json_int_t before = -1;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		json_int_t value = json_integer_value(node);

		if (!json_is_integer(node) || value <= before || value >= s->range->n)
			return false;
		before = value;
	}
	return json_is_array(nodes);
}

static bool on_suspects(struct bisect_state *s, const json_t *json, GError **error)
{
	const json_t *nodes = json_object_get(json, "nodes");
	g_auto(GStrv) functions = get_texts(json, "functions"), files = get_texts(json, "files");

	if (s->functions || !functions || !files || !check_nodes(s, nodes))
		return refuse(error, "suspects");
	s->functions = g_steal_pointer(&functions);
	s->files = g_steal_pointer(&files);
	for (size_t i = 0; i < json_array_size(nodes); i++)
		suspect(s, json_integer_value(json_array_get(nodes, i)));
	bisect_update(s->belief);
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct bisect_state *s, const json_t *json, GError **error);
} events[] = {
	{ "begin", on_begin }, { "image", on_image }, { "start", on_start },
	{ "end", on_end },     { "told", on_told },   { "plan", on_plan },
	{ "answer", on_answer }, { "verify", on_verify }, { "suspects", on_suspects },
};

bool bisect_apply(struct bisect_state *s, const json_t *json, GError **error)
{
	const char *name = json_string_value(json_object_get(json, "ev"));

	for (size_t i = 0; name && i < G_N_ELEMENTS(events); i++) {
		if (strcmp(name, events[i].name))
			continue;
		if (!s->begun && i)
			return refuse(error, "begin before all else");
		return events[i].take(s, json, error);
	}
	return refuse(error, "ev");
}

bool bisect_replay(struct bisect_state *s, const char *log, size_t len, GError **error)
{
	const char *end = log + len;

	for (unsigned line = 1; log < end; line++) {
		const char *newline = memchr(log, '\n', end - log);
		json_t *json;
		bool ok;

		if (!newline)
			return true;	/* torn: what it was about did not happen */
		json = json_loadb(log, newline - log, JSON_REJECT_DUPLICATES, NULL);
		ok = json ? bisect_apply(s, json, error) : refuse(error, "JSON");
		json_decref(json);
		if (!ok)
			return lab_prefix(error, "line %u of the bisection's log", line);
		log = newline + 1;
	}
	return true;
}

/* --- symptoms ----------------------------------------------------------------------------------- */

bool bisect_is_symptom(const struct bisect_state *s, unsigned node, const char *title,
		       const char *hazard, const char *pattern)
{
	const struct symptom here = { title, hazard };
	unsigned bad = bisect_bad_end(s->belief);

	if (pattern)
		return title && !fnmatch(pattern, title, 0);
	if (node == bad)
		return true;
	for (guint i = 0; i < s->runs->len; i++) {
		const struct bisect_run *run = s->runs->pdata[i];
		const struct symptom there = { run->title, run->hazard };

		if (run->ended && !run->patched && run->node == bad &&
		    run->outcome == OUTCOME_FAILED && symptom_alike(&there, &here))
			return true;
	}
	return false;
}

const char *bisect_state_title(const struct bisect_state *s)
{
	unsigned bad = bisect_bad_end(s->belief);

	for (guint i = 0; i < s->runs->len; i++) {
		const struct bisect_run *run = s->runs->pdata[i];

		if (run->ended && !run->patched && run->node == bad && run->title &&
		    run->outcome == OUTCOME_FAILED)
			return run->title;
	}
	return NULL;
}

/* --- what is next ------------------------------------------------------------------------------- */

static struct bisect_tally of_bad_end(const struct bisect_state *s)
{
	return s->belief->at[bisect_bad_end(s->belief)];
}

enum verify_verdict bisect_state_verdict(const struct bisect_state *s)
{
	return verify_judge(&s->verify, &s->model, of_bad_end(s), s->goal.confidence);
}

double bisect_state_verify_lacks(const struct bisect_state *s)
{
	return verify_lacks(&s->verify, &s->model, of_bad_end(s), s->goal.confidence);
}

struct bisect_step bisect_state_next(struct bisect_state *s, const struct bisect_test *pending,
				     unsigned n_pending, GRand *rand)
{
	return bisect_next(s->belief, &s->goal, &s->costs, pending, n_pending, rand);
}

unsigned bisect_state_test(const struct bisect_state *s)
{
	return s->runs->len;
}
