// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect status, log and replay: where a bisection stands; git bisect's log of it, for stock git to go
 * on with; and stock git's log taken in.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "cmd/board.h"
#include "bisect/gitlog.h"
#include "report/bisect.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GITLOG_MAX (16u << 20)
#define SURELY 0.01	/* of the bug, below which a kernel is called good */

/* --- status ------------------------------------------------------------------------------------- */

/* What whoever works in the folder does just now, as far as the folder tells. */
struct at_work {
	const char *state; /* "running", "stopped", "done" */
	const char *phase;
	const struct bisect_run *run; /* the test, or NULL */
	double since_s;		      /* that it takes by now */
};

/* Its lock is free unless somebody works there. */
static bool is_running(const struct bisect_session *s)
{
	g_autofree char *path = g_build_filename(s->dir, "lock", NULL);
	g_autoptr(GError) why = NULL;
	auto_fd lock = fs_lock(path, 0, &why);

	return g_error_matches(why, LAB_ERROR, LAB_ERROR_TIMEOUT);
}

/* Seconds of the host's clock. */
static double changed_at(const struct bisect_session *s, const char *name)
{
	g_autofree char *path = g_build_filename(s->dir, name, NULL);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mtim.tv_sec + st.st_mtim.tv_nsec / 1e9;
}

/* The last event is the begin of what is under way; but what was begun before the lock was taken was
 * cut short. */
static struct at_work look(const struct bisect_session *s, const struct bisect_step *step)
{
	double begun = changed_at(s, "lock"), logged = changed_at(s, "log.jsonl");
	const GPtrArray *runs = s->state->runs;
	const struct bisect_run *last = runs->len ? runs->pdata[runs->len - 1] : NULL;
	struct at_work w = { .state = "running", .phase = bisect_phase_name(step->phase),
			     .since_s = MAX(0, g_get_real_time() / 1e6 - MAX(begun, logged)) };

	if (!is_running(s)) {
		w.state = step->phase == BISECT_DONE ? "done" : "stopped";
		return w;
	}
	if (last && !last->ended && logged >= begun) {
		w.run = last;
		w.phase = last->patched ? "verify" : w.phase;
	}
	return w;
}

static char *at_work_words(const struct bisect_session *s, const struct at_work *w,
			   const struct bisect_step *step)
{
	unsigned node = w->run ? w->run->node : step->test.node;
	g_autofree char *name = NULL;

	if (!strcmp(w->state, "done"))
		return NULL;
	if (!strcmp(w->state, "stopped"))
		return g_strdup_printf("%s, stopped: kbisect run --resume %s goes on", w->phase, s->dir);
	if (!w->run && step->phase == BISECT_DONE)
		return g_strdup("an answer, at work on what follows from it");
	name = bisect_range_name(s->range, node);
	if (w->run)
		return g_strdup_printf("%s, at work: test %u is of %s, for %.0f s by now", w->phase,
				       w->run->test + 1, name, w->since_s);
	return g_strdup_printf("%s, at work: %s is made, for %.0f s by now", w->phase, name, w->since_s);
}

