// SPDX-License-Identifier: GPL-2.0-or-later
/* Can kernels be built on this host at all. */
#include "base/proc.h"
#include "kernel/build.h"

#define TOOL_TIMEOUT_S 30

/* Asked until it is there: a header does not go away while we run. */
static bool have_libelf(void)
{
	static bool found;
	static const char *const argv[] = { "gcc",      "-fsyntax-only", "-x",        "c",
					    "-include", "gelf.h",        "/dev/null", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_s = TOOL_TIMEOUT_S };

	found = found || proc_run(&spec, NULL, NULL, NULL);
	return found;
}

char *build_missing_packages(unsigned needs)
{
	static const struct {
		const char *tool, *package;
		unsigned needs;
	} tools[] = {
		{ "git", "git", BUILD_NEEDS_GIT },
		{ "make", "make", 0 },
		{ "gcc", "gcc", 0 },
		{ "ld", "binutils", 0 },
		{ "flex", "flex", 0 },
		{ "bison", "bison", 0 },
		{ "bc", "bc", 0 },
		{ "flock", "util-linux", 0 },
		{ "patch", "patch", BUILD_NEEDS_PATCH },
		{ "spatch", "coccinelle", BUILD_NEEDS_SPATCH },
		{ "pahole", "dwarves", BUILD_NEEDS_PAHOLE },
	};
	g_autoptr(GString) missing = g_string_new(NULL);
	g_autofree char *gcc = g_find_program_in_path("gcc");

	for (unsigned i = 0; i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *path = g_find_program_in_path(tools[i].tool);

		if (!path && (tools[i].needs & needs) == tools[i].needs)
			g_string_append_printf(missing, " %s", tools[i].package);
	}
	if (gcc && !have_libelf())
		g_string_append(missing, " libelf-dev");
	return missing->len ? g_strdup(missing->str + 1) : NULL;
}
