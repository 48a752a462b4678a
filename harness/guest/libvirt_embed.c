// SPDX-License-Identifier: GPL-2.0-or-later
/* The folder, the guard and the user of libvirt's driver in this process. See libvirt_embed.h. */
#include "guest/libvirt_embed.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* libvirt appends "/lib/qemu/domain-9999-<20 bytes of a name>/monitor.sock" for a socket of 107. */
#define ROOT_MAX 52
#define NOBODY 65534
#define GUARD_ROUNDS 20	/* of 100 ms, for engines to be gone */

static const char config[] =
	"stdio_handler = \"file\"\n"	/* there is no virtlogd */
	"security_driver = \"none\"\n"
	"seccomp_sandbox = 1\n";

static struct {
	char *root;
	int alive;	/* the guard sees this end of its pipe close */
	char *runtime_dir;
	bool dropped;
	int open;		/* connections */
	GHashTable *ended;	/* pid -> waitpid's status, of QEMUs */
} embed = { .alive = -1 };

char *embed_dir_of(const char *uri)
{
	const char *query = strchr(uri, '?');
	g_autoptr(GHashTable) params = NULL;

	if (query)
		params = g_uri_parse_params(query + 1, -1, "&;", G_URI_PARAMS_NONE, NULL);
	return params ? g_strdup(g_hash_table_lookup(params, "root")) : NULL;
}

/* --- the guard: only what is safe behind fork(), and no errors that anybody could read -------- */

static bool names_root(pid_t pid, const char *root)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *text = NULL;
	size_t len = 0;

	return fs_read(path, 1 << 20, &text, &len, NULL) && memmem(text, len, root, strlen(root));
}

/* Who holds libvirt's lock on it, else an engine that names our folder: never a number alone. */
static pid_t holder_of(const char *pidfile, const char *root)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_fd fd = open(pidfile, O_RDWR | O_CLOEXEC);
	char text[32] = "";
	int64_t pid;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	pid = g_ascii_strtoll(text, NULL, 10);
	if (pid <= 1 || pid > G_MAXINT)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == pid)
		return pid;
	return names_root(pid, root) ? pid : 0;
}

static unsigned kill_in(const char *dir, const char *glob, const char *root, unsigned depth)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;
	unsigned n = 0;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		pid_t pid = 0;

		if (depth && g_file_test(path, G_FILE_TEST_IS_DIR))
			n += kill_in(path, glob, root, depth - 1);
		else if (fnmatch(glob, name, 0) == 0 && strcmp(name, "driver.pid") != 0)
			pid = holder_of(path, root);
		if (pid && kill(pid, SIGKILL) == 0)
			n++;
	}
	if (d)
		g_dir_close(d);
	return n;
}

/* Engines of domains, and those that libvirt asks for their capabilities. */
static unsigned kill_engines(const char *root)
{
	g_autofree char *run = g_build_filename(root, "run/qemu", NULL);
	g_autofree char *lib = g_build_filename(root, "lib/qemu", NULL);

	return kill_in(run, "*.pid", root, 0) + kill_in(lib, "*.pid", root, 1);
}

static void watch_over(int fd, const char *root)
{
	char byte;

	setsid();
	prctl(PR_SET_NAME, "klab-guard");
	dup2(fd, 0);
	/* what our caller left open, locks among it, would live as long as we do */
	syscall(SYS_close_range, 1, ~0u, 0);
	if (chdir("/"))
		_exit(1);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	/* one more round without any: a driver that died while it started one */
	for (unsigned i = 0, quiet = 0; i < GUARD_ROUNDS && quiet < 2; i++) {
		quiet = kill_engines(root) ? 0 : quiet + 1;
		g_usleep(100000);
	}
	fs_remove(root, NULL);
	_exit(0);
}

/* A grandchild: its parent is init, and nobody here has to wait for it. */
static bool start_guard(const char *root, GError **error)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return lab_fail_errno(error, "pipe");
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		if (fork() == 0)
			watch_over(ends[0], root);
		_exit(0);
	}
	close(ends[0]);
	embed.alive = ends[1];
	if (pid < 0)
		return lab_fail_errno(error, "fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return true;
}

/* --- the folder ------------------------------------------------------------------------------- */

/* A root's runtime folder is as good as any; it is often not there at all. */
static char *choose_dir(const char *uri)
{
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");
	char *dir = embed_dir_of(uri);

	if (dir)
		return dir;
	return g_strdup(runtime && g_path_is_absolute(runtime) && access(runtime, W_OK) == 0 &&
			strlen(runtime) + strlen("/klab-XXXXXX") <= ROOT_MAX ? runtime : "/tmp");
}

