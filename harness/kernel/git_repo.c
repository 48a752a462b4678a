// SPDX-License-Identifier: GPL-2.0-or-later
/* git, asked so that neither the user's environment nor a prompt nor a dead server gets in the way.
 */
#include "kernel/git_repo.h"

#include "base/fs.h"
#include "base/proc.h"

#include <string.h>

#define QUICK_TIMEOUT_S 120
#define FETCH_TIMEOUT_S 7200
#define CHECKOUT_TIMEOUT_S 1800
#define REASON_MAX 400
#define PATH_BYTES_MAX 8192
#define SAY_EVERY_US (2 * G_USEC_PER_SEC)
#define KEPT "refs/klab/" /* commits that are wholly here */

void git_repo_clear(struct git_repo *repo)
{
	g_clear_pointer(&repo->git_dir, g_free);
	g_clear_pointer(&repo->work, g_free);
	g_clear_pointer(&repo->remote, g_free);
}

/* ---- calling git ---- */

struct git_call {
	const char *const *args;   /* NULL-terminated */
	bool with_work, elsewhere; /* elsewhere: not in our repository */
	unsigned timeout_s;
	size_t output_max; /* 0: what proc_run() keeps */
	const char *doing; /* progress: "fetching" */
	const char *index; /* file instead of the repository's index, or NULL */
};

struct git_watch {
	const struct git_repo *repo;
	const char *doing;
	int64_t said_us;
};

/* "Receiving objects:  45% (4500/10000), 12.00 MiB | 3.00 MiB/s" */
static void git_line(const char *line, void *user)
{
	struct git_watch *watch = user;
	const char *percent = strstr(line, "% (");
	int64_t now = g_get_monotonic_time();

	if (!percent || now - watch->said_us < SAY_EVERY_US)
		return;
	watch->said_us = now;
	progress_say(watch->repo->progress, "%s: %s, %.80s", watch->repo->what, watch->doing, line);
}

static void add(GPtrArray *argv, const char *const *items)
{
	for (; *items; items++)
		g_ptr_array_add(argv, g_strdup(*items));
}

static GPtrArray *git_argv(const struct git_repo *repo, const struct git_call *call)
{
	/* A hook that runs klab has these set, for its own repository. */
	/* clang-format off */
	static const char *const first[] = {
		"env",
		"-u", "GIT_DIR",
		"-u", "GIT_WORK_TREE",
		"-u", "GIT_INDEX_FILE",
		"-u", "GIT_OBJECT_DIRECTORY",
		"-u", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"-u", "GIT_COMMON_DIR",
		NULL,
	};
	static const char *const options[] = {
		"git",
		"-c", "core.hooksPath=/dev/null",
		"-c", "core.fsmonitor=false",
		"-c", "core.autocrlf=false",
		"-c", "gc.auto=0",
		"-c", "maintenance.auto=false",
		"-c", "advice.detachedHead=false",
		"-c", "http.lowSpeedLimit=1",
		"-c", "http.lowSpeedTime=60",
		NULL,
	};
	/* clang-format on */
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

	add(argv, first);
	if (call->index)
		g_ptr_array_add(argv, g_strdup_printf("GIT_INDEX_FILE=%s", call->index));
	add(argv, options);
	if (!call->elsewhere)
		g_ptr_array_add(argv, g_strdup_printf("--git-dir=%s", repo->git_dir));
	if (call->with_work)
		g_ptr_array_add(argv, g_strdup_printf("--work-tree=%s", repo->work));
	add(argv, call->args);
	g_ptr_array_add(argv, NULL);
	return argv;
}

/* Its last "fatal:" or "error:", else its last line. */
static char *git_reason(const char *output)
{
	g_auto(GStrv) lines = g_strsplit_set(output, "\n\r", -1);
	const char *found = "", *last = "";

	for (char **line = lines; *line; line++) {
		if (g_str_has_prefix(*line, "fatal: ") || g_str_has_prefix(*line, "error: "))
			found = *line + strlen("fatal: ");
		else if (**line)
			last = *line;
	}
	found = *found ? found : last;
	return g_strdup_printf("%.*s", REASON_MAX, found);
}

/* *ret_output may be NULL. When git ran and failed, *ret_reason is set, and the call is true. */
static bool git_try(const struct git_repo *repo, const struct git_call *call, char **ret_output,
		    char **ret_reason, GError **error)
{
	static const char *const env[] = { "LC_ALL=C",
					   "TZ=UTC",
					   "GIT_TERMINAL_PROMPT=0",
					   "GIT_ASKPASS=true",
					   "SSH_ASKPASS=true",
					   "GIT_ADVICE=0",
					   NULL };
	g_autoptr(GPtrArray) argv = git_argv(repo, call);
	struct git_watch watch = { repo, call->doing, g_get_monotonic_time() };
	struct proc_spec spec = { .argv = (const char *const *)argv->pdata,
				  .env = env,
				  .timeout_s = call->timeout_s ? call->timeout_s : QUICK_TIMEOUT_S,
				  .output_max = call->output_max,
				  .on_line = call->doing ? git_line : NULL,
				  .user = &watch };
	g_autofree char *output = NULL;
	int status;

	*ret_reason = NULL;
	if (!proc_run(&spec, &output, &status, error))
		return false;
	if (status)
		*ret_reason = git_reason(output);
	else if (ret_output)
		*ret_output = g_steal_pointer(&output);
	return true;
}

