// SPDX-License-Identifier: GPL-2.0-or-later
/* See initramfs.h; same agent, same bytes. */
#include "guest/initramfs.h"

#include "base/fs.h"
#include "guest/cpio.h"

#include <sys/sysmacros.h>

/* The whole archive in memory; the agent is about 1.5 MB. */
static GByteArray *pack(const void *init, size_t init_len, GError **error)
{
	const struct cpio_node nodes[] = {
		{ .path = "dev", .mode = S_IFDIR | 0755 },
		{ .path = "dev/console", .mode = S_IFCHR | 0600, .dev = makedev(5, 1) },
		{ .path = "init", .mode = S_IFREG | 0755, .data = init, .len = init_len },
	};
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(cpio) c = cpio_new(out, error);

	if (!c)
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(nodes); i++)
		if (!cpio_put(c, &nodes[i], error))
			return NULL;
	return cpio_end(c, error) ? g_steal_pointer(&out) : NULL;
}

bool initramfs_get(const void *init, size_t init_len, char **ret_path, char **ret_sha256,
		   GError **error)
{
	g_autoptr(GByteArray) bytes = pack(init, init_len, error);
	g_autofree char *dir = bytes ? fs_cache_dir("initramfs", error) : NULL;
	g_autofree char *sha256 = NULL, *path = NULL, *present = NULL;

	if (!dir)
		return false;
	sha256 = fs_sha256_bytes(bytes->data, bytes->len);
	path = g_strdup_printf("%s/%s.cpio", dir, sha256);
	present = g_file_test(path, G_FILE_TEST_EXISTS) ? fs_sha256(path, NULL) : NULL;
	if (g_strcmp0(present, sha256) != 0 && !fs_write(path, bytes->data, bytes->len, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	*ret_sha256 = g_steal_pointer(&sha256);
	return true;
}
