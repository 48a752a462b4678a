// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel source "file": a bzImage that lies on this host. */
#include "kernel/source.h"

#include "base/fs.h"
#include "kernel/bzimage.h"

#include <errno.h>
#include <sys/stat.h>

/* Distributions put config-RELEASE beside vmlinuz-RELEASE: take it if the releases agree. */
static char *config_beside(const char *path, const char *image, size_t len)
{
	g_autofree char *dir = g_path_get_dirname(path), *name = NULL, *beside = NULL;
	struct bzimage img;
	char *config = NULL;

	if (!bzimage_parse(image, len, len, &img, NULL) || strchr(img.release, '/'))
		return NULL;
	name = g_strconcat("config-", img.release, NULL);
	beside = g_build_filename(dir, name, NULL);
	return fs_read(beside, KERNEL_CONFIG_MAX, &config, NULL, NULL) ? config : NULL;
}

static bool file_fetch(const struct kernel_spec *spec, const struct kernel *have,
		       const char *tmp_dir, bool refresh, const struct progress *progress,
		       struct kernel_found *ret, GError **error)
{
	struct kernel_found found = { 0 };
	struct stat st;

	if (!spec->path)
		return lab_fail(error, LAB_ERROR_USAGE, "a kernel of source 'file' needs a path");
	if (stat(spec->path, &st))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': %s", spec->path, g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': not a regular file", spec->path);
	if (!fs_read(spec->path, KERNEL_IMAGE_MAX, &found.image, &found.image_len, error))
		return false;
	found.config = config_beside(spec->path, found.image, found.image_len);
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_file = {
	.name = "file",
	.local = true,
	.fetch = file_fetch,
};