static bool git(const struct git_repo *repo, const struct git_call *call, char **ret_output,
		GError **error)
{
	g_autofree char *reason = NULL;

	if (!git_try(repo, call, ret_output, &reason, error))
		return false;
	return !reason || lab_fail(error, LAB_ERROR_INFRA, "git %s: '%s'", call->args[0], reason);
}

char *git_ask_with(const struct git_question *question, GError **error)
{
	const struct git_repo nowhere = { 0 };
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	struct git_call call = { .elsewhere = true, .timeout_s = question->timeout_s,
				 .output_max = question->output_max + 1, .index = question->index };
	const char *path = question->path;
	g_autofree char *output = NULL, *reason = NULL;

	g_ptr_array_add(all, (char *)"-C");
	g_ptr_array_add(all, (char *)path);
	for (const char *const *arg = question->args; *arg; arg++)
		g_ptr_array_add(all, (char *)*arg);
	g_ptr_array_add(all, NULL);
	call.args = (const char *const *)all->pdata;
	call.timeout_s = call.timeout_s ? call.timeout_s : CHECKOUT_TIMEOUT_S;
	if (!git_try(&nowhere, &call, &output, &reason, error))
		return NULL;
	if (reason)
		lab_fail(error, LAB_ERROR_INPUT, "'%s': git says '%s'", path, reason);
	else if (strlen(output) > question->output_max)
		lab_fail(error, LAB_ERROR_INPUT, "'%s': git %s prints more than %zu MiB", path,
			 question->args[0], question->output_max >> 20);
	else
		return g_steal_pointer(&output);
	return NULL;
}

char *git_ask(const char *path, const char *const *args, size_t output_max, GError **error)
{
	return git_ask_with(&(struct git_question){ .path = path, .args = args,
						    .output_max = output_max }, error);
}

bool git_has(const char *path, const char *what)
{
	const char *const args[] = { "rev-parse", "--verify", "--quiet", "--end-of-options", what, NULL };
	g_autofree char *said = git_ask(path, args, REASON_MAX, NULL);

	return said && *said;
}

static bool fail_remote(const struct git_repo *repo, const char *reason, GError **error)
{
	return lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s': git says '%s'", repo->remote, reason);
}

/* ---- opening ---- */

void git_drop_locks(const char *git_dir)
{
	static const char *const names[] = { "index.lock", "HEAD.lock", "shallow.lock",
					     "config.lock", "packed-refs.lock" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(git_dir, names[i], NULL);

		unlink(path);
	}
}

/* Objects of a repository on this host are read where they are. */
static bool point_at(const struct git_repo *repo, GError **error)
{
	const char *const args[] = { "-C",         repo->remote,
				     "rev-parse",  "--path-format=absolute",
				     "--git-path", "objects",
				     NULL };
	struct git_call call = { .args = args, .elsewhere = true };
	g_autofree char *path = g_build_filename(repo->git_dir, "objects/info/alternates", NULL);
	g_autofree char *objects = NULL, *reason = NULL, *before = NULL;

	if (!git_try(repo, &call, &objects, &reason, error))
		return false;
	if (reason)
		return fail_remote(repo, reason, error);
	if (fs_read(path, PATH_BYTES_MAX, &before, NULL, NULL) && !strcmp(before, objects))
		return true;
	return fs_write(path, objects, strlen(objects), error);
}

bool git_repo_open(struct git_repo *repo, const char *dir, const char *remote, const char *what,
		   const struct progress *progress, GError **error)
{
	const char *const args[] = { "init", "--quiet", "--bare", "--template=", NULL };
	struct git_call call = { .args = args };
	g_autofree char *path = NULL;

	if (!git_remote_check(remote, &path, error))
		return false;
	*repo = (struct git_repo){
		.git_dir = g_build_filename(dir, "repo.git", NULL),
		.work = g_build_filename(dir, "src", NULL),
		.is_local = path != NULL,
		.remote = g_strdup(path ? path : remote),
		.what = what,
		.progress = progress,
	};
	/* Done anew each time: it repairs what an interrupted one left. */
	if (!git(repo, &call, NULL, error))
		return false;
	git_drop_locks(repo->git_dir);
	return fs_mkdir(repo->work, error) && (!repo->is_local || point_at(repo, error));
}

/* ---- refs ---- */

static bool rev_parse(const struct git_repo *repo, const char *in, const char *what,
		      char **ret_commit, GError **error)
{
	g_autofree char *spec = g_strconcat(what, "^{commit}", NULL), *reason = NULL;
	const char *const there[] = { "-C",       in,        "rev-parse",
				      "--verify", "--quiet", "--end-of-options",
				      spec,       NULL };
	struct git_call call = { .args = in ? there : there + 2, .elsewhere = in };

	*ret_commit = NULL;
	if (!git_try(repo, &call, ret_commit, &reason, error))
		return false;
	if (*ret_commit)
		g_strstrip(*ret_commit);
	return true;
}

