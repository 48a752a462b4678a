// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect run --verify: the bad end with the answer taken out of it, or the broken end with the fix
 * put in, as a kernel of its own that has to survive (bisect/verify.h). That it cannot be made is
 * said, and is no failure of the bisection.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "kernel/git_repo.h"
#include "report/bisect_notes.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define PATCH_MAX (16u << 20)
#define ANSWER_MAX (64u << 10)
#define AT_ONCE_MAX 64
#define LENGTHS_MAX 4 /* of a usual run, in one */

struct check {
	struct bisect_session *s;
	unsigned change, end; /* nodes */
	char *tree, *index;   /* where the patch is made */
	char *parent;         /* first one of the change */
	char *why;            /* it cannot be done */
};

static void check_clear(struct check *c)
{
	if (c->index)
		unlink(c->index);
	g_free(c->tree);
	g_free(c->index);
	g_free(c->parent);
	g_free(c->why);
}
typedef struct check check;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(check, check_clear)

/* --- the patch ------------------------------------------------------------------------------- */

static char *ask(const struct check *c, const char *const *args, GError **error)
{
	const struct git_question question = {
		.path = c->tree, .args = args, .output_max = ANSWER_MAX, .index = c->index
	};
	char *said = git_ask_with(&question, error);

	return said ? g_strchomp(said) : NULL;
}

static bool done(char *said)
{
	g_free(said);
	return said != NULL;
}

static const char *id_of(const struct check *c, unsigned node)
{
	return c->s->range->changes[node].id;
}

/* Some answers have no kernel without them that was not tested already. */
static bool look_at_change(struct check *c, GError **error)
{
	const char *const args[] = { "rev-list", "--parents", "--no-walk", id_of(c, c->change),
				     NULL };
	g_autofree char *said = ask(c, args, error);
	g_auto(GStrv) ids = said ? g_strsplit(said, " ", -1) : NULL;
	unsigned n;

	if (!ids)
		return false;
	n = g_strv_length(ids);
	c->parent = n > 1 ? g_strdup(ids[1]) : NULL;
	if (n < 2)
		c->why = g_strdup("it is the first commit of all");
	else if (n > 2 && !c->s->req.first_parent)
		c->why = g_strdup("it is a merge, which is no patch");
	else if (c->change == c->end)
		c->why = g_strdup(
			"it is the bad end itself: without it that is its parent, which was "
			"tested");
	else if (!strcmp(c->parent, id_of(c, c->end)))
		c->why =
			g_strdup("it stands right on the broken end: the two together were tested");
	return true;
}

static bool diff(const struct check *c, const char *from, const char *to, const char *file,
		 GError **error)
{
	g_autofree char *output = g_strconcat("--output=", file, NULL);
	const char *const args[] = { "diff",
				     "--binary",
				     "--full-index",
				     "--no-renames",
				     "--no-ext-diff",
				     "--no-textconv",
				     output,
				     from,
				     to,
				     NULL };

	return done(ask(c, args, error));
}

/* Git's refusal is an answer about the change; other errors are the lab's. */
static bool apply(struct check *c, const char *file, GError **error)
{
	const char *const args[] = { "apply", "--3way", "--cached", file, NULL };
	g_autoptr(GError) own = NULL;

	if (done(ask(c, args, &own)))
		return true;
	if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_INPUT)) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	c->why = g_strdup_printf(
		"its patch does not apply to %.12s: later changes touch the same lines",
		id_of(c, c->end));
	return true;
}

/* The tree as a commit: --cmd has it checked out. *ret: its id, or NULL. */
static char *commit(const struct check *c, GError **error)
{
	const char *const write[] = { "write-tree", NULL };
	g_autofree char *tree = ask(c, write, error), *id = NULL;
	const char *const make[] = { "-c",
				     "user.name=kbisect",
				     "-c",
				     "user.email=kbisect@localhost",
				     "commit-tree",
				     "-m",
				     "kbisect: the bad end, patched",
				     "-p",
				     id_of(c, c->end),
				     tree,
				     NULL };
	const char *keep[] = { "update-ref", BISECT_PATCHED_REF, NULL, NULL };

	id = tree ? ask(c, make, error) : NULL;
	if (!id)
		return NULL;
	keep[2] = id;
	return done(ask(c, keep, error)) ? g_steal_pointer(&id) : NULL;
}

/* What applied with git's help, by three ways, is written as a patch that applies to the end as it
 * is. */
static bool write_patch(struct check *c, const char *id, const char *scratch, GError **error)
{
	g_autofree char *path = g_build_filename(c->s->dir, "verify.patch", NULL), *text = NULL;
	size_t len;

	if (!diff(c, id_of(c, c->end), id, scratch, error) ||
	    !fs_read(scratch, PATCH_MAX, &text, &len, error))
		return false;
	if (len)
		return fs_write(path, text, len, error);
	c->why = g_strdup_printf("%.12s does not change by it", id_of(c, c->end));
	return true;
}

