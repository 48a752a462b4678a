// SPDX-License-Identifier: GPL-2.0-or-later
/* Build the initramfs with libarchive; same agent, same bytes. */
#include "guest/initramfs.h"

#include "base/fs.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct node {
	const char *path;
	mode_t type, perm;
	dev_t dev;
	const void *data;
	size_t len;
};

static bool put_node(struct archive *a, const struct node *node)
{
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	archive_entry_set_pathname(entry, node->path);
	archive_entry_set_filetype(entry, node->type);
	archive_entry_set_perm(entry, node->perm);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, 1);
	/* newc wants a size on every entry, folders included */
	archive_entry_set_size(entry, node->len);
	if (node->type == AE_IFCHR) {
		archive_entry_set_rdevmajor(entry, major(node->dev));
		archive_entry_set_rdevminor(entry, minor(node->dev));
	}
	ok = archive_write_header(a, entry) == ARCHIVE_OK &&
	     archive_write_data(a, node->data, node->len) == (ssize_t)node->len;
	archive_entry_free(entry);
	return ok;
}

/* The whole archive in memory; the agent is about 1.5 MB. */
static void *pack(const void *init, size_t init_len, size_t *ret_len, GError **error)
{
	const struct node nodes[] = {
		{ "dev", AE_IFDIR, 0755 },
		{ "dev/console", AE_IFCHR, 0600, makedev(5, 1) },
		{ "init", AE_IFREG, 0755, 0, init, init_len },
	};
	size_t size = init_len + 65536;
	g_autofree char *buf = g_malloc0(size);
	struct archive *a = archive_write_new();
	bool ok = archive_write_set_format_cpio_newc(a) == ARCHIVE_OK &&
		  archive_write_open_memory(a, buf, size, ret_len) == ARCHIVE_OK;

	for (size_t i = 0; ok && i < G_N_ELEMENTS(nodes); i++)
		ok = put_node(a, &nodes[i]);
	ok = ok && archive_write_close(a) == ARCHIVE_OK;
	if (!ok)
		lab_fail(error, LAB_ERROR_INFRA, "initramfs: %s", archive_error_string(a));
	archive_write_free(a);
	return ok ? g_steal_pointer(&buf) : NULL;
}

bool initramfs_get(const void *init, size_t init_len, char **ret_path, char **ret_sha256,
		   GError **error)
{
	size_t len = 0;
	g_autofree void *bytes = pack(init, init_len, &len, error);
	g_autofree char *dir = bytes ? fs_cache_dir("initramfs", error) : NULL;
	g_autofree char *sha256 = NULL, *path = NULL, *present = NULL;

	if (!dir)
		return false;
	sha256 = fs_sha256_bytes(bytes, len);
	path = g_strdup_printf("%s/%s.cpio", dir, sha256);
	present = g_file_test(path, G_FILE_TEST_EXISTS) ? fs_sha256(path, NULL) : NULL;
	if (g_strcmp0(present, sha256) != 0 && !fs_write(path, bytes, len, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	*ret_sha256 = g_steal_pointer(&sha256);
	return true;
}
