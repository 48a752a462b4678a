// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect run with builds and a tree: one build was found, and the commits between the upstream
 * releases that it and the build before are made of are bisected in a folder below the first one's.
 * Which these are follows from the builds alone, so that whoever is killed meanwhile goes on
 * through the first.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "kernel/git_repo.h"
#include "kernel/identity.h"

#include <string.h>

#define FOLDER "commits"
#define BUILD_S 120.0

/* --- from builds to tags --------------------------------------------------------------------- */

/* *ret_tag or *ret_why is set. */
static bool tag_of(struct bisect_session *s, unsigned node, char **ret_tag, char **ret_why,
		   GError **error)
{
	g_autoptr(kernel) kernel = NULL;
	g_autofree char *tag = NULL, *what = NULL;

	if (!bisect_kernel(s, node, false, &kernel, error))
		return false;
	tag = kernel_upstream_tag(kernel);
	if (!tag) {
		*ret_why = g_strdup_printf(
			"'%s' (%s) does not tell which release of upstream it is made of: "
			"its commits can be bisected in a tree that has them, with --good "
			"and --bad named by hand",
			kernel->id, kernel->release);
		return true;
	}
	what = g_strdup_printf("refs/tags/%s^{commit}", tag);
	if (git_has(s->req.git, what))
		*ret_tag = g_steal_pointer(&tag);
	else
		*ret_why = g_strdup_printf(
			"'%s' has no tag %s, which '%s' is made of: git fetch --tags may "
			"bring it",
			s->req.git, tag, kernel->id);
	return true;
}

/* From the release of the build before to that of the build that was found. */
static bool find_tags(struct bisect_session *s, unsigned found, char *tags[2], char **ret_why,
		      GError **error)
{
	unsigned before = found ? found - 1 : s->range->n;

	if (!tag_of(s, before, &tags[0], ret_why, error) ||
	    (!*ret_why && !tag_of(s, found, &tags[1], ret_why, error)))
		return false;
	if (!*ret_why && !strcmp(tags[0], tags[1]))
		*ret_why =
			g_strdup_printf("both builds are made of %s: what lies between them is the "
					"distribution's own, its patches, config or compiler",
					tags[0]);
	return true;
}

/* --- the second bisection -------------------------------------------------------------------- */

/* As the first one, of commits; whether ends that are built here fail like the builds is not known.
 */
static bool request_of(const struct bisect_session *s, char *tags[2], struct bisect_request *ret,
		       GError **error)
{
	json_t *json = bisect_request_json(&s->req);
	bool fix = s->req.fix, ok;

	json_object_del(json, "kernels");
	json_object_set_new(json, "good", json_string(tags[fix]));
	json_object_set_new(json, "bad", json_string(tags[!fix]));
	json_object_set_new(json, "check_ends", json_true());
	json_object_set_new(json, "unsure", json_true());
	json_object_set_new(json, "build_s", json_real(BUILD_S));
	ok = bisect_request_parse(json, ret, error);
	json_decref(json);
	return ok;
}

/* Tags that do not follow each other lead to no range, which is no failure of the first bisection.
 */
static bool make_range(const struct bisect_request *req, struct bisect_range **ret, char **ret_why,
		       GError **error)
{
	g_autoptr(GError) own = NULL;

	if (bisect_range_of_commits(req, ret, &own))
		return true;
	if (g_error_matches(own, LAB_ERROR, LAB_ERROR_USAGE)) {
		*ret_why = g_strndup(own->message, strcspn(own->message, "\n"));
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&own));
	return false;
}

static bool create(struct bisect_session *s, const char *dir, char *tags[2],
		   struct bisect_session **ret, char **ret_why, GError **error)
{
	struct bisect_request req = { 0 };
	struct bisect_range *range = NULL;
	bool ok = fs_remove(dir, error) && request_of(s, tags, &req, error) &&
		  make_range(&req, &range, ret_why, error) &&
		  (*ret_why || bisect_session_create(dir, &req, range, ret, error));

	bisect_request_clear(&req);
	return ok;
}

bool bisect_commits_open(struct bisect_session *s, const struct bisect_step *step,
			 struct bisect_session **ret, char **ret_why, GError **error)
{
	g_autofree char *dir = g_build_filename(s->dir, FOLDER, NULL);
	g_autofree char *range = g_build_filename(dir, "range.json", NULL);
	char *tags[2] = { NULL, NULL };
	bool ok;

	*ret = NULL;
	*ret_why = NULL;
	/* it is written last: what has none was not begun */
	if (g_file_test(range, G_FILE_TEST_EXISTS)) {
		ok = bisect_session_open(dir, true, ret, error);
	} else {
		ok = find_tags(s, step->change, tags, ret_why, error) &&
		     (*ret_why || create(s, dir, tags, ret, ret_why, error));
		g_free(tags[0]);
		g_free(tags[1]);
	}
	if (*ret) {
		(*ret)->lab = g_steal_pointer(&s->lab);
		(*ret)->req.verify |= s->req.verify;
	}
	return ok;
}

char *bisect_commits_said(const struct bisect_session *s, const struct bisect_step *step)
{
	const struct bisect_range *r = s->range;
	bool clean = step->answer == BISECT_TOO_RARE || step->answer == BISECT_NOISE;
	const char *old = s->req.fix ? s->req.bad : s->req.good;
	const char *new = s->req.fix ? s->req.good : s->req.bad;

	if (clean && !s->state->counts[OUTCOME_FAILED])
		return g_strdup_printf(
			"no commit of the tree fails: what made the build fail is not between "
			"%s and %s of upstream, but the distribution's own, its patches, "
			"config or compiler",
			old, new);
	if (step->answer == BISECT_OLDER)
		return g_strdup_printf(
			"%s fails as %s does, when built here: what is different in the builds "
			"is the distribution's own, its patches, config or compiler",
			old, new);
	return g_strdup_printf("%u commits between %s and %s", r->n, old, new);
}
