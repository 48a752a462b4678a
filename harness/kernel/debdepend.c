// SPDX-License-Identifier: GPL-2.0-or-later
/* Depends fields, read just far enough to come from a name to the files of a kernel. */
#include "kernel/debdepend.h"

const char *const deb_image_globs[] = { "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz",
					"lib/modules/*/vmlinuz", NULL };
const char *const deb_config_globs[] = { "boot/config-*", "usr/lib/modules/*/config",
					 "lib/modules/*/config", NULL };

/* The first dependency "PREFIXdigit...", with its version if that is fixed by "(= V)". */
static bool find_depend(const char *depends, const char *prefix, char **ret_package,
			char **ret_version)
{
	g_auto(GStrv) items = g_strsplit_set(depends, ",|", -1);

	for (char **i = items; *i; i++) {
		const char *name = g_strstrip(*i), *eq;
		size_t len = strcspn(name, " (:");

		if (!g_str_has_prefix(name, prefix) || !g_ascii_isdigit(name[strlen(prefix)]))
			continue;
		eq = strstr(name + len, "(=");
		*ret_package = g_strndup(name, len);
		*ret_version = eq ? g_strndup(eq + 2, strcspn(eq + 2, ")")) : NULL;
		if (*ret_version)
			g_strstrip(*ret_version);
		return true;
	}
	return false;
}

bool deb_next_package(const char *depends, const char *self, char **ret_package, char **ret_version)
{
	static const char *const prefixes[] = { "linux-binary-", "linux-image-",
						"linux-image-unsigned-" };

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autofree char *package = NULL, *version = NULL;

		if (!find_depend(depends, prefixes[i], &package, &version) ||
		    !strcmp(package, self))
			continue;
		*ret_package = g_steal_pointer(&package);
		*ret_version = g_steal_pointer(&version);
		return true;
	}
	return false;
}

bool deb_config_package(const char *depends, char **ret_package, char **ret_version)
{
	return find_depend(depends, "linux-base-", ret_package, ret_version) ||
	       find_depend(depends, "linux-modules-", ret_package, ret_version);
}
