// SPDX-License-Identifier: GPL-2.0-or-later
/* The scheduler: one GLib main loop owns all state; children are spawned from the main thread only
 * (PR_SET_PDEATHSIG is per thread). */
#include "run/sched.h"

#include "base/fs.h"
#include "base/proc.h"
#include "run/turn.h"
#include "store/journal.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#define ATTEMPTS_MAX 8	/* more than the judge ever asks for */
#define STOP_LIMIT_S 10

struct sched;

struct slot {
	struct sched *s;
	struct cell *cell;
	pid_t pid;
	guint limit;		/* timer */
};

struct sched {
	struct run *r;
	const struct sched_params *p;
	GMainLoop *loop;
	guint next;		/* first cell that was not looked at */
	GQueue lone;		/* of struct cell *: their next job waits until nothing else runs */
	bool lone_runs;
	unsigned running;
	GPtrArray *slots;	/* of struct slot * that run */
	enum sched_end end;
	bool stopping;
	guint kill_timer;
	GError *failure;
};

static void fill(struct sched *s);

static void stop_all(struct sched *s, enum sched_end end, int sig)
{
	s->stopping = true;
	s->end = end;
	for (guint i = 0; i < s->slots->len; i++)
		kill(((struct slot *)s->slots->pdata[i])->pid, sig);
}

static gboolean kill_all(gpointer data)
{
	struct sched *s = data;

	s->kill_timer = 0;
	stop_all(s, s->end, SIGKILL);
	return G_SOURCE_REMOVE;
}

static void begin_stop(struct sched *s, enum sched_end end)
{
	if (s->stopping)
		return;
	stop_all(s, end, SIGTERM);
	s->kill_timer = g_timeout_add_seconds(STOP_LIMIT_S, kill_all, s);
	if (!s->running)
		g_main_loop_quit(s->loop);
}

static gboolean on_signal(gpointer data)
{
	begin_stop(data, SCHED_INTERRUPTED);
	return G_SOURCE_CONTINUE;
}

static gboolean on_limit(gpointer data)
{
	begin_stop(data, SCHED_TIMEOUT);
	return G_SOURCE_REMOVE;
}

/* A failure of ours that concerns the whole run (a folder that cannot be written). */
static void give_up(struct sched *s, GError *why)
{
	if (s->failure)
		g_error_free(why);
	else
		s->failure = why;
	begin_stop(s, SCHED_INTERRUPTED);
}

static gboolean kill_slot(gpointer data)
{
	struct slot *slot = data;

	slot->limit = 0;
	kill(slot->pid, SIGKILL);	/* its journal stays unfinished: infra */
	return G_SOURCE_REMOVE;
}

/* --- one job ---------------------------------------------------------------------------------- */

static pid_t spawn(struct sched *s, const char *dir, GError **error)
{
	g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);
	g_autofree char *log = g_build_filename(dir, "exec.log", NULL);
	const char *const argv[] = { s->p->self, "exec-job", spec, NULL };

	return proc_start(argv, log, error);
}

/* Its turn on the host, two boots, the symbols, the probe and its graces: what a job may take before
 * it counts as stuck. */
static unsigned job_limit_s(const struct job *job)
{
	return TURN_LIMIT_S + 2 * job->boot_limit_ms / 1000 + job->duration_ms / 1000 + 600;
}

static void on_child(GPid pid, gint status, gpointer data);

static bool start_job(struct sched *s, struct cell *cell, enum cell_needs needs, GError **error)
{
	g_autoptr(job) job = cell_next_job(s->r, cell, needs);
	g_autofree char *dir = run_job_dir(s->r, cell, job->attempt);
	struct slot *slot;
	pid_t pid;

	if (!fs_mkdir(dir, error) || !job_save(job, dir, error))
		return false;
	pid = spawn(s, dir, error);
	if (pid < 0)
		return false;
	slot = g_new0(struct slot, 1);
	slot->s = s;
	slot->cell = cell;
	slot->pid = pid;
	slot->limit = g_timeout_add_seconds(job_limit_s(job), kill_slot, slot);
	g_ptr_array_add(s->slots, slot);
	s->running++;
	g_child_watch_add(pid, on_child, slot);
	if (s->p->on_start)
		s->p->on_start(cell, job, s->p->user);
	return true;
}

/* The job's own last words. */
static char *last_log_line(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "exec.log", NULL), *text = NULL;
	g_auto(GStrv) lines = NULL;
	char *last = NULL;
	size_t len;

	if (!fs_read(path, 1 << 20, &text, &len, NULL))
		return g_strdup("");
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		last = **line ? *line : last;
	return g_utf8_make_valid(last ? last : "", -1);
}

/* It concerns every job: the run stops, and goes on once there is room. */
static bool fail_no_space(struct sched *s, const char *dir, GError **error)
{
	g_autofree char *words = last_log_line(dir);

	return lab_fail(error, LAB_ERROR_NO_SPACE, "'%s': %s", dir,
			*words ? words : "no space is left for the job's journal");
}

