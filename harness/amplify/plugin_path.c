// SPDX-License-Identifier: GPL-2.0-or-later
/* Unpacks amplify/plugin_delay.c's shared object from the binary into the cache. */
#include "amplify/plugin_path.h"

#include "base/embed.h"
#include "base/fs.h"

#include <string.h>

char *amplify_plugin_path(GError **error)
{
	size_t len = EMBED_LEN(delay_plugin);
	g_autofree char *dir = fs_cache_dir("plugins", error);
	g_autofree char *sha256 = NULL, *path = NULL, *present = NULL;

	if (!dir)
		return NULL;
	sha256 = fs_sha256_bytes(embed_delay_plugin, len);
	path = g_strdup_printf("%s/delay-%.16s.so", dir, sha256);
	present = g_file_test(path, G_FILE_TEST_EXISTS) ? fs_sha256(path, NULL) : NULL;
	if (g_strcmp0(present, sha256) != 0 && !fs_write(path, embed_delay_plugin, len, error))
		return NULL;
	return g_steal_pointer(&path);
}
