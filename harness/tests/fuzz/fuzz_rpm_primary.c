// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a repository's primary.xml, compressed or not. */
#include "base/fs.h"
#include "kernel/download.h"
#include "kernel/rpmrepo.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct rpm_query query = { "kernel", NULL };
	auto_fd fd = memfd_create("primary", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	g_auto(rpm_entry) entry = { 0 };
	g_autoptr(GError) error = NULL;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET))
		return 0;
	if (!rpm_primary_find(path, &query, &entry, &error)) {
		if (!error || !*error->message)
			abort();
	} else if (!entry.version || !download_hash_ok(entry.hash) ||
		   !download_name_ok(entry.href)) {
		abort();
	}
	return 0;
}
