// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The build of control kernels, step by step. Each step may be repeated after a crash: unpacking
 * ends with a mark, patched files are restored before they are patched, and make goes on by itself.
 */
#include "kernel/control_tree.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/source_tree.h"

#include <sys/statvfs.h>

#define SOURCE_FILE_MAX (4u << 20)
#define SPATCH_TIMEOUT_S 120
#define CONFIG_TIMEOUT_S 600
#define MAKE_TIMEOUT_S (3 * 3600)
#define ROOM_MIB 1536 /* source 490, objects 200, package 140; the rest is for ccache */
#define REASON_LINES 4
#define REASON_LINE_MAX 300
#define SAY_EVERY_US (2 * G_USEC_PER_SEC)

/*
 * make stays in a process group of ours, but its own children do not die with it when we are
 * killed: a watcher in the group ends them all. The lock is inherited by whatever is left of an
 * earlier build, so that two never write to one folder.
 */
static const char guarded[] = "(while kill -0 $$ 2>/dev/null; do sleep 1; done; kill -KILL 0) "
			      ">/dev/null 2>&1 & exec flock -w 60 make.lock \"$@\"";

void control_tree_init(struct control_tree *tree, const char *dir, const struct progress *progress)
{
	*tree = (struct control_tree){
		.dir = g_strdup(dir),
		.src = g_build_filename(dir, "src", NULL),
		.obj = g_build_filename(dir, "obj", NULL),
		.compiler = "gcc",
		.jobs = 1,
		.progress = progress,
	};
}

void control_tree_clear(struct control_tree *tree)
{
	g_free(tree->dir);
	g_free(tree->src);
	g_free(tree->obj);
	*tree = (struct control_tree){ 0 };
}

static bool have_room(const char *dir, GError **error)
{
	struct statvfs fs;
	uint64_t mib;

	if (statvfs(dir, &fs))
		return lab_fail_errno(error, "cannot ask for the room in '%s'", dir);
	mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	if (mib < ROOM_MIB)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"building control kernels needs %u MiB in '%s', which has "
				"%" G_GUINT64_FORMAT
				"\nhint: set XDG_CACHE_HOME to a folder on a larger disk",
				ROOM_MIB, dir, mib);
	return true;
}

static char *pristine_path(const struct control_tree *tree, const struct control_bug *bug)
{
	return g_build_filename(tree->dir, "pristine", bug->hazard, NULL);
}

static bool keep_pristine(struct control_tree *tree, GError **error)
{
	g_autofree char *dir = g_build_filename(tree->dir, "pristine", NULL);

	if (!fs_mkdir(dir, error))
		return false;
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++) {
		g_autofree char *from = g_build_filename(tree->src, bug->file, NULL);
		g_autofree char *to = pristine_path(tree, bug), *text = NULL;
		size_t len;

		if (!bug->patch)
			continue;
		if (!fs_read(from, SOURCE_FILE_MAX, &text, &len, error) ||
		    !fs_write(to, text, len, error))
			return false;
	}
	return true;
}

static bool is_linux_6_1(const struct control_tree *tree, GError **error)
{
	g_autofree char *version = source_tree_version(tree->src, error);

	if (!version)
		return false;
	return g_str_has_prefix(version, "6.1.") ||
	       lab_fail(error, LAB_ERROR_INPUT,
			"the source is Linux %s, the controls are made for 6.1", version);
}

bool control_tree_unpack(struct control_tree *tree, const char *archive, GError **error)
{
	g_autofree char *mark = g_build_filename(tree->dir, "unpacked", NULL);
	bool ok;

	if (g_file_test(mark, G_FILE_TEST_EXISTS))
		return true;
	if (!have_room(tree->dir, error) || !fs_remove(tree->src, error))
		return false;
	progress_say(tree->progress, "control kernels: unpacking the source");
	ok = source_tree_unpack(archive, tree->src, tree->progress, error) &&
	     is_linux_6_1(tree, error) && keep_pristine(tree, error) &&
	     fs_write(mark, "", 0, error);
	if (!ok)
		fs_remove(tree->src, NULL); /* half a GiB, of no use to the next attempt */
	return ok;
}

bool control_tree_restore(struct control_tree *tree, GError **error)
{
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++) {
		g_autofree char *to = g_build_filename(tree->src, bug->file, NULL);
		g_autofree char *from = pristine_path(tree, bug), *text = NULL, *now = NULL;
		size_t len, now_len;

		if (!bug->patch)
			continue;
		if (!fs_read(from, SOURCE_FILE_MAX, &text, &len, error) ||
		    !fs_read(to, SOURCE_FILE_MAX, &now, &now_len, error))
			return false;
		/* An untouched file keeps its date: make need not build it again. */
		if ((len != now_len || memcmp(text, now, len)) && !fs_write(to, text, len, error))
			return false;
	}
	return true;
}

bool control_tree_patch(struct control_tree *tree, const struct control_bug *bug, char **ret_diff,
			GError **error)
{
	g_autofree char *patch = g_strdup_printf("%s/%s.cocci", tree->dir, bug->hazard);
	const char *const argv[] = { "spatch",    "--very-quiet", "--in-place", "--show-diff",
				     "--sp-file", patch,          bug->file,    NULL };
	struct proc_spec spec = { .argv = argv, .cwd = tree->src, .timeout_s = SPATCH_TIMEOUT_S };
	g_autofree char *path = g_build_filename(tree->src, bug->file, NULL), *before = NULL;
	g_autofree char *after = NULL, *diff = NULL;

	before = fs_sha256(path, error);
	if (!before || !fs_write(patch, bug->patch, strlen(bug->patch), error) ||
	    !proc_run(&spec, &diff, NULL, error))
		return lab_prefix(error, "patch '%s'", bug->hazard);
	after = fs_sha256(path, error);
	if (!after)
		return false;
	if (!strcmp(before, after))
		return lab_fail(
			error, LAB_ERROR_INPUT,
			"patch '%s' finds nothing to change in '%s'\nhint: the source may have "
			"the bug already (fixed upstream later), or the code has changed",
			bug->hazard, bug->file);
	*ret_diff = g_steal_pointer(&diff);
	return true;
}

