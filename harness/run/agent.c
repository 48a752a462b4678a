// SPDX-License-Identifier: GPL-2.0-or-later
/* See agent.h. */
#include "run/agent.h"

#include "base/embed.h"
#include "guest/initramfs.h"

char *agent_sha256(GError **error)
{
	g_autofree char *path = NULL;
	char *sha256;

	return initramfs_get(embed_init, EMBED_LEN(init), &path, &sha256, error) ? sha256 : NULL;
}
