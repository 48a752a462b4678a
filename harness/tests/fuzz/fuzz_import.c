// SPDX-License-Identifier: GPL-2.0-or-later
/* Any file that a user might import: told what it is, read or refused with a sentence. */
#include "kernel/import_read.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_fd fd = memfd_create("fuzz-import", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	g_autoptr(GError) error = NULL;
	struct import_piece *piece;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		return 0;
	if (!import_read(path, &piece, &error)) {
		if (!error || !*error->message)
			abort();
		return 0;
	}
	if (piece->kind == IMPORT_IMAGE && !piece->found.image)
		abort();
	if (piece->kind == IMPORT_VMLINUX && !piece->banner)
		abort();
	if (piece->kind == IMPORT_CONFIG && !piece->found.config)
		abort();
	import_piece_free(piece);
	return 0;
}
