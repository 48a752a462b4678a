// SPDX-License-Identifier: GPL-2.0-or-later
/* See cpio.h; by libarchive. */
#include "guest/cpio.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/sysmacros.h>

struct cpio {
	struct archive *archive;
};

static la_ssize_t on_write(struct archive *a, void *user, const void *data, size_t len)
{
	g_byte_array_append(user, data, len);
	return len;
}

static bool check(const struct cpio *c, bool ok, GError **error)
{
	return ok || lab_fail(error, LAB_ERROR_INFRA, "initramfs: %s",
			      archive_error_string(c->archive));
}

struct cpio *cpio_new(GByteArray *out, GError **error)
{
	g_autoptr(cpio) c = g_new0(struct cpio, 1);
	bool ok;

	c->archive = archive_write_new();
	ok = archive_write_set_format_cpio_newc(c->archive) == ARCHIVE_OK &&
	     archive_write_open(c->archive, out, NULL, on_write, NULL) == ARCHIVE_OK;
	return check(c, ok, error) ? g_steal_pointer(&c) : NULL;
}

static void fill_entry(struct archive_entry *entry, const struct cpio_node *node)
{
	archive_entry_set_pathname(entry, node->path);
	archive_entry_set_mode(entry, node->mode);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_rdevmajor(entry, major(node->dev));
	archive_entry_set_rdevminor(entry, minor(node->dev));
	if (node->target)
		archive_entry_set_symlink(entry, node->target);
	archive_entry_set_size(entry, node->len); /* newc wants one on every entry */
}

bool cpio_put(struct cpio *c, const struct cpio_node *node, GError **error)
{
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	fill_entry(entry, node);
	ok = archive_write_header(c->archive, entry) == ARCHIVE_OK &&
	     (!node->len ||
	      archive_write_data(c->archive, node->data, node->len) == (la_ssize_t)node->len);
	archive_entry_free(entry);
	return check(c, ok, error) || lab_prefix(error, "'%s'", node->path);
}

bool cpio_end(struct cpio *c, GError **error)
{
	return check(c, archive_write_close(c->archive) == ARCHIVE_OK, error);
}

void cpio_free(struct cpio *c)
{
	if (!c)
		return;
	archive_write_free(c->archive);
	g_free(c);
}
