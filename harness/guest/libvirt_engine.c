// SPDX-License-Identifier: GPL-2.0-or-later
/* A script that starts the engine. See libvirt_engine.h. */
#include "guest/libvirt_engine.h"

#include "base/fs.h"

#include <glib/gstdio.h>
#include <string.h>

static void add_quoted(GString *text, const char *before, const char *word)
{
	g_autofree char *quoted = g_shell_quote(word);

	g_string_append(text, before);
	g_string_append(text, quoted);
}

static char *script_of(const struct engine *e)
{
	GString *text = g_string_new("#!/bin/sh\n");

	for (char **env = e->env; env && *env; env++) {
		add_quoted(text, "export ", *env);
		g_string_append_c(text, '\n');
	}
	add_quoted(text, "exec ", e->binary);
	for (char **arg = e->args; arg && *arg; arg++)
		add_quoted(text, " ", *arg);
	g_string_append(text, " \"$@\"\n");
	return g_string_free(text, FALSE);
}

/* Two may write it at once: the same text. */
static bool have(const char *path, const char *text, GError **error)
{
	g_autofree char *present = NULL;

	if (!fs_read(path, 1 << 20, &present, NULL, NULL) || strcmp(present, text) != 0) {
		if (!fs_write(path, text, strlen(text), error))
			return false;
	}
	return access(path, X_OK) == 0 || g_chmod(path, 0755) == 0 ||
	       lab_fail_errno(error, "'%s'", path);
}

char *libvirt_engine(const struct engine *e, GError **error)
{
	g_autofree char *text = NULL, *sha256 = NULL, *dir = NULL, *path = NULL;

	if (!(e->env && *e->env) && !(e->args && *e->args))
		return g_strdup(e->binary);
	dir = fs_cache_dir("libvirt", error);
	if (!dir)
		return NULL;
	text = script_of(e);
	sha256 = fs_sha256_bytes(text, strlen(text));
	path = g_strdup_printf("%s/engine-%.16s", dir, sha256);
	return have(path, text, error) ? g_steal_pointer(&path) : NULL;
}
