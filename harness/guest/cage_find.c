// SPDX-License-Identifier: GPL-2.0-or-later
/* Which cage does an engine bear? The tightest one is tried first, then ones with a gap each. */
#include "guest/cage.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The range that systemd's DynamicUser= uses: distributions give these numbers to nobody. */
#define UID_FIRST 61184
#define UID_COUNT 4336
#define PROBE_LIMIT_MS 20000 /* a starved host starts QEMU slowly */
#define WORDS_MAX 400

/* The same number as long as this process lives. */
static uid_t pick_uid(void)
{
	uid_t uid = UID_FIRST + getpid() % UID_COUNT;

	for (unsigned i = 0; i < UID_COUNT && getpwuid(uid); i++)
		uid = UID_FIRST + (uid + 1 - UID_FIRST) % UID_COUNT;
	return uid;
}

/* /dev/kvm belongs to a group on most distributions. */
static gid_t group_for(const char *accel)
{
	struct stat st;

	if (strcmp(accel, "kvm") != 0 || stat("/dev/kvm", &st) ||
	    (st.st_mode & (S_IROTH | S_IWOTH)) == (S_IROTH | S_IWOTH))
		return 0;
	return st.st_gid;
}

static char *last_words(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	g_autofree char *valid = g_utf8_make_valid(buf, MAX(n, 0));
	g_auto(GStrv) lines = g_strsplit(g_strstrip(valid), "\n", 2);

	return lines[0] && *lines[0] ? g_strndup(lines[0], WORDS_MAX)
				     : g_strdup("it ended without a word");
}

/* Wait for the end of a child, at most PROBE_LIMIT_MS; NULL when it ended well and we may kill it.
 */
static char *await_end(pid_t pid, int words)
{
	int64_t deadline_us = g_get_monotonic_time() + PROBE_LIMIT_MS * INT64_C(1000);
	siginfo_t info = { 0 };
	char *why = NULL;

	while (!info.si_pid && g_get_monotonic_time() < deadline_us) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno != EINTR)
			break;
		if (!info.si_pid)
			g_usleep(2000);
	}
	if (!info.si_pid)
		why = g_strdup_printf("no answer within %d s", PROBE_LIMIT_MS / 1000);
	else if (kill(pid, 0))
		why = g_strdup("we may not end it"); /* no CAP_KILL: a guest would outlive us */
	else if (info.si_code != CLD_EXITED || info.si_status)
		why = last_words(words);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return why;
}

static bool make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	return true;
}

/* Does the engine start in this cage, firmware and accelerator included? NULL, or what it says. */
static char *try_cage(struct cage *c, const struct engine *e, const char *accel)
{
	const char *const args[] = { "-S",       "-machine",    "pc",
				     "-accel",   accel,         "-m",
				     "32",       "-nodefaults", "-no-user-config",
				     "-display", "none",        "-net",
				     "none",     "-monitor",    "stdio",
				     NULL };
	struct cage_exec x = { .engine = e, .argv = (char *const *)args };
	g_autoptr(GError) error = NULL;
	auto_fd in = -1, out = -1, their_in = -1, their_out = -1;
	pid_t pid;

	if (!make_pair(&in, &their_in) || !make_pair(&out, &their_out))
		return g_strdup(g_strerror(errno));
	x.in = their_in;
	x.out = their_out;
	pid = cage_spawn(c, &x, &error);
	if (pid < 0)
		return g_strdup(error->message);
	/* one that is gone already, or takes nothing, is told by how it ends */
	(void)!send(in, "quit\n", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
	return await_end(pid, out);
}

/* What was found out for one engine: cages are tried from the tightest on. */
static struct {
	char *binary, *accel;
	bool sandbox, user;
	char *no_sandbox, *no_user; /* why, or NULL */
} known;

static bool try_level(const struct engine *e, bool sandbox, bool user, char **ret_why)
{
	g_autoptr(cage) c = cage_new();

	c->sandbox = sandbox;
	c->uid = user ? pick_uid() : 0;
	c->group = user ? group_for(known.accel) : 0;
	*ret_why = try_cage(c, e, known.accel);
	return !*ret_why;
}

static void find_out(const struct engine *e, const char *accel)
{
	bool root = geteuid() == 0;
	g_autofree char *both = NULL;

	g_free(known.binary);
	g_clear_pointer(&known.no_sandbox, g_free);
	g_clear_pointer(&known.no_user, g_free);
	known.binary = g_strdup(e->binary);
	g_free(known.accel);
	known.accel = g_strdup(accel);
	known.sandbox = true;
	known.user = root;
	if (try_level(e, true, root, &both))
		return;
	if (root && try_level(e, false, true, &known.no_user)) {
		/* the user is no trouble: the filter is */
		known.sandbox = false;
		known.no_sandbox = g_steal_pointer(&both);
		return;
	}
	known.user = false;
	known.sandbox = root && try_level(e, true, false, &known.no_sandbox);
	if (!root)
		known.no_sandbox = g_steal_pointer(&both);
}

static char *describe(const struct cage *c)
{
	GString *text = g_string_new(c->sandbox ? "seccomp" : "no seccomp");

	if (!c->sandbox)
		g_string_append_printf(text, " (%s)", known.no_sandbox);
	if (c->uid)
		g_string_append_printf(text, ", user %u", c->uid);
	else if (geteuid() == 0)
		g_string_append_printf(text, ", runs as root (%s)", known.no_user);
	else
		g_string_append(text, ", our own user");
	return g_string_free(text, FALSE);
}

struct cage *cage_open(const struct engine *e, const char *accel)
{
	struct cage *c = cage_new();

	if (g_strcmp0(known.binary, e->binary) != 0 || g_strcmp0(known.accel, accel) != 0)
		find_out(e, accel);
	c->sandbox = known.sandbox;
	c->uid = known.user ? pick_uid() : 0;
	c->group = c->uid ? group_for(accel) : 0;
	c->text = describe(c);
	c->whole = !known.no_sandbox && !known.no_user;
	return c;
}
