// SPDX-License-Identifier: GPL-2.0-or-later
/* See bisect_notes.h. */
#include "report/bisect_notes.h"

#include <string.h>

#define WORDS_SHOWN 6
#define SHA_SHOWN 12
#define WHY_MAX 400u

/* --- the check ------------------------------------------------------------------------------- */

/* "survived 4 runs and failed in 1" */
static void add_seen(GString *out, const struct bisect_state *s, struct bisect_tally t)
{
	if (s->model.form == BISECT_TIME)
		g_string_append_printf(out, "survived %.0f s", t.had);
	else
		g_string_append_printf(out, "survived %.0f runs", t.had);
	if (t.fails > 0)
		g_string_append_printf(out, " and failed %.0f times", t.fails);
}

/* "1a2b3c4d5e6f without 5d6e7f809a1b" */
static char *patched_name(const struct bisect_range *r, const struct bisect_state *s)
{
	g_autofree char *end = bisect_range_name(r, bisect_bad_end(s->belief));
	g_autofree char *change = bisect_range_name(r, s->verify.change);

	return g_strdup_printf("%s %s %s", end, r->fix ? "with" : "without", change);
}

static void add_verdict(GString *out, const struct bisect_range *r, const struct bisect_state *s)
{
	const struct verify *v = &s->verify;
	enum verify_verdict verdict = bisect_state_verdict(s);
	g_autofree char *name = patched_name(r, s);

	g_string_append_printf(out, "verified: %s", verify_verdict_name(verdict));
	if (v->why) {
		g_string_append_printf(out, ": %.*s\n", (int)MIN(strcspn(v->why, "\n"), WHY_MAX),
				       v->why);
		return;
	}
	g_string_append_printf(out, ": %s ", name);
	add_seen(out, s, v->seen);
	if (verdict == VERIFY_CONFIRMED)
		g_string_append_printf(
			out,
			"; a kernel that fails like %s does that with probability "
			"%.2g",
			r->fix ? "the broken end" : "the bad end",
			verify_chance(v, &s->model, s->belief->at[bisect_bad_end(s->belief)]));
	else if (verdict == VERIFY_REFUTED)
		g_string_append(out, ": this is not, or not alone, the change");
	else if (verdict == VERIFY_IMPOSSIBLE)
		g_string_append_printf(out, " and %u times otherwise: that decides nothing",
				       v->others);
	g_string_append_c(out, '\n');
}

static void add_check(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step)
{
	if (s->verify.begun && s->verify.change == step->change)
		add_verdict(out, r, s);
	else if (step->answer == BISECT_FOUND && r->commits)
		g_string_append_printf(out,
				       "not verified; kbisect run --resume DIR --verify tests %s\n",
				       r->fix ? "the broken end with this change"
					      : "the bad end without this change");
}

char *bisect_verify_line(const struct bisect_range *r, const struct bisect_state *s, unsigned test)
{
	const struct bisect_run *run = s->runs->pdata[test];
	g_autofree char *name = patched_name(r, s);
	GString *out = g_string_new(NULL);

	g_string_append_printf(out, "%4u  %-9s %s  %s", test + 1, "verify", name,
			       bisect_outcome_name(run->outcome));
	if (s->model.form == BISECT_TIME && run->had > 0)
		g_string_append_printf(out, " %s%.1f s",
				       run->outcome == OUTCOME_FAILED ? "after " : "", run->had);
	if (run->title || run->why)
		g_string_append_printf(out, ": %s", run->title ? run->title : run->why);
	if (bisect_state_verdict(s) == VERIFY_OPEN)
		g_string_append_printf(out, "  | %.0f %s more", bisect_state_verify_lacks(s),
				       s->model.form == BISECT_TIME ? "s" : "runs");
	else
		g_string_append_printf(out, "  | %s", verify_verdict_name(bisect_state_verdict(s)));
	return g_string_free(out, FALSE);
}

/* --- images ---------------------------------------------------------------------------------- */

/* Parent i of a change; DAG_NONE: no more. A root stands on the other end. */
static unsigned parent_at(const struct bisect_range *r, unsigned change, unsigned i)
{
	unsigned n = dag_n_parents(r->dag, change);

	if (i < n)
		return r->dag->parents[r->dag->first[change] + i];
	return !n && !i ? r->n : DAG_NONE;
}

static void add_image(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		      unsigned change, unsigned parent)
{
	g_autofree char *a = bisect_range_name(r, change), *b = bisect_range_name(r, parent);

	if (bisect_state_same_image(s, change, parent))
		g_string_append_printf(out,
				       "THE SAME IMAGE: %s and the one before it, %s, are the same "
				       "kernel (sha256 %.*s): this change cannot have done it\n",
				       a, b, SHA_SHOWN, s->image[change]);
	else
		g_string_append_printf(
			out, "images: %s (sha256 %.*s) differs from %s before it (%.*s)\n", a,
			SHA_SHOWN, s->image[change], b, SHA_SHOWN, s->image[parent]);
}

