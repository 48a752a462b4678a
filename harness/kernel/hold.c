// SPDX-License-Identifier: GPL-2.0-or-later
/* See hold.h: a shared lock on the image itself. It goes with the process, however that ends. */
#include "kernel/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SHA256_LEN 64

static bool is_in_store(const char *image)
{
	g_autofree char *name = g_path_get_basename(image), *dir = g_path_get_dirname(image);
	g_autofree char *sha256 = g_path_get_basename(dir);

	return !strcmp(name, "bzImage") && strlen(sha256) == SHA256_LEN &&
	       strspn(sha256, "0123456789abcdef") == SHA256_LEN;
}

/* Is it still what the path leads to? */
static bool is_there(int fd, const char *image)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(image, &there) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

bool kernel_hold(const char *image)
{
	static GHashTable *held; /* path -> descriptor, for the life of the process */
	gpointer known;
	int fd;

	if (!is_in_store(image))
		return true;
	if (!held)
		held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (g_hash_table_lookup_extended(held, image, NULL, &known) &&
	    is_there(GPOINTER_TO_INT(known), image))
		return true;
	fd = open(image, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT; /* no descriptor left: do without */
	/* who has it exclusively is about to remove it */
	if (flock(fd, LOCK_SH | LOCK_NB) || !is_there(fd, image)) {
		close(fd);
		return false;
	}
	futimens(fd, NULL);
	g_hash_table_insert(held, g_strdup(image), GINT_TO_POINTER(fd));
	return true;
}