static bool make_patch(struct check *c, const char *scratch, GError **error)
{
	const char *change = id_of(c, c->change);
	const char *const read[] = { "read-tree", id_of(c, c->end), NULL };
	bool fix = c->s->range->fix;
	g_autofree char *id = NULL;

	if (!diff(c, fix ? c->parent : change, fix ? change : c->parent, scratch, error) ||
	    !done(ask(c, read, error)) || !apply(c, scratch, error))
		return false;
	if (c->why)
		return true;
	id = commit(c, error);
	return id && write_patch(c, id, scratch, error);
}

/* Killed at any time, it is done anew: what is there of an earlier one is overwritten. */
static bool prepare(struct check *c, GError **error)
{
	g_autofree char *scratch = g_build_filename(c->s->dir, "verify.patch.new", NULL);
	g_autofree char *lock = g_build_filename(c->s->dir, "verify.index.lock", NULL);
	bool ok;

	c->index = g_build_filename(c->s->dir, "verify.index", NULL);
	c->tree = bisect_clone(c->s, error);
	unlink(lock);
	unlink(c->index);
	ok = c->tree && look_at_change(c, error) && (c->why || make_patch(c, scratch, error));
	unlink(scratch);
	return ok;
}

/* --- the kernel and its tests ---------------------------------------------------------------- */

static bool log_verify(struct check *c, GError **error)
{
	return bisect_session_log(c->s,
				  json_pack("{s:s, s:i, s:s*}", "ev", "verify", "change",
					    (int)c->change, "why", c->why),
				  error);
}

/* Tells about this kernel what it cannot be had for. */
static bool unmakable(struct check *c, const GError *why, GError **error)
{
	c->why = g_strdup_printf("it cannot be built: %s", why->message);
	return log_verify(c, error);
}

static bool make(struct check *c, GError **error)
{
	struct bisect_session *s = c->s;
	int64_t began = g_get_monotonic_time();
	g_autofree char *sha256 = NULL;
	g_autoptr(GError) own = NULL;
	bool made;

	if (s->state->verify.image)
		return true;
	bisect_tell_begin(s, "verify", &(struct bisect_test){ .node = c->end }, 1, true);
	made = bisect_tester_of(s)->make(s, c->end, true, &sha256, &own);
	bisect_tell_end();
	if (!made) {
		if (g_error_matches(own, LAB_ERROR, LAB_ERROR_INPUT))
			return unmakable(c, own, error);
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	return !sha256 ||
	       bisect_session_log(s,
				  json_pack("{s:s, s:i, s:b, s:s, s:f}", "ev", "image", "node",
					    (int)c->end, "patched", 1, "sha256", sha256, "seconds",
					    (g_get_monotonic_time() - began) / 1e6),
				  error);
}

/* As many tests as there are guests, or as it needs. */
static unsigned plan_tests(const struct check *c, struct bisect_try *tries)
{
	const struct bisect_session *s = c->s;
	double lacks = bisect_state_verify_lacks(s->state), length = 1;
	unsigned n = s->req.command ? 1 : CLAMP(s->req.jobs, 1, AT_ONCE_MAX);

	if (s->state->model.form == BISECT_TIME)
		length = ceil(CLAMP(lacks / n, s->state->costs.run_s / LENGTHS_MAX,
				    s->state->costs.run_s * LENGTHS_MAX));
	n = CLAMP(ceil(lacks / length), 1, n);
	memset(tries, 0, n * sizeof(*tries));
	for (unsigned i = 0; i < n; i++) {
		tries[i].node = c->end;
		tries[i].patched = true;
		tries[i].length = length;
	}
	return n;
}

static bool test(struct check *c, unsigned *lost, GError **error)
{
	struct bisect_try tries[AT_ONCE_MAX];
	unsigned n = plan_tests(c, tries);
	bool ok = bisect_tests(c->s, tries, n, lost, error);

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *line =
			ok ? bisect_verify_line(c->s->range, c->s->state, tries[i].test) : NULL;

		if (line)
			cmd_line(line);
		bisect_try_clear(&tries[i]);
	}
	return ok;
}

static bool is_open(const struct check *c)
{
	return bisect_state_verdict(c->s->state) == VERIFY_OPEN;
}

/* An answer that was judged stays judged; that it was not possible may have changed. */
static bool is_judged(const struct check *c)
{
	const struct verify *v = &c->s->state->verify;

	return v->begun && v->change == c->change && !v->why && !is_open(c);
}

static bool is_begun(const struct check *c)
{
	const struct verify *v = &c->s->state->verify;

	return v->begun && v->change == c->change && !v->why && !c->why;
}

bool bisect_verify(struct bisect_session *s, const struct bisect_step *step, GError **error)
{
	g_auto(check)
		c = { .s = s, .change = step->change, .end = bisect_bad_end(s->state->belief) };
	unsigned lost = 0;

	if (step->answer != BISECT_FOUND || is_judged(&c))
		return true;
	if (!prepare(&c, error) || (!is_begun(&c) && !log_verify(&c, error)))
		return false;
	if (is_open(&c) && !make(&c, error))
		return false;
	while (is_open(&c))
		if (!test(&c, &lost, error))
			return false;
	return true;
}
