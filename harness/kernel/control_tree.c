// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The build of control kernels, step by step. Each step may be repeated after a crash: unpacking
 * ends with a mark, patched files are restored before they are patched, and make goes on by itself.
 */
#include "kernel/control_tree.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/build_make.h"
#include "kernel/source_tree.h"

#include <sys/statvfs.h>

#define SOURCE_FILE_MAX (4u << 20)
#define SPATCH_TIMEOUT_S 120
#define ROOM_MIB 1536 /* source 490, objects 200, package 140; the rest is for ccache */

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

/* Run `target`; what make would take from the caller's environment is pinned. */
static bool run_make(struct control_tree *tree, const char *name, bool is_image, GError **error)
{
	g_autofree char *fragment = g_build_filename(tree->dir, "fragment", NULL);
	g_autofree char *what = g_strdup_printf("control kernel '%s'", name);
	struct build_make make = {
		.dir = tree->dir,
		.src = tree->src,
		.obj = tree->obj,
		.cc = tree->compiler,
		.fragment = fragment,
		.host = name,
		.timestamp = "1970-01-01",
		.what = what,
		.jobs = tree->jobs,
		.steps_total = tree->steps_total,
		.progress = tree->progress,
	};
	bool ok = is_image ? build_make_image(&make, error) :
			     build_make_config(&make, "allnoconfig", error);

	tree->steps = make.steps;
	return ok;
}

bool control_tree_configure(struct control_tree *tree, const char *fragment, GError **error)
{
	g_autofree char *path = g_build_filename(tree->dir, "fragment", NULL), *text = NULL;
	g_autofree char *config = g_build_filename(tree->obj, ".config", NULL);

	if (!fs_mkdir(tree->obj, error) || !fs_write(path, fragment, strlen(fragment), error) ||
	    !run_make(tree, "config", false, error) ||
	    !fs_read(config, SOURCE_FILE_MAX, &text, NULL, error))
		return lab_prefix(error, "control kernels: configuring");
	return control_config_check(fragment, text, error);
}

bool control_tree_make(struct control_tree *tree, const char *name, GError **error)
{
	return run_make(tree, name, true, error) ||
	       lab_prefix(error, "control kernel '%s': building", name);
}