static bool fail_ref(const struct git_repo *repo, const char *ref, GError **error)
{
	return lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s' has no tag, branch or commit '%s'%s",
			repo->remote, ref,
			repo->is_local ? ""
				       : "\nhint: a commit is asked for by all of its 40 digits");
}

static bool resolve_local(struct git_repo *repo, const char *ref, struct git_ref *ret,
			  GError **error)
{
	g_autofree char *tag = g_strconcat("refs/tags/", ref, NULL), *tagged = NULL;
	g_autofree char *commit = NULL;

	if (!rev_parse(repo, repo->remote, tag, &tagged, error) ||
	    (!tagged && !rev_parse(repo, repo->remote, ref, &commit, error)))
		return false;
	if (!tagged && !commit)
		return fail_ref(repo, ref, error);
	ret->is_tag = tagged;
	ret->commit = tagged ? g_steal_pointer(&tagged) : g_steal_pointer(&commit);
	return true;
}

static bool is_commit_number(const char *ref)
{
	size_t len = strlen(ref);

	return (len == 40 || len == 64) && strspn(ref, "0123456789abcdef") == len;
}

bool git_repo_resolve(struct git_repo *repo, const char *ref, struct git_ref *ret, GError **error)
{
	g_autofree char *tag = g_strconcat("refs/tags/", ref, NULL), *output = NULL, *reason = NULL;
	g_autofree char *peeled = g_strconcat(tag, "^{}", NULL), *own = NULL;
	g_autofree char *head = g_strconcat("refs/heads/", ref, NULL);
	const char *const args[] = {
		"ls-remote", "--", repo->remote, tag, peeled, head, ref, NULL
	};
	struct git_call call = { .args = args, .elsewhere = true };

	if (!git_ref_check(ref, error))
		return false;
	if (repo->is_local)
		return resolve_local(repo, ref, ret, error);
	if (is_commit_number(ref)) {
		ret->commit = g_strdup(ref);
		return true;
	}
	if (!git_try(repo, &call, &output, &reason, error))
		return false;
	if (reason)
		return fail_remote(repo, reason, error);
	return git_refs_find(output, ref, ret) || fail_ref(repo, ref, error);
}

/* ---- objects and files ---- */

/* One commit and no history, from servers that can; else with all of it. */
static bool fetch_spec(struct git_repo *repo, const char *refspec, GError **error)
{
	const char *const shallow[] = { "fetch", "--no-tags",  "--progress", "--force", "--depth=1",
					"--",    repo->remote, refspec,      NULL };
	const char *const whole[] = { "fetch", "--no-tags",  "--progress", "--force",
				      "--",    repo->remote, refspec,      NULL };
	struct git_call call = { .args = shallow,
				 .timeout_s = FETCH_TIMEOUT_S,
				 .doing = "fetching" };
	g_autofree char *reason = NULL;

	if (!git_try(repo, &call, NULL, &reason, error))
		return false;
	if (reason && strstr(reason, "shallow")) {
		g_clear_pointer(&reason, g_free);
		call.args = whole;
		if (!git_try(repo, &call, NULL, &reason, error))
			return false;
	}
	return !reason || fail_remote(repo, reason, error);
}

bool git_repo_fetch(struct git_repo *repo, const struct git_ref *ref, GError **error)
{
	g_autofree char *kept = g_strconcat(KEPT, ref->commit, NULL), *have = NULL, *got = NULL;
	const char *from = ref->name ? ref->name : ref->commit;
	g_autofree char *refspec = g_strdup_printf("%s:%s", from, kept);

	if (repo->is_local)
		return true;
	if (!rev_parse(repo, NULL, kept, &have, error))
		return false;
	if (!g_strcmp0(have, ref->commit))
		return true;
	progress_say(repo->progress, "%s: fetching %s", repo->what, from);
	if (!fetch_spec(repo, refspec, error) || !rev_parse(repo, NULL, kept, &got, error))
		return false;
	return !g_strcmp0(got, ref->commit) ||
	       lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"'%s' moved in '%s' while it was fetched\nhint: run it again", from,
			repo->remote);
}

bool git_repo_checkout(struct git_repo *repo, const char *commit, GError **error)
{
	const char *const checkout[] = { "checkout",   "--force", "--detach",
					 "--progress", commit,    NULL };
	const char *const clean[] = { "clean", "-ffdxq", NULL };
	struct git_call call = { .args = checkout,
				 .with_work = true,
				 .timeout_s = CHECKOUT_TIMEOUT_S,
				 .doing = "checking out" };
	bool ok = git(repo, &call, NULL, error);

	call.args = clean;
	return ok && git(repo, &call, NULL, error);
}

char *git_repo_date(struct git_repo *repo, const char *commit, GError **error)
{
	const char *const args[] = { "show",         "-s",
				     "--format=%cd", "--date=format-local:%a %b %d %H:%M:%S UTC %Y",
				     commit,         NULL };
	struct git_call call = { .args = args };
	char *date = NULL;

	return git(repo, &call, &date, error) ? g_strstrip(date) : NULL;
}