/* A job that left no finished journal is infra; told once, with what its log says. */
static bool close_unfinished(struct sched *s, struct cell *cell, unsigned attempt, int status,
			     GError **error)
{
	g_autofree char *dir = run_job_dir(s->r, cell, attempt);
	g_autofree char *detail = NULL;
	g_autoptr(journal) j = NULL;

	if (journal_is_finished(dir))
		return true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_IOERR)
		return fail_no_space(s, dir, error);
	detail = WIFSIGNALED(status) ?
			 g_strdup_printf("the job's process was killed by signal %d",
					 WTERMSIG(status)) :
			 g_strdup_printf("the job's process ended with code %d before its journal",
					 WEXITSTATUS(status));
	return journal_create(dir, &j, error) &&
	       journal_event(j, 0, "end", json_pack("{s:s, s:s}", "end",
						    job_end_name(JOB_END_LAB), "detail", detail),
			     true, error);
}

static bool refresh(struct sched *s, struct cell *cell, enum cell_needs *needs, GError **error)
{
	return cell_refresh(s->r, cell, s->p->judge_params(cell, s->p->user), needs, error);
}

/* Go on with a cell: its next job, or done. */
static bool advance(struct sched *s, struct cell *cell, GError **error)
{
	enum cell_needs needs;

	if (!refresh(s, cell, &needs, error))
		return false;
	if (needs == CELL_ALONE && cell->outcomes->len < ATTEMPTS_MAX) {
		g_queue_push_tail(&s->lone, cell);
		return true;
	}
	if (needs != CELL_DONE && cell->outcomes->len < ATTEMPTS_MAX)
		return s->stopping || start_job(s, cell, needs, error);
	cell->done = true;
	if (s->p->on_done)
		s->p->on_done(cell, s->p->user);
	return true;
}

static void on_child(GPid pid, gint status, gpointer data)
{
	struct slot *slot = data;
	struct sched *s = slot->s;
	struct cell *cell = slot->cell;
	g_autoptr(GError) error = NULL;
	unsigned attempt = cell->outcomes->len;

	if (slot->limit)
		g_source_remove(slot->limit);
	g_ptr_array_remove_fast(s->slots, slot);
	g_free(slot);
	s->running--;
	s->lone_runs = false;	/* a lone job is the only one: this was it, or there is none */
	/* when we are stopping an open journal stays open, for --resume */
	if (!s->stopping && (!close_unfinished(s, cell, attempt, status, &error) ||
			     !advance(s, cell, &error)))
		give_up(s, g_steal_pointer(&error));
	fill(s);
}

/* Jobs that must be alone run when nothing else does: with one job at a time at once, else behind
 * the others. */
static bool fill_lone(struct sched *s, GError **error)
{
	struct cell *cell = s->stopping || s->running ? NULL : g_queue_pop_head(&s->lone);

	if (!cell)
		return true;
	s->lone_runs = true;
	return start_job(s, cell, CELL_ALONE, error);
}

static void fill(struct sched *s)
{
	GError *error = NULL;

	if (!fill_lone(s, &error))
		give_up(s, g_steal_pointer(&error));
	while (!s->stopping && !s->lone_runs && s->running < s->p->jobs &&
	       s->next < s->r->cells->len) {
		if (!advance(s, s->r->cells->pdata[s->next++], &error))
			give_up(s, g_steal_pointer(&error));
		/* a resumed cell may want it first */
		if (!s->running && !fill_lone(s, &error))
			give_up(s, g_steal_pointer(&error));
	}
	if (!s->running)
		g_main_loop_quit(s->loop);
}

static gboolean first_fill(gpointer data)
{
	fill(data);
	return G_SOURCE_REMOVE;
}

static void hand_on(struct sched *s, GError **error)
{
	if (g_error_matches(s->failure, LAB_ERROR, LAB_ERROR_NO_SPACE))
		lab_fail(error, LAB_ERROR_NO_SPACE,
			 "%s\nhint: what is judged is kept ('klab report %s'); make room, then 'klab "
			 "run --resume --out %s'", s->failure->message, s->r->dir, s->r->dir);
	else
		g_propagate_error(error, g_error_copy(s->failure));
	g_clear_error(&s->failure);
}

bool sched_run(struct run *r, const struct sched_params *params, enum sched_end *ret_end,
	       GError **error)
{
	struct sched s = { .r = r, .p = params, .end = SCHED_DONE };
	guint sigint = g_unix_signal_add(SIGINT, on_signal, &s);
	guint sigterm = g_unix_signal_add(SIGTERM, on_signal, &s);
	guint limit = params->limit_s ? g_timeout_add_seconds(params->limit_s, on_limit, &s) : 0;

	s.loop = g_main_loop_new(NULL, FALSE);
	s.slots = g_ptr_array_new();
	g_idle_add(first_fill, &s);
	g_main_loop_run(s.loop);
	g_source_remove(sigint);
	g_source_remove(sigterm);
	if (limit && s.end != SCHED_TIMEOUT)
		g_source_remove(limit);
	if (s.kill_timer)
		g_source_remove(s.kill_timer);
	g_ptr_array_free(s.slots, TRUE);
	g_queue_clear(&s.lone);
	g_main_loop_unref(s.loop);
	if (s.failure) {
		hand_on(&s, error);
		return false;
	}
	*ret_end = s.end;
	return true;
}
