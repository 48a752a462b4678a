// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect run --cmd: a command of the user's judges a kernel, by the exit codes of git bisect run. In a
 * range of commits it runs in a clone of ours that has the commit checked out; the user's own
 * repository is read only.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/git_repo.h"

#include <string.h>

#define EXIT_SKIP 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define EXIT_ABORT 128
#define OUTPUT_MAX (4u << 20)

static bool ask(const char *where, const char *const *args, GError **error)
{
	g_autofree char *said = git_ask(where, args, OUTPUT_MAX, error);

	return said != NULL;
}

/* Objects stay where they are; half a clone is made anew. */
char *bisect_clone(const struct bisect_session *s, GError **error)
{
	g_autofree char *tree = g_build_filename(s->dir, "tree", NULL);
	g_autofree char *git_dir = g_build_filename(tree, ".git", NULL);
	g_autofree char *done = g_build_filename(git_dir, "klab-cloned", NULL);
	const char *const clone[] = { "clone", "--quiet", "--shared", "--no-checkout", "--",
				      s->req.git, tree, NULL };

	if (!g_file_test(done, G_FILE_TEST_EXISTS) &&
	    (!fs_remove(tree, error) || !ask(s->dir, clone, error) || !fs_write(done, "", 0, error)))
		return NULL;
	git_drop_locks(git_dir); /* the session's lock is held */
	return g_steal_pointer(&tree);
}

/* A patched kernel has a commit of its own, so that the folder never holds half of a patch. */
static bool check_out(const struct bisect_session *s, const struct bisect_try *t, char **ret_tree,
		      GError **error)
{
	const char *commit = t->patched ? BISECT_PATCHED_REF : s->range->changes[t->node].id;
	const char *const checkout[] = { "-c", "advice.detachedHead=false", "checkout", "--quiet",
					 "--force", "--detach", commit, NULL };

	*ret_tree = bisect_clone(s, error);
	return *ret_tree && ask(*ret_tree, checkout, error);
}

/* KBISECT_COMMIT or KBISECT_KERNEL; KBISECT_IMAGE, KBISECT_RELEASE with --images; KBISECT_PATCH. */
static GPtrArray *environment(const struct bisect_session *s, const struct bisect_try *t,
			      const struct kernel *kernel)
{
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(env, g_strdup_printf("%s=%s", s->range->commits ? "KBISECT_COMMIT" :
									   "KBISECT_KERNEL",
					     s->range->changes[t->node].id));
	if (t->patched)
		g_ptr_array_add(env, g_strdup_printf("KBISECT_PATCH=%s/verify.patch", s->dir));
	if (kernel) {
		g_ptr_array_add(env, g_strdup_printf("KBISECT_IMAGE=%s", kernel->image));
		g_ptr_array_add(env, g_strdup_printf("KBISECT_RELEASE=%s", kernel->release));
	}
	g_ptr_array_add(env, NULL);
	return env;
}

static bool judge(const struct bisect_session *s, struct bisect_try *t, int status, GError **error)
{
	bool first = true;

	for (guint i = 0; i < s->state->runs->len; i++)
		first = first && !((struct bisect_run *)s->state->runs->pdata[i])->ended;
	if (status >= EXIT_ABORT)
		return lab_fail(error, LAB_ERROR_INFRA,
				"the command ended with %d, which ends a bisection as in git bisect "
				"run\nhint: kbisect run --resume goes on", status);
	if (first && (status == EXIT_NOT_EXECUTABLE || status == EXIT_NOT_FOUND))
		return lab_fail(error, LAB_ERROR_USAGE, "the command cannot be executed: exit code %d",
				status);
	t->outcome = !status		   ? OUTCOME_SURVIVED :
		     status == EXIT_SKIP ? OUTCOME_UNTESTABLE :
					   OUTCOME_FAILED;
	t->why = g_strdup_printf("exit code %d", status);
	return true;
}

/* A command that hangs says nothing about its kernel: it is no failure. */
static bool judge_error(struct bisect_try *t, GError **own, GError **error)
{
	if (!g_error_matches(*own, LAB_ERROR, LAB_ERROR_TIMEOUT) &&
	    !g_error_matches(*own, LAB_ERROR, LAB_ERROR_INFRA)) {
		g_propagate_error(error, g_steal_pointer(own));
		return false;
	}
	t->outcome = OUTCOME_UNTESTABLE;
	t->why = g_strdup((*own)->message);
	g_clear_error(own);
	return true;
}

static bool keep_output(const struct bisect_session *s, struct bisect_try *t, const char *output,
			GError **error)
{
	g_autofree char *name = g_strdup_printf("tests/%u.log", t->test);
	g_autofree char *path = g_build_filename(s->dir, name, NULL);
	g_autofree char *folder = g_build_filename(s->dir, "tests", NULL);

	t->dir = g_steal_pointer(&name);
	return fs_mkdir(folder, error) && fs_write(path, output, strlen(output), error);
}

static bool run_one(struct bisect_session *s, struct bisect_try *t, GError **error)
{
	const char *const argv[] = { "sh", "-c", s->req.command, NULL };
	g_autofree char *tree = NULL, *output = NULL;
	g_autoptr(kernel) kernel = NULL;
	g_autoptr(GPtrArray) env = NULL;
	g_autoptr(GError) own = NULL;
	struct proc_spec spec = { .argv = argv, .timeout_s = s->req.timeout,
				  .output_max = OUTPUT_MAX };
	int64_t began = g_get_monotonic_time();
	int status = 0;
	bool ran;

	if (s->range->commits && !check_out(s, t, &tree, error))
		return false;
	if (s->req.images && !bisect_kernel(s, t->node, t->patched, &kernel, error))
		return false;
	env = environment(s, t, kernel);
	spec.env = (const char *const *)env->pdata;
	spec.cwd = tree;
	ran = proc_run(&spec, &output, &status, &own);
	t->seconds = (g_get_monotonic_time() - began) / 1e6;
	if (!(ran ? judge(s, t, status, error) : judge_error(t, &own, error)))
		return false;
	return keep_output(s, t, output ? output : "", error);
}

static bool run_tests(struct bisect_session *s, struct bisect_try *tries, unsigned n, GError **error)
{
	for (unsigned i = 0; i < n; i++)
		if (!run_one(s, &tries[i], error))
			return false;
	return true;
}

static bool make(struct bisect_session *s, unsigned node, bool patched, char **ret_sha256,
		 GError **error)
{
	*ret_sha256 = NULL;
	return !s->req.images || bisect_make(s, node, patched, ret_sha256, error);
}

const struct bisect_tester bisect_tester_command = { .make = make, .run = run_tests };
