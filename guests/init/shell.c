// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The user's command or shell (`klab boot`): its standard streams travel in records, so that they
 * are 8-bit clean, told apart, and seen to be whole. On a terminal it gets a pty of its own.
 *
 * The host sends no more input than WIRE_INPUT_WINDOW bytes ahead of what the command took; output
 * waits for the host for as long as it likes, and the command with it.
 */
#include "base64.h"
#include "init.h"
#include "link.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_CHUNK 4096
#define ARGS_MAX 1024
#define PTY_LATE_MS 200 /* a pty hands over what was written with a delay */
#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static struct {
	int pid;   /* 0: none */
	bool over; /* `exit` was sent */
	bool tty;
	int in, out, err; /* our ends; -1: closed, or none */
	uint8_t pending[WIRE_INPUT_WINDOW];
	size_t at, len; /* of pending, what the command did not take yet */
	bool eof;       /* nothing follows */
	uint64_t took;
} shell = { .in = -1, .out = -1, .err = -1 };

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- the world ----------------------------------------------------------------------------------
 */

/* Waits: nothing else goes on in this guest. */
static void applets_install(void)
{
	int pid = access("/bin/busybox", X_OK) ? 0 : fork();

	if (pid == 0 && !access("/bin/busybox", X_OK)) {
		execl("/bin/busybox", "busybox", "--install", "-s", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* What the agent itself does without; best effort, as a kernel may lack any of it. */
static void world_make(void)
{
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mknod("/dev/ptmx", S_IFCHR | 0666, 5 << 8 | 2);
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666");
	mkdir("/dev/shm", 01777);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	applets_install();
}

/* --- start --------------------------------------------------------------------------------------
 */

struct ends {
	int in, out, err; /* the command's */
	int report;       /* takes the errno of an exec that failed */
};

static bool pty_open(struct ends *theirs)
{
	char name[32];
	int unlock = 0, number, fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (ioctl(fd, TIOCSPTLCK, &unlock) || ioctl(fd, TIOCGPTN, &number)) {
		close(fd);
		return false;
	}
	text_format(name, sizeof(name), "/dev/pts/%d", number);
	theirs->in = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (theirs->in < 0) {
		close(fd);
		return false;
	}
	theirs->out = theirs->err = theirs->in;
	shell.out = fd;
	shell.in = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return true;
}

static bool pipes_open(struct ends *theirs)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return false;
	theirs->in = in[0];
	shell.in = in[1];
	shell.out = out[0];
	theirs->out = out[1];
	shell.err = err[0];
	theirs->err = err[1];
	return true;
}

static void ends_close(struct ends *theirs)
{
	if (theirs->out != theirs->in)
		fd_close(&theirs->out);
	if (theirs->err != theirs->in)
		fd_close(&theirs->err);
	fd_close(&theirs->in);
	fd_close(&theirs->report);
}

static void environment_make(const json_t *env)
{
	const json_t *item;
	size_t i;

	clearenv();
	setenv("PATH", SEARCH_PATH, 1);
	setenv("HOME", "/root", 1);
	json_array_foreach (env, i, item)
		if (strchr(json_string_value(item) ?: "", '='))
			putenv((char *)json_string_value(item));
}

static void child_exec(char *const *argv, const json_t *env, const struct ends *theirs)
	__attribute__((noreturn));
static void child_exec(char *const *argv, const json_t *env, const struct ends *theirs)
{
	int failure;

	setsid();
	if (shell.tty)
		ioctl(theirs->in, TIOCSCTTY, 0);
	dup2(theirs->in, 0);
	dup2(theirs->out, 1);
	dup2(theirs->err, 2);
	signal(SIGPIPE, SIG_DFL);
	environment_make(env);
	if (chdir("/root"))
		chdir("/");
	execvp(argv[0], argv);
	failure = errno;
	write(theirs->report, &failure, sizeof(failure));
	_exit(127);
}

static void over(json_t *how)
{
	link_send_json("exit", how);
	shell.over = true;
	shell.pid = 0;
}

static void fail(int err)
{
	over(json_pack("{si ss}", "errno", err, "error", strerror(err)));
}

/* False if it could not be executed; the record is sent. */
static bool child_start(char *const *argv, const json_t *env, struct ends *theirs)
{
	int report[2], failure;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC)) {
		fail(errno);
		return false;
	}
	theirs->report = report[1];
	shell.pid = fork();
	if (shell.pid == 0)
		child_exec(argv, env, theirs);
	ends_close(theirs);
	n = shell.pid < 0 ? 0 : read(report[0], &failure, sizeof(failure));
	close(report[0]);
	if (shell.pid > 0 && n != sizeof(failure))
		return true;
	if (shell.pid > 0)
		waitpid(shell.pid, NULL, 0);
	fail(n == sizeof(failure) ? failure : EAGAIN);
	return false;
}

