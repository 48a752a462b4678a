// SPDX-License-Identifier: GPL-2.0-or-later
/* libarchive's "raw" format is a file and its filters. */
#include "kernel/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#define CHUNK (64u << 10)

struct unpack {
	struct archive *archive;
	char *path;
	uint64_t left; /* of the limit */
	bool empty;
};

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	archive_read_free(u->archive);
	g_free(u->path);
	g_free(u);
}

static bool fail(const struct unpack *u, GError **error)
{
	const char *why = archive_error_string(u->archive);

	return lab_fail(error, LAB_ERROR_INPUT, "'%s' cannot be unpacked: %s", u->path,
			why ? why : "it ends too early");
}

struct unpack *unpack_open(const char *path, uint64_t max, GError **error)
{
	g_autoptr(unpack) u = g_new0(struct unpack, 1);
	struct archive_entry *entry;
	int rc;

	u->archive = archive_read_new();
	u->path = g_strdup(path);
	u->left = max;
	archive_read_support_filter_gzip(u->archive);
	archive_read_support_filter_xz(u->archive);
	archive_read_support_filter_zstd(u->archive);
	archive_read_support_filter_bzip2(u->archive);
	archive_read_support_format_raw(u->archive);
	archive_read_support_format_empty(u->archive);
	if (archive_read_open_filename(u->archive, path, CHUNK) == ARCHIVE_OK) {
		rc = archive_read_next_header(u->archive, &entry);
		u->empty = rc == ARCHIVE_EOF;
		if (rc == ARCHIVE_OK || u->empty)
			return g_steal_pointer(&u);
	}
	fail(u, error);
	return NULL;
}

ssize_t unpack_next(struct unpack *u, void *data, size_t len, GError **error)
{
	la_ssize_t n = u->empty ? 0 : archive_read_data(u->archive, data, len);

	if (n < 0) {
		fail(u, error);
		return -1;
	}
	if ((uint64_t)n > u->left) {
		lab_fail(error, LAB_ERROR_INPUT, "'%s' is larger than any list should be", u->path);
		return -1;
	}
	u->left -= n;
	return n;
}

bool unpack_read(const char *path, size_t max, GBytes **ret, GError **error)
{
	g_autoptr(unpack) u = unpack_open(path, max, error);
	g_autoptr(GByteArray) all = g_byte_array_new();
	g_autofree char *chunk = g_malloc(CHUNK);
	ssize_t n;

	if (!u)
		return false;
	while ((n = unpack_next(u, chunk, CHUNK, error)) > 0)
		g_byte_array_append(all, (guint8 *)chunk, n);
	if (n < 0)
		return false;
	*ret = g_byte_array_free_to_bytes(g_steal_pointer(&all));
	return true;
}