static bool make_root(const char *dir, char **ret, GError **error)
{
	g_autofree char *root = g_build_filename(dir, "klab-XXXXXX", NULL);

	if (!g_path_is_absolute(dir))
		return lab_fail(error, LAB_ERROR_USAGE,
				"libvirt's embed mode: the folder 'root=%s' is not absolute", dir);
	if (strlen(root) > ROOT_MAX)
		return lab_fail(error, LAB_ERROR_USAGE,
				"libvirt's embed mode: the folder '%s' is longer than %zu bytes, "
				"sockets in it could not be named\n"
				"hint: qemu:///embed?root=/tmp", dir, ROOT_MAX - strlen("/klab-XXXXXX"));
	if (!fs_mkdir(dir, error))
		return false;
	if (!g_mkdtemp(root))
		return lab_fail_errno(error, "cannot make a folder in '%s'", dir);
	*ret = g_steal_pointer(&root);
	return true;
}

/* What libvirt knows of an engine is named by the engine and checked by libvirt: safe to share. */
static bool share_cache(const char *root, GError **error)
{
	g_autofree char *kept = fs_cache_dir("libvirt/embed/qemu/capabilities", error);
	g_autofree char *link = g_build_filename(root, "cache", NULL), *cache = NULL;

	if (!kept)
		return false;
	cache = g_strndup(kept, strlen(kept) - strlen("/qemu/capabilities"));
	return symlink(cache, link) == 0 || lab_fail_errno(error, "'%s'", link);
}

static bool fill_root(const char *root, GError **error)
{
	g_autofree char *etc = g_build_filename(root, "etc", NULL);
	g_autofree char *conf = g_build_filename(etc, "qemu.conf", NULL);

	return fs_mkdir(etc, error) && fs_write(conf, config, strlen(config), error) &&
	       share_cache(root, error);
}

const char *embed_prepare(const char *uri, GError **error)
{
	g_autofree char *dir = NULL, *root = NULL;

	if (embed.root)
		return embed.root;
	dir = choose_dir(uri);
	if (!make_root(dir, &root, error))
		return NULL;
	if (!start_guard(root, error) || !fill_root(root, error)) {
		lab_fd_close(&embed.alive);	/* the guard, if there is one, removes it */
		return NULL;
	}
	embed.root = g_steal_pointer(&root);
	return embed.root;
}

void embed_adopt(bool on)
{
	embed.open += on ? 1 : -1;
	prctl(PR_SET_CHILD_SUBREAPER, embed.open > 0);
}

/*
 * libvirt takes its driver for privileged by the effective user, and puts a token and a folder into
 * the user's runtime folder. Files are still opened as root: that is the file system user.
 */
void embed_enter(void)
{
	embed.runtime_dir = g_strdup(g_getenv("XDG_RUNTIME_DIR"));
	g_setenv("XDG_RUNTIME_DIR", embed.root, TRUE);
	embed.dropped = geteuid() == 0 && seteuid(NOBODY) == 0;
	if (embed.dropped)
		setfsuid(0);
}

void embed_leave(void)
{
	if (embed.dropped && seteuid(0))
		g_error("cannot become root again");
	if (embed.runtime_dir)
		g_setenv("XDG_RUNTIME_DIR", embed.runtime_dir, TRUE);
	else
		g_unsetenv("XDG_RUNTIME_DIR");
	g_clear_pointer(&embed.runtime_dir, g_free);
}

pid_t embed_pid(const char *domain)
{
	g_autofree char *path = g_strdup_printf("%s/run/qemu/%s.pid", embed.root, domain);

	return holder_of(path, embed.root);
}

/* Children of our own are for whoever started them: an engine is told by its name. */
static bool is_engine(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid), *name = NULL;

	return fs_read(path, 100, &name, NULL, NULL) && g_str_has_prefix(name, "qemu");
}

void embed_reap(void)
{
	siginfo_t info;
	int status;

	if (!embed.root)
		return;
	if (!embed.ended)
		embed.ended = g_hash_table_new(NULL, NULL);
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid ||
		    !is_engine(info.si_pid) || waitpid(info.si_pid, &status, WNOHANG) <= 0)
			return;
		g_hash_table_insert(embed.ended, GINT_TO_POINTER(info.si_pid),
				    GINT_TO_POINTER(status));
	}
}

bool embed_ended(pid_t pid, int *ret_status)
{
	gpointer status;

	embed_reap();
	if (!embed.ended || !g_hash_table_lookup_extended(embed.ended, GINT_TO_POINTER(pid), NULL,
							  &status))
		return false;
	*ret_status = GPOINTER_TO_INT(status);
	return true;
}
