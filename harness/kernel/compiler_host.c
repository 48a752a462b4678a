// SPDX-License-Identifier: GPL-2.0-or-later
/* Which compilers this host has: it is asked, as a name says little. */
#include "base/proc.h"
#include "kernel/compiler.h"

#include <string.h>

#define ASK_TIMEOUT_S 30

/* "12", "12.2.0", "4.9.2" */
static unsigned parse_version(const char *text)
{
	char *end = NULL;
	guint64 major = g_ascii_strtoull(text, &end, 10), minor = 0;

	if (end == text || major > 1000)
		return 0;
	if (*end == '.')
		minor = g_ascii_strtoull(end + 1, NULL, 10);
	return COMPILER_GCC((unsigned)major, major < 5 ? (unsigned)MIN(minor, 99) : 0);
}

struct compiler *compiler_ask(const char *name, GError **error)
{
	const char *const argv[] = { name, "-dumpfullversion", "-dumpversion", NULL };
	static const char *const env[] = { "LC_ALL=C", NULL };
	struct proc_spec spec = { .argv = argv, .env = env, .timeout_s = ASK_TIMEOUT_S };
	g_autofree char *text = NULL;
	struct compiler *cc;
	unsigned version;

	if (!proc_run(&spec, &text, NULL, error))
		return NULL;
	version = parse_version(text);
	if (!version) {
		lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s' states no version of gcc", name);
		return NULL;
	}
	cc = g_new0(struct compiler, 1);
	cc->name = g_strdup(name);
	cc->version = version;
	return cc;
}

static void add(GPtrArray *have, const char *name)
{
	g_autofree char *path = g_find_program_in_path(name);
	struct compiler *cc = path ? compiler_ask(name, NULL) : NULL;

	if (cc)
		g_ptr_array_add(have, cc);
}

GPtrArray *compilers_installed(void)
{
	static const char *const old[] = { "gcc-4.9", "gcc-4.8", "gcc-4.7", "gcc-4.6" };
	GPtrArray *have = g_ptr_array_new_with_free_func((GDestroyNotify)compiler_free);

	for (unsigned n = 24; n >= 5; n--) {
		g_autofree char *name = g_strdup_printf("gcc-%u", n);

		add(have, name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
		add(have, old[i]);
	add(have, "gcc");
	return have;
}