static void add_images(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step)
{
	unsigned parent;

	if (step->answer != BISECT_FOUND || !s->image[step->change])
		return;
	for (unsigned i = 0; (parent = parent_at(r, step->change, i)) != DAG_NONE; i++)
		if (s->image[parent])
			add_image(out, r, s, step->change, parent);
}

/* --- what the failure points at -------------------------------------------------------------- */

static void add_words(GString *out, char **words)
{
	unsigned n = g_strv_length(words);

	for (unsigned i = 0; i < MIN(n, WORDS_SHOWN); i++)
		g_string_append_printf(out, "%s%s", i ? ", " : "", words[i]);
	if (n > WORDS_SHOWN)
		g_string_append_printf(out, " and %u more", n - WORDS_SHOWN);
}

static void add_pointed(GString *out, const struct bisect_state *s)
{
	if (!s->functions || !*s->functions || !*s->files)
		return;
	g_string_append(out, "the failure names ");
	add_words(out, s->functions);
	g_string_append(out, ": changes that touch ");
	add_words(out, s->files);
	g_string_append_printf(out, " were likelier to begin with (%u of %u)\n", s->suspects,
			       s->range->n);
}

/* --- ends that parted ------------------------------------------------------------------------ */

static void add_other_side(GString *out, const struct bisect_range *r,
			   const struct bisect_step *step, const char *base)
{
	if (!r->fix && step->answer == BISECT_OLDER)
		g_string_append_printf(
			out,
			"not introduced here: it was there where the two parted, and "
			"was fixed on the good side; which change mended it: kbisect run "
			"--broken %s --fixed %.12s, with the same test\n",
			base, r->beside);
	if (r->fix && step->answer == BISECT_TOO_RARE)
		g_string_append_printf(
			out,
			"nothing to mend here: it was not there where the two parted, "
			"and came in on the broken side; which change did it: kbisect run "
			"--good %s --bad %.12s, with the same test\n",
			base, r->beside);
}

static void add_beside(GString *out, const struct bisect_range *r, const struct bisect_step *step)
{
	g_autofree char *base = NULL;

	if (!r->beside)
		return;
	base = bisect_range_name(r, r->n);
	g_string_append_printf(
		out,
		"%.12s is not in the history of the other end: the two parted at %s, "
		"which stands for it\n",
		r->beside, base);
	add_other_side(out, r, step, base);
}

void bisect_notes_add(GString *out, const struct bisect_range *r, const struct bisect_state *s,
		      const struct bisect_step *step)
{
	add_check(out, r, s, step);
	add_images(out, r, s, step);
	add_beside(out, r, step);
	add_pointed(out, s);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *words_json(char **words)
{
	json_t *all = json_array();

	for (; *words; words++)
		json_array_append_new(all, json_string(*words));
	return all;
}

static json_t *images_json(const struct bisect_range *r, const struct bisect_state *s,
			   unsigned change)
{
	json_t *parents = json_array();
	unsigned parent;

	for (unsigned i = 0; (parent = parent_at(r, change, i)) != DAG_NONE; i++)
		if (s->image[parent])
			json_array_append_new(
				parents,
				json_pack("{s:s, s:s, s:b}", "id", r->changes[parent].id, "sha256",
					  s->image[parent], "same",
					  (int)bisect_state_same_image(s, change, parent)));
	return json_pack("{s:s, s:o}", "sha256", s->image[change], "parents", parents);
}

static json_t *verify_json(const struct bisect_range *r, const struct bisect_state *s)
{
	const struct verify *v = &s->verify;

	return json_pack("{s:s, s:s, s:s*, s:s*, s:i, s:f, s:f, s:f}", "verdict",
			 verify_verdict_name(bisect_state_verdict(s)), "change",
			 r->changes[v->change].id, "why", v->why, "sha256", v->image, "tests",
			 (int)v->tests, "fails", v->seen.fails, "had", v->seen.had, "chance",
			 verify_chance(v, &s->model, s->belief->at[bisect_bad_end(s->belief)]));
}

void bisect_notes_json(json_t *doc, const struct bisect_range *r, const struct bisect_state *s,
		       const struct bisect_step *step)
{
	if (s->verify.begun && s->verify.change == step->change)
		json_object_set_new(doc, "verify", verify_json(r, s));
	if (step->answer == BISECT_FOUND && s->image[step->change])
		json_object_set_new(doc, "images", images_json(r, s, step->change));
	if (s->functions)
		json_object_set_new(doc, "suspected",
				    json_pack("{s:o, s:o, s:i}", "functions",
					      words_json(s->functions), "files",
					      words_json(s->files), "changes", (int)s->suspects));
	if (r->beside)
		json_object_set_new(doc, "beside", json_string(r->beside));
}