struct make_watch {
	struct control_tree *tree;
	const char *name;
	int64_t began_us, said_us;
};

/* "  CC      mm/usercopy.o" */
static bool is_step(const char *line)
{
	return line[0] == ' ' && line[1] == ' ' && g_ascii_isupper(line[2]);
}

static void make_line(const char *line, void *user)
{
	struct make_watch *watch = user;
	struct control_tree *tree = watch->tree;
	int64_t now = g_get_monotonic_time();
	unsigned total = MAX(tree->steps_total, 1), seconds;

	if (!is_step(line))
		return;
	tree->steps++;
	if (now - watch->said_us < SAY_EVERY_US)
		return;
	watch->said_us = now;
	seconds = (now - watch->began_us) / G_USEC_PER_SEC;
	progress_say(tree->progress, "control kernel '%s': building, %u %%, %u:%02u min",
		     watch->name, (unsigned)MIN((uint64_t)tree->steps * 100 / total, 99),
		     seconds / 60, seconds % 60);
}

/* The lines of make's output that say why it failed: its first errors, not the last words. */
static char *make_reason(const char *output)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
	g_autoptr(GString) reason = g_string_new(NULL);
	unsigned kept = 0;

	for (char **line = lines; *line && kept < REASON_LINES; line++) {
		if (!strstr(*line, "error:") && !strstr(*line, "***"))
			continue;
		g_string_append_printf(reason, "%s%.*s", kept++ ? " / " : "", REASON_LINE_MAX,
				       g_strstrip(*line));
	}
	return g_utf8_make_valid(kept ? reason->str : "it named no error", -1);
}

/* Run make with everything that the caller's environment could change pinned. */
static bool run_make(struct control_tree *tree, const char *name, const char *target,
		     unsigned timeout_s, GError **error)
{
	g_autofree char *jobs = g_strdup_printf("-j%u", tree->jobs);
	g_autofree char *out = g_strdup_printf("O=%s", tree->obj);
	g_autofree char *cc = g_strdup_printf("CC=%s", tree->compiler);
	g_autofree char *host = g_strdup_printf("KBUILD_BUILD_HOST=%s", name);
	g_autofree char *fragment = g_strdup_printf("KCONFIG_ALLCONFIG=%s/fragment", tree->dir);
	/* The next work folder has another name: what ccache knows of this one holds there too. */
	g_autofree char *base = g_strdup_printf("CCACHE_BASEDIR=%s", tree->dir);
	const char *const argv[] = { "sh",
				     "-c",
				     guarded,
				     "sh",
				     "make",
				     "-C",
				     tree->src,
				     jobs,
				     out,
				     cc,
				     "ARCH=x86_64",
				     "CROSS_COMPILE=",
				     "LOCALVERSION=",
				     "LLVM=",
				     "KCFLAGS=",
				     "W=",
				     "V=0",
				     target,
				     NULL };
	const char *const env[] = { host,
				    fragment,
				    base,
				    "KBUILD_BUILD_USER=klab",
				    "KBUILD_BUILD_VERSION=1",
				    "KBUILD_BUILD_TIMESTAMP=1970-01-01",
				    "MAKEFLAGS=",
				    "MAKEOVERRIDES=",
				    "LC_ALL=C",
				    "KCONFIG_CONFIG=.config",
				    NULL };
	struct make_watch watch = { tree, name, g_get_monotonic_time(), g_get_monotonic_time() };
	struct proc_spec spec = { .argv = argv,
				  .env = env,
				  .cwd = tree->dir,
				  .timeout_s = timeout_s,
				  .on_line = timeout_s == MAKE_TIMEOUT_S ? make_line : NULL,
				  .user = &watch };

	g_autofree char *output = NULL, *reason = NULL;
	int status;

	tree->steps = 0;
	if (!proc_run(&spec, &output, &status, error))
		return false;
	if (!status)
		return true;
	reason = make_reason(output);
	return lab_fail(error, LAB_ERROR_INFRA, "make exited with code %d: '%s'", status, reason);
}

bool control_tree_configure(struct control_tree *tree, const char *fragment, GError **error)
{
	g_autofree char *path = g_build_filename(tree->dir, "fragment", NULL), *text = NULL;
	g_autofree char *config = g_build_filename(tree->obj, ".config", NULL);

	if (!fs_mkdir(tree->obj, error) || !fs_write(path, fragment, strlen(fragment), error) ||
	    !run_make(tree, "config", "allnoconfig", CONFIG_TIMEOUT_S, error) ||
	    !fs_read(config, SOURCE_FILE_MAX, &text, NULL, error))
		return lab_prefix(error, "control kernels: configuring");
	return control_config_check(fragment, text, error);
}

bool control_tree_make(struct control_tree *tree, const char *name, GError **error)
{
	progress_say(tree->progress, "control kernel '%s': building", name);
	return run_make(tree, name, "bzImage", MAKE_TIMEOUT_S, error) ||
	       lab_prefix(error, "control kernel '%s': building", name);
}
