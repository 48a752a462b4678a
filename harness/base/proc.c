// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Child programs that we wait for. A child leads a process group of its own, so that a timeout ends
 * what it started as well, and nothing of the group outlives the call.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define OUTPUT_MAX (1u << 20)
#define LINE_MAX_BYTES (64u << 10)
#define GRACE_US (2 * G_USEC_PER_SEC)
#define QUOTED_LINES 3

struct child {
	const struct proc_spec *spec;
	pid_t pid;
	int out;		/* its stdout and stderr, non-blocking */
	int64_t deadline;	/* 0: none */
	GString *output, *line;
	int status;		/* of waitpid() once reaped */
};

bool proc_die_with_parent(pid_t parent, int sig)
{
	/* The parent may have died before prctl(): then no signal will ever come. */
	return !prctl(PR_SET_PDEATHSIG, sig) && getppid() == parent;
}

/* Between fork and exec: only async-signal-safe calls. */
static void child_exec(const struct proc_spec *spec, pid_t parent, char *const *env, int out,
		       int report)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), saved;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (setpgid(0, 0) || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || !proc_die_with_parent(parent, SIGKILL) ||
	    (spec->cwd && chdir(spec->cwd)))
		goto fail;
	execvpe(spec->argv[0], (char *const *)spec->argv, env);
fail:
	saved = errno;
	if (write(report, &saved, sizeof(saved)) < 0)
		_exit(126);
	_exit(127);
}

static char **build_env(const char *const *add)
{
	char **env = g_get_environ();

	for (; add && *add; add++) {
		g_auto(GStrv) pair = g_strsplit(*add, "=", 2);

		if (pair[0] && pair[1])
			env = g_environ_setenv(env, pair[0], pair[1], TRUE);
	}
	return env;
}

/* Did the exec work? The report pipe closes by it, or carries the errno of what failed. */
static bool child_started(struct child *c, int report, GError **error)
{
	int code;
	ssize_t n;

	do
		n = read(report, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return true;
	while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
		;
	if (code == ENOENT && c->spec->cwd && !g_file_test(c->spec->cwd, G_FILE_TEST_IS_DIR))
		return lab_fail(error, LAB_ERROR_INFRA, "cannot run '%s' in '%s': no such folder",
				c->spec->argv[0], c->spec->cwd);
	return lab_fail(error, code == ENOENT ? LAB_ERROR_UNAVAILABLE : LAB_ERROR_INFRA,
			"cannot run '%s': %s", c->spec->argv[0], g_strerror(code));
}

static bool child_spawn(struct child *c, GError **error)
{
	g_auto(GStrv) env = build_env(c->spec->env);
	auto_fd out_r = -1, out_w = -1, rep_r = -1, rep_w = -1;
	int out[2], report[2];
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC))
		return lab_fail_errno(error, "cannot run '%s': pipe", c->spec->argv[0]);
	out_r = out[0];
	out_w = out[1];
	if (pipe2(report, O_CLOEXEC))
		return lab_fail_errno(error, "cannot run '%s': pipe", c->spec->argv[0]);
	rep_r = report[0];
	rep_w = report[1];
	c->pid = fork();
	if (c->pid < 0)
		return lab_fail_errno(error, "cannot run '%s': fork", c->spec->argv[0]);
	if (!c->pid)
		child_exec(c->spec, parent, env, out_w, rep_w);
	setpgid(c->pid, c->pid);	/* whoever comes first: the group exists when we return */
	lab_fd_close(&rep_w);
	fcntl(out_r, F_SETFL, O_NONBLOCK);
	c->out = lab_fd_steal(&out_r);
	return child_started(c, rep_r, error);
}

static void line_end(struct child *c)
{
	if (c->line->len)
		c->spec->on_line(c->line->str, c->spec->user);
	g_string_truncate(c->line, 0);
}

static void take_output(struct child *c, const char *data, size_t len)
{
	size_t max = c->spec->output_max ? c->spec->output_max : OUTPUT_MAX;

	g_string_append_len(c->output, data, len);
	if (c->output->len > 2 * max)
		g_string_erase(c->output, 0, c->output->len - max);
	for (size_t i = 0; c->spec->on_line && i < len; i++) {
		if (data[i] == '\n' || data[i] == '\r')
			line_end(c);
		else if (c->line->len < LINE_MAX_BYTES && data[i])
			g_string_append_c(c->line, data[i]);
	}
}

/* Read what is there, at most a pipe's worth, as a flood must not outlast the deadline; false at
 * the end of output. */
static bool child_read(struct child *c)
{
	char buf[16384];

	for (unsigned i = 0; i < 64; i++) {
		ssize_t n = read(c->out, buf, sizeof(buf));

		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		take_output(c, buf, n);
	}
	return true;
}

/* Has it ended? It stays a zombie, so that its group's number cannot be anybody else's yet. */
static bool child_ended(const struct child *c)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, c->pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == c->pid;
}

/* Until it ended, or the deadline passed. */
static bool child_wait(struct child *c, int64_t deadline)
{
	bool open = true;

	while (!child_ended(c)) {
		int64_t left_ms = deadline ? (deadline - g_get_monotonic_time()) / 1000 : 1000;
		struct pollfd pfd = { .fd = open ? c->out : -1, .events = POLLIN };

		if (left_ms <= 0)
			return false;
		/* A child may close its output long before it ends, and the reverse. */
		poll(&pfd, 1, CLAMP(left_ms, 1, open ? 100 : 5));
		if (open && pfd.revents)
			open = child_read(c);
	}
	child_read(c);
	return true;
}