static char *status_json(const struct bisect_session *s, const struct at_work *w,
			 const struct bisect_step *step)
{
	json_t *doc = bisect_json(s->range, s->state, step);
	char *raw, *text;

	json_object_set_new(doc, "dir", json_string(s->dir));
	json_object_set_new(doc, "state", json_string(w->state));
	if (w->run)
		json_object_set_new(doc, "now", json_pack("{s:i, s:s, s:f}", "test", (int)w->run->test,
							  "id", s->range->changes[w->run->node].id,
							  "since_s", w->since_s));
	raw = json_dumps(doc, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	text = g_strconcat(raw, "\n", NULL);
	free(raw);
	json_decref(doc);
	return text;
}

/* Of builds: the bisection of commits that follows has a folder of its own. */
static void add_commits(const struct bisect_session *s, char **text)
{
	g_autofree char *range = g_build_filename(s->dir, "commits", "range.json", NULL);
	char *longer;

	if (!g_file_test(range, G_FILE_TEST_EXISTS))
		return;
	longer = g_strdup_printf("%s\nthe commits of that build: kbisect status %s/commits\n", *text, s->dir);
	g_free(*text);
	*text = longer;
}

static bool status(const char *dir, bool json, GError **error)
{
	g_autoptr(bisect_session) s = NULL;
	g_autofree char *text = NULL, *now = NULL;
	struct bisect_step step;
	struct at_work w;

	if (!bisect_session_open(dir, false, &s, error))
		return false;
	step = bisect_state_next(s->state, NULL, 0, NULL);
	w = look(s, &step);
	now = at_work_words(s, &w, &step);
	text = json ? status_json(s, &w, &step) :
		      bisect_status_text(s->range, s->state, &step, now, board_utf8());
	if (!json)
		add_commits(s, &text);
	return cmd_output("-", text, strlen(text), error);
}

/* --- log ---------------------------------------------------------------------------------------- */

/* What git may believe for ever: failures, and kernels that hardly have the bug. */
static void add_node(GString *out, const struct bisect_session *s, unsigned node)
{
	const struct bisect_change *c = &s->range->changes[node];
	const struct bisect_tally *t = &s->state->belief->at[node];
	bool fix = s->range->fix;

	if (s->state->known[node] == TESTABLE_NO)
		gitlog_add(out, fix, GITLOG_SKIP, c->id, c->subject);
	else if (t->fails > 0 && bisect_p_present(s->state->belief, node) > 1 - SURELY)
		gitlog_add(out, fix, fix ? GITLOG_OLD : GITLOG_NEW, c->id, c->subject);
	else if (t->had > 0 && bisect_p_present(s->state->belief, node) < SURELY)
		gitlog_add(out, fix, fix ? GITLOG_NEW : GITLOG_OLD, c->id, c->subject);
}

static bool log_of(const char *dir, bool json, GError **error)
{
	g_autoptr(bisect_session) s = NULL;
	g_autoptr(GString) out = g_string_new(NULL);
	const struct bisect_change *changes;

	(void)json;
	if (!bisect_session_open(dir, false, &s, error))
		return false;
	changes = s->range->changes;
	gitlog_start(out, s->range->fix);
	/* the ends are what was asked */
	gitlog_add(out, s->range->fix, GITLOG_NEW, changes[s->range->n - 1].id,
		   changes[s->range->n - 1].subject);
	gitlog_add(out, s->range->fix, GITLOG_OLD, changes[s->range->n].id,
		   changes[s->range->n].subject);
	for (unsigned node = 0; node + 1 < s->range->n; node++)
		add_node(out, s, node);
	return cmd_output("-", out->str, out->len, error);
}

/* --- replay ------------------------------------------------------------------------------------- */

static enum bisect_outcome outcome_of(const struct bisect_session *s, enum gitlog_verdict verdict)
{
	if (verdict == GITLOG_SKIP)
		return OUTCOME_UNTESTABLE;
	return (verdict == GITLOG_NEW) != s->range->fix ? OUTCOME_FAILED : OUTCOME_SURVIVED;
}

/* The ends of git's log are not evidence of a run, and are known here. */
static bool take_line(struct bisect_session *s, const struct gitlog_line *line, unsigned *taken,
		      GError **error)
{
	int node = bisect_range_find(s->range, line->id);
	g_autofree char *said = NULL;

	if (node == (int)s->range->n || node == (int)s->range->n - 1)
		return true;
	if (node < 0) {
		said = g_strdup_printf("'%s' is not in this range: passed over", line->id);
		cmd_line(said);
		return true;
	}
	++*taken;
	return bisect_session_log(s, json_pack("{s:s, s:i, s:s}", "ev", "told", "node", node, "outcome",
					       bisect_outcome_name(outcome_of(s, line->verdict))),
				  error);
}

static bool replay(const char *dir, const char *file, GError **error)
{
	g_autoptr(bisect_session) s = NULL;
	g_autoptr(gitlog) log = NULL;
	g_autofree char *text = NULL;
	unsigned taken = 0;
	size_t len;

	if (!bisect_session_open(dir, true, &s, error) ||
	    !fs_read(file, GITLOG_MAX, &text, &len, error))
		return false;
	if (!gitlog_parse(text, len, &log, error))
		return lab_prefix(error, "'%s'", file);
	for (guint i = 0; i < log->lines->len; i++)
		if (!take_line(s, &g_array_index(log->lines, struct gitlog_line, i), &taken, error))
			return false;
	printf("%u findings taken in; kbisect run --resume %s\n", taken, s->dir);
	return true;
}

/* --- commands ----------------------------------------------------------------------------------- */

static int simple(int argc, char **argv, const char *about,
		  bool (*show)(const char *dir, bool json, GError **error))
{
	g_autoptr(GError) error = NULL;
	gboolean json = FALSE;
	const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
					 G_OPTION_ENTRY_NULL };
	g_autofree char *name = g_strdup(argv[0]);
	int code;

	if (!cmd_parse(&argc, &argv, "[DIR]", about, show == status ? entries : NULL, NULL, &code))
		return code;
	if (argc > 2)
		lab_fail(&error, LAB_ERROR_USAGE, "want one folder");
	else if (show(argc > 1 ? argv[1] : NULL, json, &error))
		return EXIT_CLEAN;
	return cmd_error(name, error);
}

static int run_status(int argc, char **argv)
{
	return simple(argc, argv, "Tell where a bisection stands (default: the newest in results/).", status);
}

static int run_log(int argc, char **argv)
{
	return simple(argc, argv,
		      "Print git bisect's log of it: 'git bisect replay FILE' lets stock git go on.", log_of);
}

static int run_replay(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	int code;

	if (!cmd_parse(&argc, &argv, "DIR FILE",
		       "Take what 'git bisect log' printed into a bisection, each line as one run.", NULL,
		       NULL, &code))
		return code;
	if (argc != 3)
		lab_fail(&error, LAB_ERROR_USAGE, "want a bisection's folder and a log");
	else if (replay(argv[1], argv[2], &error))
		return EXIT_CLEAN;
	return cmd_error("replay", error);
}

const struct command command_bisect_status = {
	.name = "status", .summary = "where a bisection stands", .run = run_status,
};
const struct command command_bisect_log = {
	.name = "log", .summary = "git bisect's log of it", .run = run_log,
};
const struct command command_bisect_replay = {
	.name = "replay", .summary = "take git bisect's log in", .run = run_replay,
};
