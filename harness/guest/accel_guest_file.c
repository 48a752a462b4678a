// SPDX-License-Identifier: GPL-2.0-or-later
/* The tiny guest as a file, which is what engines take. */
#include "guest/accel_guest.h"

#include "base/fs.h"

#include <errno.h>
#include <glib/gstdio.h>

char *accel_guest_write(char **ret_why)
{
	g_autofree char *dir = fs_cache_dir("engine/accel", NULL), *image = NULL;
	g_autoptr(GError) error = NULL;
	int fd;

	*ret_why = NULL;
	image = dir ? g_build_filename(dir, "guest.XXXXXX", NULL) : NULL;
	fd = image ? g_mkstemp(image) : -1;
	if (!dir)
		*ret_why = g_strdup("the cache folder cannot be written");
	else if (fd < 0)
		*ret_why = g_strdup_printf("cannot create '%s': %s", image, g_strerror(errno));
	if (*ret_why)
		return NULL;
	close(fd);
	if (fs_write(image, accel_guest, ACCEL_GUEST_LEN, &error))
		return g_steal_pointer(&image);
	*ret_why = g_strdup(error->message);
	g_unlink(image);
	return NULL;
}
