// SPDX-License-Identifier: GPL-2.0-or-later
/* Start an engine in its cage. See cage.h. */
#include "guest/cage.h"

#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
#define FILE_MAX (1u << 30)

void cage_free(struct cage *c)
{
	if (!c)
		return;
	for (guint i = 0; i < c->fds->len; i++)
		close(g_array_index(c->fds, int, i));
	g_array_free(c->fds, TRUE);
	g_free(c->text);
	g_free(c);
}

struct cage *cage_new(void)
{
	struct cage *c = g_new0(struct cage, 1);

	c->fds = g_array_new(FALSE, FALSE, sizeof(int));
	return c;
}

/* --- what the engine may open -------------------------------------------------------------- */

/* Can a user without any group come there: x on each folder, and `bits` on the thing itself? */
static bool is_reachable(const char *path, mode_t bits)
{
	g_autofree char *dir = NULL;
	struct stat st;

	if (strcmp(path, "/") == 0)
		return stat(path, &st) == 0 && (st.st_mode & S_IXOTH);
	if (stat(path, &st) || (st.st_mode & bits) != bits)
		return false;
	dir = g_path_get_dirname(path);
	return strcmp(dir, ".") != 0 && is_reachable(dir, S_IXOTH);
}

static char *keep_fd(struct cage *c, int fd)
{
	g_array_append_val(c->fds, fd);
	return g_strdup_printf("/proc/self/fd/%d", fd);
}

/* A file that only root reads: the engine gets a copy that cannot change any more. */
static int copy_file(int from, const char *path, off_t size, GError **error)
{
	auto_fd to = memfd_create("klab-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t left = size;

	if (size > FILE_MAX) {
		lab_fail(error, LAB_ERROR_INPUT, "'%s' is larger than the limit of %u bytes", path,
			 FILE_MAX);
		return -1;
	}
	while (to >= 0 && left > 0) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n <= 0)
			break;
		left -= n;
	}
	if (to < 0 || left > 0) {
		lab_fail_errno(error, "cannot copy '%s'", path);
		return -1;
	}
	fcntl(to, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return lab_fd_steal(&to);
}

char *cage_file(struct cage *c, const char *path, GError **error)
{
	struct stat st;
	int fd, copy;

	if (!c->uid)
		return g_strdup(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		lab_fail_errno(error, "cannot open '%s'", path);
		lab_fd_close(&fd);
		return NULL;
	}
	if (st.st_mode & S_IROTH)
		return keep_fd(c, fd);
	copy = copy_file(fd, path, st.st_size, error);
	close(fd);
	return copy < 0 ? NULL : keep_fd(c, copy);
}

/* A folder, by its own name where the engine's user can come there. */
static char *folder_for(struct cage *c, const char *path)
{
	int fd;

	if (!c->uid || !g_path_is_absolute(path) || is_reachable(path, S_IXOTH))
		return g_strdup(path);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? g_strdup(path) : keep_fd(c, fd);
}

/* LD_LIBRARY_PATH=A:B, QEMU_MODULE_DIR=A */
static char **environ_for(struct cage *c, const struct engine *e)
{
	char **env = g_get_environ();

	for (char **add = e->env; add && *add; add++) {
		g_auto(GStrv) pair = g_strsplit(*add, "=", 2);
		g_auto(GStrv) parts = g_strsplit(pair[1] ? pair[1] : "", ":", -1);
		g_autofree char *value = NULL;

		for (char **part = parts; *part; part++) {
			char *mine = folder_for(c, *part);

			g_free(*part);
			*part = mine;
		}
		value = g_strjoinv(":", parts);
		env = g_environ_setenv(env, pair[0], value, TRUE);
	}
	return env;
}

static GPtrArray *argv_for(struct cage *c, const struct cage_exec *x)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(argv, g_strdup(x->engine->binary));
	for (char **arg = x->engine->args; arg && *arg; arg++)
		g_ptr_array_add(argv, folder_for(c, *arg));
	if (c->sandbox) {
		g_ptr_array_add(argv, g_strdup("-sandbox"));
		g_ptr_array_add(argv, g_strdup(SANDBOX));
	}
	for (char *const *arg = x->argv; *arg; arg++)
		g_ptr_array_add(argv, g_strdup(*arg));
	g_ptr_array_add(argv, NULL);
	return argv;
}

/* --- the child ----------------------------------------------------------------------------- */

struct child {
	const struct cage *cage;
	const struct cage_exec *x;
	pid_t parent;
	char *const *argv, *const *env;
	int binary; /* opened, where its path cannot be reached; else -1 */
};

static void child_fail(const char *what)
{
	dprintf(2, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

static void keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

/* Raw system calls: glibc's wrappers would look for other threads, which a child has not. */
static void drop_user(const struct cage *c)
{
	if (syscall(SYS_setgroups, c->group ? 1 : 0, &c->group) ||
	    syscall(SYS_setresgid, c->uid, c->uid, c->uid) ||
	    syscall(SYS_setresuid, c->uid, c->uid, c->uid))
		child_fail("cannot become another user");
}

/* Only async-signal-safe calls from here to exec. */
static void run_child(const struct child *ch)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(ch->x->in, 0);
	dup2(ch->x->out, 1);
	dup2(ch->x->out, 2);
	/* what our own caller left open is nothing to the engine; kernels before 5.11 cannot */
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (unsigned i = 0; i < ch->x->n_keep; i++)
		keep_open(ch->x->keep[i]);
	for (guint i = 0; i < ch->cage->fds->len; i++)
		keep_open(g_array_index(ch->cage->fds, int, i));
	if (ch->cage->uid)
		drop_user(ch->cage);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		child_fail("cannot give up new privileges");
	/* changed credentials clear it: not earlier */
	if (!proc_die_with_parent(ch->parent, SIGKILL))
		_exit(127);
	if (ch->binary >= 0)
		fexecve(ch->binary, ch->argv, ch->env);
	else
		execve(ch->argv[0], ch->argv, ch->env);
	dprintf(2, "cannot run '%s': %s\n", ch->argv[0], strerror(errno));
	_exit(127);
}

/* The binary itself may lie where its user cannot come: then it is started by its descriptor. */
static int open_binary(struct cage *c, const struct engine *e)
{
	int fd;

	if (!c->uid || is_reachable(e->binary, S_IROTH | S_IXOTH))
		return -1;
	fd = open(e->binary, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		g_array_append_val(c->fds, fd); /* a script's interpreter opens it again */
	return fd;
}

pid_t cage_spawn(struct cage *c, const struct cage_exec *x, GError **error)
{
	g_autoptr(GPtrArray) argv = argv_for(c, x);
	g_auto(GStrv) env = environ_for(c, x->engine);
	struct child child = { .cage = c,
			       .x = x,
			       .parent = getpid(),
			       .argv = (char *const *)argv->pdata,
			       .env = env };
	pid_t pid;

	child.binary = open_binary(c, x->engine);
	pid = fork();
	if (pid == 0)
		run_child(&child);
	if (pid < 0)
		lab_fail_errno(error, "fork");
	return pid;
}
