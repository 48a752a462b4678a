// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel source "dir": a folder on this host that holds one kernel. Either a build tree, or a place
 * such as `make install` fills, with vmlinuz-RELEASE and config-RELEASE. Several are one too many.
 */
#include "kernel/source.h"

#include "base/fs.h"
#include "kernel/bzimage.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define CANDIDATES_MAX 64
#define TOLD_MAX 8
#define TREE_IMAGE "arch/x86/boot/bzImage"

struct candidate {
	char *name; /* below the folder */
	dev_t dev;
	ino_t ino;
};

static void candidate_free(struct candidate *c)
{
	g_free(c->name);
	g_free(c);
}

/* Links to one file are one kernel: vmlinuz -> vmlinuz-6.1.0. The longer name says more. */
static void add(GPtrArray *list, const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	struct candidate *c;
	GStatBuf st;

	if (g_stat(path, &st) || !S_ISREG(st.st_mode) || list->len >= CANDIDATES_MAX)
		return;
	for (guint i = 0; i < list->len; i++) {
		c = list->pdata[i];
		if (c->dev != st.st_dev || c->ino != st.st_ino)
			continue;
		if (strlen(name) > strlen(c->name)) {
			g_free(c->name);
			c->name = g_strdup(name);
		}
		return;
	}
	c = g_new(struct candidate, 1);
	*c = (struct candidate){ g_strdup(name), st.st_dev, st.st_ino };
	g_ptr_array_add(list, c);
}

static bool is_image_name(const char *name)
{
	return g_str_has_prefix(name, "vmlinuz") || g_str_has_prefix(name, "bzImage");
}

static int by_name(gconstpointer a, gconstpointer b)
{
	const struct candidate *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static GPtrArray *candidates_of(const char *path, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)candidate_free);
	g_autoptr(GDir) dir = NULL;
	g_autoptr(GError) own = NULL;
	const char *name;

	dir = g_dir_open(path, 0, &own);
	if (!dir) {
		lab_fail(error, LAB_ERROR_INPUT, "%s", own->message);
		return NULL;
	}
	add(list, path, TREE_IMAGE);
	while ((name = g_dir_read_name(dir)))
		if (is_image_name(name))
			add(list, path, name);
	g_ptr_array_sort(list, by_name);
	return g_steal_pointer(&list);
}

static bool fail_many(const char *path, const GPtrArray *list, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);
	const struct candidate *first = list->pdata[0];

	for (guint i = 0; i < list->len && i < TOLD_MAX; i++)
		g_string_append_printf(names, "%s'%s'", i ? ", " : "",
				       ((struct candidate *)list->pdata[i])->name);
	if (list->len > TOLD_MAX)
		g_string_append_printf(names, " and %u more", list->len - TOLD_MAX);
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' holds %u kernels: %s\nhint: name one, as source 'file' with path "
			"'%s/%s'",
			path, list->len, names->str, path, first->name);
}

/* The one kernel of the folder; the caller frees the name. */
static char *pick(const char *path, GError **error)
{
	g_autoptr(GPtrArray) list = candidates_of(path, error);

	if (!list)
		return NULL;
	if (list->len == 1)
		return g_strdup(((struct candidate *)list->pdata[0])->name);
	if (list->len)
		fail_many(path, list, error);
	else
		lab_fail(error, LAB_ERROR_INPUT,
			 "'%s' holds no kernel: neither '" TREE_IMAGE "' nor 'vmlinuz*' nor "
			 "'bzImage*'\nhint: build it: make bzImage",
			 path);
	return NULL;
}

static char *read_text(const char *path, const char *name)
{
	g_autofree char *file = g_build_filename(path, name, NULL);
	char *text = NULL;

	return fs_read(file, KERNEL_CONFIG_MAX, &text, NULL, NULL) ? text : NULL;
}

/* The image may be older than what the tree was configured for since: then the config is another
 * kernel's. */
static bool read_tree(const char *path, const char *release, struct kernel_found *found,
		      GError **error)
{
	g_autofree char *now = read_text(path, "include/config/kernel.release");

	if (now && strcmp(g_strstrip(now), release))
		return lab_fail(
			error, LAB_ERROR_INPUT,
			"'%s' is a build tree of Linux %s with an image of %s\nhint: finish "
			"it: make bzImage",
			path, now, release);
	found->config = read_text(path, ".config");
	return true;
}

static void read_beside(const char *path, const char *release, struct kernel_found *found)
{
	g_autofree char *name = g_strconcat("config-", release, NULL);

	if (strchr(release, '/'))
		return;
	found->config = read_text(path, name);
	if (!found->config)
		found->config = read_text(path, "config");
	if (!found->config)
		found->config = read_text(path, ".config");
}

static bool read_kernel(const char *path, const char *name, struct kernel_found *found,
			GError **error)
{
	g_autofree char *image = g_build_filename(path, name, NULL);
	struct bzimage img;

	if (!fs_read(image, KERNEL_IMAGE_MAX, &found->image, &found->image_len, error))
		return false;
	if (!bzimage_parse(found->image, found->image_len, found->image_len, &img, error))
		return lab_prefix(error, "'%s'", name);
	if (!strcmp(name, TREE_IMAGE))
		return read_tree(path, img.release, found, error);
	read_beside(path, img.release, found);
	return true;
}

static bool dir_fetch(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error)
{
	struct kernel_found found = { 0 };
	g_autofree char *name = NULL;

	if (!spec->path)
		return lab_fail(error, LAB_ERROR_USAGE, "a kernel of source 'dir' needs a path");
	name = pick(spec->path, error);
	if (!name)
		return false;
	if (!read_kernel(spec->path, name, &found, error)) {
		kernel_found_clear(&found);
		return false;
	}
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_dir = {
	.name = "dir",
	.local = true,
	.fetch = dir_fetch,
};
