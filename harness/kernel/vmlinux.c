// SPDX-License-Identifier: GPL-2.0-or-later
/* From a bzImage file to the vmlinux in it. */
#include "kernel/vmlinux.h"

#include "base/fs.h"
#include "kernel/bzimage.h"
#include "kernel/payload.h"
#include "kernel/source.h"

bool vmlinux_read(const char *path, GBytes **ret, GError **error)
{
	g_autofree char *image = NULL;
	struct bzimage img;
	size_t len;

	if (!fs_read(path, KERNEL_IMAGE_MAX, &image, &len, error))
		return false;
	if (!bzimage_parse(image, len, len, &img, error) ||
	    !payload_unpack(image + img.payload_offset, img.payload_len, ret, error))
		return lab_prefix(error, "'%s'", path);
	return true;
}