static bool argv_read(const json_t *list, char **argv)
{
	size_t n = json_array_size(list);

	if (!n || n > ARGS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		argv[i] = (char *)json_string_value(json_array_get(list, i));
		if (!argv[i])
			return false;
	}
	argv[n] = NULL;
	return true;
}

static void size_set(const json_t *json)
{
	struct winsize size = {
		.ws_row = json_integer_value(json_object_get(json, "rows")),
		.ws_col = json_integer_value(json_object_get(json, "cols")),
	};

	if (size.ws_row && size.ws_col)
		ioctl(shell.out, TIOCSWINSZ, &size);
}

static void nonblocking(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void shell_start(const char *payload)
{
	static char *argv[ARGS_MAX + 1];
	json_t *json = json_loads(payload, 0, NULL);
	struct ends theirs = { -1, -1, -1, -1 };

	if (shell.pid || shell.over || !argv_read(json_object_get(json, "argv"), argv)) {
		link_note("'run' ignored: no command, or a second one");
		json_decref(json);
		return;
	}
	world_make();
	link_patient();
	signal(SIGPIPE, SIG_IGN);
	shell.tty = json_is_true(json_object_get(json, "tty")) && pty_open(&theirs);
	if (!shell.tty && !pipes_open(&theirs)) {
		fail(errno);
	} else {
		size_set(json);
		nonblocking(shell.in);
		nonblocking(shell.out);
		nonblocking(shell.err);
		child_start(argv, json_object_get(json, "env"), &theirs);
	}
	json_decref(json);
}

/* --- input
 * ---------------------------------------------------------------------------------------- */

static void took(size_t n)
{
	char text[24];

	shell.took += n;
	text_format(text, sizeof(text), "%llu", (unsigned long long)shell.took);
	link_send("took", text);
}

/* The command does not read any more: what comes is taken and forgotten. */
static void input_drop(void)
{
	fd_close(&shell.in);
	if (shell.len)
		took(shell.len);
	shell.at = shell.len = 0;
}

static void input_write(void)
{
	ssize_t n;

	if (shell.in < 0 || !shell.len)
		return;
	n = write(shell.in, shell.pending + shell.at, shell.len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		input_drop();
		return;
	}
	if (n <= 0)
		return;
	shell.at += n;
	shell.len -= n;
	took(n);
}

void shell_input(const char *payload)
{
	uint8_t raw[WIRE_INPUT_WINDOW];
	int n = base64_decode(raw, sizeof(raw), payload);

	if (n < 0 || shell.len + n > sizeof(shell.pending)) {
		link_note("input dropped: it came in a way that was not agreed");
		return;
	}
	memmove(shell.pending, shell.pending + shell.at, shell.len);
	memcpy(shell.pending + shell.len, raw, n);
	shell.at = 0;
	shell.len += n;
	shell.eof |= !n;
	if (shell.in < 0)
		input_drop();
	input_write();
}

void shell_size(const char *payload)
{
	json_t *json = json_loads(payload, 0, NULL);

	if (shell.tty)
		size_set(json);
	json_decref(json);
}

/* --- output and end
 * ------------------------------------------------------------------------------- */

/* One chunk; false when there is nothing now. */
static bool output_read(int *fd, const char *type)
{
	static uint8_t raw[OUTPUT_CHUNK];
	static char text[BASE64_LEN(OUTPUT_CHUNK) + 1];
	ssize_t n = *fd < 0 ? -1 : read(*fd, raw, sizeof(raw));

	if (n > 0) {
		base64_encode(text, raw, n);
		link_send(type, text);
		return true;
	}
	if (*fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
		fd_close(fd); /* a pty says EIO when its last user is gone */
	return false;
}

unsigned shell_fds(struct pollfd *p)
{
	p[0] = (struct pollfd){ .fd = shell.len ? shell.in : -1, .events = POLLOUT };
	p[1] = (struct pollfd){ .fd = shell.out, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = shell.err, .events = POLLIN };
	return SHELL_FDS;
}

void shell_serve(void)
{
	input_write();
	output_read(&shell.out, "out");
	output_read(&shell.err, "err");
	if (shell.eof && !shell.len && !shell.tty)
		fd_close(&shell.in);
}

static void output_drain(void)
{
	struct pollfd p = { .fd = shell.out, .events = POLLIN };

	while (output_read(&shell.out, "out") || output_read(&shell.err, "err"))
		;
	while (shell.tty && shell.out >= 0 && poll(&p, 1, PTY_LATE_MS) > 0)
		output_read(&shell.out, "out");
}

int shell_pid(void)
{
	return shell.pid;
}

bool shell_tick(void)
{
	int status;

	if (shell.pid <= 0 || waitpid(shell.pid, &status, WNOHANG) != shell.pid)
		return shell.over;
	output_drain();
	if (WIFSIGNALED(status))
		over(json_pack("{si}", "signal", WTERMSIG(status)));
	else
		over(json_pack("{si}", "code", WEXITSTATUS(status)));
	return true;
}