static void child_reap(struct child *c)
{
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
		;
	if (c->spec->on_line)
		line_end(c);
}

/* The last lines that say something, for an error message. */
static char *quote_tail(const GString *output)
{
	g_auto(GStrv) lines = g_strsplit_set(output->str, "\r\n", -1);
	g_autoptr(GString) tail = g_string_new(NULL);
	unsigned kept = 0;

	for (unsigned i = g_strv_length(lines); i-- > 0 && kept < QUOTED_LINES;) {
		const char *line = g_strstrip(lines[i]);

		if (!*line)
			continue;
		g_string_prepend(tail, kept ? " / " : "");
		g_string_prepend_len(tail, line, MIN(strlen(line), 400));
		kept++;
	}
	return g_utf8_make_valid(tail->str, tail->len);
}

static bool fail_with_tail(const struct child *c, enum lab_error code, const char *what,
			   GError **error)
{
	g_autofree char *tail = quote_tail(c->output);

	return lab_fail(error, code, "'%s' %s%s%s%s", c->spec->argv[0], what, *tail ? ": '" : "",
			tail, *tail ? "'" : "");
}

static bool child_result(const struct child *c, int *ret_status, GError **error)
{
	g_autofree char *what = NULL;

	if (WIFSIGNALED(c->status))
		what = g_strdup_printf("was killed by signal %d", WTERMSIG(c->status));
	else if (WEXITSTATUS(c->status) && !ret_status)
		what = g_strdup_printf("exited with code %d", WEXITSTATUS(c->status));
	if (what)
		return fail_with_tail(c, LAB_ERROR_INFRA, what, error);
	if (ret_status)
		*ret_status = WEXITSTATUS(c->status);
	return true;
}

static bool child_finish(struct child *c, int *ret_status, GError **error)
{
	g_autofree char *what = NULL;

	if (child_wait(c, c->deadline)) {
		child_reap(c);
		return child_result(c, ret_status, error);
	}
	kill(-c->pid, SIGTERM);
	child_wait(c, g_get_monotonic_time() + GRACE_US);
	child_reap(c);
	what = g_strdup_printf("did not end within %u s", c->spec->timeout_s);
	return fail_with_tail(c, LAB_ERROR_TIMEOUT, what, error);
}

bool proc_run(const struct proc_spec *spec, char **ret_output, int *ret_status, GError **error)
{
	g_autoptr(GString) output = g_string_new(NULL), line = g_string_new(NULL);
	struct child c = { .spec = spec, .out = -1, .output = output, .line = line };
	size_t max = spec->output_max ? spec->output_max : OUTPUT_MAX;
	bool ok;

	if (spec->timeout_s)
		c.deadline = g_get_monotonic_time() + (int64_t)spec->timeout_s * G_USEC_PER_SEC;
	ok = child_spawn(&c, error) && child_finish(&c, ret_status, error);
	lab_fd_close(&c.out);
	if (!ok)
		return false;
	if (output->len > max)
		g_string_erase(output, 0, output->len - max);
	if (ret_output)
		*ret_output = g_string_free(g_steal_pointer(&output), FALSE);
	return true;
}

/* --- beside us -------------------------------------------------------------------------------- */

static G_NORETURN void start_exec(const char *const *argv, pid_t parent, int log)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (proc_die_with_parent(parent, SIGKILL) && dup2(null, 0) >= 0 && dup2(log, 1) >= 0 &&
	    dup2(log, 2) >= 0)
		execv(argv[0], (char *const *)argv);
	_exit(127);
}

pid_t proc_start(const char *const *argv, const char *log, GError **error)
{
	auto_fd fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	pid_t parent = getpid(), pid;

	if (fd < 0) {
		lab_fail_errno(error, "'%s'", log);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		start_exec(argv, parent, fd);
	if (pid < 0)
		lab_fail_errno(error, "cannot run '%s': fork", argv[0]);
	return pid;
}

static pid_t parent_of(const char *pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid), *text = NULL;
	const char *end;
	int parent;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	end = strrchr(text, ')'); /* a name may have any byte, ')' too */
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Stop those whose parents are among `pids`, and add them; whether there were any. */
static bool stop_children(GHashTable *pids)
{
	g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
	guint before = g_hash_table_size(pids);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		pid_t pid = g_ascii_strtoll(name, NULL, 10);

		if (pid <= 0 || g_hash_table_contains(pids, GINT_TO_POINTER(pid)) ||
		    !g_hash_table_contains(pids, GINT_TO_POINTER(parent_of(name))))
			continue;
		kill(pid, SIGSTOP);
		g_hash_table_add(pids, GINT_TO_POINTER(pid));
	}
	return g_hash_table_size(pids) > before;
}

/* Groups do not tell who belongs together: children of children have groups of their own. Who is
 * stopped starts no more, so that this ends. */
void proc_end(pid_t pid)
{
	g_autoptr(GHashTable) pids = g_hash_table_new(NULL, NULL);
	GHashTableIter iter;
	gpointer member;

	kill(pid, SIGSTOP);
	g_hash_table_add(pids, GINT_TO_POINTER(pid));
	while (stop_children(pids))
		;
	g_hash_table_iter_init(&iter, pids);
	while (g_hash_table_iter_next(&iter, &member, NULL))
		kill(GPOINTER_TO_INT(member), SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
