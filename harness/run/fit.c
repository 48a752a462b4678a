// SPDX-License-Identifier: GPL-2.0-or-later
/* See fit.h. */
#include "run/fit.h"

#include "kernel/bzimage.h"

#include <fcntl.h>
#include <sys/stat.h>

bool fit_check(const char *image, uint64_t initrd_size, unsigned mem_mib, GError **error)
{
	g_autofree char *head = g_malloc0(BZIMAGE_SETUP_MAX);
	auto_fd fd = open(image, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : pread(fd, head, BZIMAGE_SETUP_MAX, 0);
	struct bzimage img;
	struct stat st;
	uint64_t need;

	if (len < 0 || fstat(fd, &st))
		return lab_fail_errno(error, "'%s'", image);
	if (!bzimage_parse(head, len, st.st_size, &img, error))
		return lab_prefix(error, "kernel image '%s'", image);
	need = img.memory + 2 * initrd_size;
	if (!img.memory || need <= (uint64_t)mem_mib << 20)
		return true;
	return lab_fail(
		error, LAB_ERROR_INPUT,
		"the guest's %u MiB of memory cannot hold its kernel and initramfs, which take at "
		"least %" G_GUINT64_FORMAT " MiB\nhint: --memory gives it more",
		mem_mib, (need >> 20) + 1);
}
