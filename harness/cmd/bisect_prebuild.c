// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect exec-build: build, while guests run, what is likely to be tested next: if all tests under way
 * survive, and if the first of them fails. A process of its own at the lowest priority: it only takes
 * what guests leave. Kernels meet in the store; the log is the parent's alone.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "base/proc.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define TARGET "prebuild"	/* the node that is being built */
#define TARGET_MAX 64
#define GUEST_SMP 4

/* --- the child ---------------------------------------------------------------------------------- */

static bool imagine(struct bisect_state *state, const struct bisect_run *run,
		    enum bisect_outcome outcome, GError **error)
{
	json_t *end = json_pack("{s:s, s:i, s:s, s:f, s:f}", "ev", "end", "test", (int)run->test,
				"outcome", bisect_outcome_name(outcome), "had", run->length,
				"seconds", run->length);
	bool ok = bisect_apply(state, end, error);

	json_decref(end);
	return ok;
}

/* What comes next if all tests under way survive, but for the first one where it is to fail. */
static bool next_after(const char *dir, bool fails, int *ret_node, GError **error)
{
	g_autoptr(bisect_session) s = NULL;
	struct bisect_step step;

	*ret_node = -1;
	if (!bisect_session_open(dir, false, &s, error))
		return false;
	for (guint i = 0; i < s->state->runs->len; i++) {
		const struct bisect_run *run = s->state->runs->pdata[i];

		if (run->ended)
			continue;
		if (!imagine(s->state, run, fails ? OUTCOME_FAILED : OUTCOME_SURVIVED, error))
			return false;
		fails = false;
	}
	step = bisect_state_next(s->state, NULL, 0, NULL);
	if (step.phase != BISECT_DONE && !s->state->image[step.test.node])
		*ret_node = step.test.node;
	return true;
}

static bool build_node(const char *dir, int node, GError **error)
{
	g_autofree char *path = g_build_filename(dir, TARGET, NULL);
	g_autofree char *text = g_strdup_printf("%d\n", node);
	g_autoptr(bisect_session) s = NULL;
	g_autoptr(kernel) kernel = NULL;

	return bisect_session_open(dir, false, &s, error) &&
	       fs_write(path, text, strlen(text), error) &&
	       bisect_kernel(s, node, false, &kernel, error);
}

static bool prebuild(const char *dir, GError **error)
{
	const struct sched_param none = { 0 };

	sched_setscheduler(0, SCHED_IDLE, &none);	/* refused: then it is no slower */
	for (int fails = 0; fails < 2; fails++) {
		g_autoptr(GError) own = NULL;
		int node;

		if (!next_after(dir, fails, &node, error))
			return false;
		/* what does not build is found again when its turn comes */
		if (node >= 0 && !build_node(dir, node, &own))
			fprintf(stderr, "%s\n", own->message);
	}
	return true;
}

static int run_command(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;

	if (argc == 2 && prebuild(argv[1], &error))
		return EXIT_CLEAN;
	if (!error)
		lab_fail(&error, LAB_ERROR_USAGE, "a bisection's folder is wanted");
	return cmd_error("exec-build", error);
}

const struct command command_bisect_exec_build = { .name = "exec-build",
						   .summary = "build ahead (started by run)",
						   .run = run_command };

/* --- the parent --------------------------------------------------------------------------------- */

static bool is_wanted(const struct bisect_session *s)
{
	unsigned guests = s->req.jobs * (s->req.smp ? s->req.smp : GUEST_SMP);

	if (!s->range->commits || (s->req.command && !s->req.images))
		return false;
	if (s->req.prebuild && strcmp(s->req.prebuild, "auto"))
		return !strcmp(s->req.prebuild, "yes");
	return g_get_num_processors() > guests;
}

void bisect_prebuild_start(struct bisect_session *s)
{
	g_autofree char *log = g_build_filename(s->dir, "prebuild.log", NULL), *self = lab_self();
	g_autofree char *target = g_build_filename(s->dir, TARGET, NULL);
	const char *const argv[] = { self, "exec-build", s->dir, NULL };

	if (s->builder > 0 && waitpid(s->builder, NULL, WNOHANG) == s->builder)
		s->builder = 0;
	if (s->builder > 0 || !is_wanted(s))
		return;
	fs_remove(target, NULL);
	s->builder = proc_start(argv, log, NULL);
}

static int target_of(const struct bisect_session *s)
{
	g_autofree char *path = g_build_filename(s->dir, TARGET, NULL), *text = NULL;

	return fs_read(path, TARGET_MAX, &text, NULL, NULL) ? (int)g_ascii_strtoll(text, NULL, 10) : -1;
}

/* What it builds is what is wanted: kernel_fetch() waits for it by the lock that it holds. */
void bisect_prebuild_yield(struct bisect_session *s, unsigned node)
{
	if (s->builder > 0 && target_of(s) != (int)node)
		bisect_prebuild_stop(s);
}

void bisect_prebuild_stop(struct bisect_session *s)
{
	if (s->builder > 0)
		proc_end(s->builder);
	s->builder = 0;
}
