// SPDX-License-Identifier: GPL-2.0-or-later
/* Compilers for kernels: the facts, and the choice made by them. */
#include "kernel/compiler.h"

#include <string.h>

#define K(major, minor) COMPILER_KERNEL(major, minor)
#define GCC(major, minor) COMPILER_GCC(major, minor)
#define NEVER G_MAXUINT

/*
 * Oldest: Documentation/process/changes.rst (Documentation/Changes) of the release. Newest: what
 * somebody built and ran that release with. Ascending.
 */
static const struct compiler_rule rules[] = {
	{ K(3, 10), GCC(3, 2), GCC(4, 9), false, "seen",
	  "RHEL 7 builds its 3.10 with gcc 4.8.5; include/linux/compiler-gcc5.h came with 3.18" },
	{ K(3, 18), GCC(3, 2), GCC(5, 0), false, "memory",
	  "71458cfc782e in 3.18 added gcc 5; cb984d101b30 in 4.2 ended one header per gcc" },
	{ K(4, 2), GCC(3, 2), GCC(5, 0), false, "seen",
	  "syzkaller bisects kernels before 4.11 with gcc 5.5" },
	{ K(4, 11), GCC(3, 2), GCC(7, 0), false, "seen", "syzkaller bisects 4.11 with gcc 7.3" },
	{ K(4, 12), GCC(3, 2), GCC(8, 0), false, "seen",
	  "syzkaller bisects 4.12 to 5.8 with gcc 8.1" },
	{ K(4, 19), GCC(4, 6), GCC(8, 0), false, "seen",
	  "cafa0010cd51 in 4.19 asks for gcc 4.6; syzkaller as above" },
	{ K(5, 2), GCC(4, 6), GCC(10, 0), false, "measured",
	  "5.3 and 5.4 built with gcc 12 do not boot, built with gcc 10 they do" },
	{ K(5, 8), GCC(4, 8), GCC(10, 0), false, "seen",
	  "5.8 asks for gcc 4.8 (told by 6ec4476ac825)" },
	{ K(5, 9), GCC(4, 9), GCC(10, 0), false, "seen",
	  "6ec4476ac825 in 5.9 asks for gcc 4.9; syzkaller bisects 5.9 to 5.15 with gcc 10.1, "
	  "Debian's config of 5.10.262 names gcc 10.2.1" },
	{ K(5, 11), GCC(4, 9), GCC(11, 0), false, "memory",
	  "Fedora 34 has gcc 11 and began with 5.11" },
	{ K(5, 15), GCC(5, 1), GCC(11, 0), false, "memory",
	  "316346243be6 in 5.15 asks for gcc 5.1; Ubuntu 22.04 builds its 5.15 with gcc 11.2" },
	{ K(5, 16), GCC(5, 1), GCC(12, 0), true, "seen",
	  "syzkaller bisects from 5.16 on with its image's own gcc; Debian's configs of 6.1.192 "
	  "and of 6.12 for bookworm name gcc 12.2" },
	{ K(6, 12), GCC(5, 1), GCC(14, 0), true, "memory",
	  "Debian 13 builds its 6.12 with gcc 14" },
	{ K(6, 15), GCC(8, 1), GCC(14, 0), true, "seen",
	  "x86 asks for gcc 8 since 6.15, all others since 6.16" },
	{ K(7, 0), GCC(8, 1), GCC(16, 0), true, "seen",
	  "Debian's config of 7.2.13 names gcc 16.2" },
};

/* What a kernel needs with a gcc that it was not written for. They come before the kernel's own
 * flags: where that says something on the matter, it has its way. */
static const struct {
	unsigned from, until;         /* kernels, half-open */
	unsigned gcc_from, gcc_until; /* half-open */
	const char *target, *host;    /* or NULL */
				      /* what for:
				       * - gcc 5 speaks gnu11 by default; 51b97e354ba9 in 3.18 asks for gnu89 (memory)
				       * - gcc 15 speaks gnu23; x86's boot code names no standard before 6.15 (memory)
				       * - distributions' gcc 6 and newer makes PIE, "code model kernel does not support PIC
				       * mode",			       and cc-option then fails in silence (seen: Debian bug 835148); c6a385539175 in 4.9
				       * - distributions' gcc 8 and newer may have -fcf-protection on; 20bf2b378729 in 5.11 turns
				       * it			       off (memory)
				       * - gcc 10 has -fno-common: "multiple definition of yylloc" in scripts/dtc; e33a814e772c in
				       *   5.6 (memory)
				       * - gcc 12 sees a use after free in tools/lib/subcmd, which objtool is linked with, and
				       * that			       is built with -Werror (seen on 5.10.5); 52a9dab6d892 in 5.17 */
} quirks[] = {
	{ 0, K(3, 18), GCC(5, 0), NEVER, "-std=gnu89", NULL },
	{ K(3, 18), K(6, 15), GCC(15, 0), NEVER, "-std=gnu11", "-std=gnu11" },
	{ 0, K(4, 9), GCC(6, 0), NEVER, "-fno-pie", NULL },
	{ 0, K(5, 11), GCC(8, 0), NEVER, "-fcf-protection=none", NULL },
	{ 0, K(5, 6), GCC(10, 0), NEVER, NULL, "-fcommon" },
	{ 0, K(5, 17), GCC(12, 0), NEVER, NULL, "-Wno-use-after-free" },
};

/* Debian releases that have a gcc of that name, for the hint. */
static const struct {
	unsigned gcc;
	const char *package, *release;
} packages[] = {
	{ GCC(16, 0), "gcc-16", "Debian sid" }, { GCC(14, 0), "gcc-14", "Debian 13" },
	{ GCC(13, 0), "gcc-13", "Debian 13" },  { GCC(12, 0), "gcc-12", "Debian 12" },
	{ GCC(11, 0), "gcc-11", "Debian 12" },  { GCC(10, 0), "gcc-10", "Debian 11" },
	{ GCC(9, 0), "gcc-9", "Debian 11" },    { GCC(8, 0), "gcc-8", "Debian 10" },
	{ GCC(7, 0), "gcc-7", "Debian 10" },    { GCC(6, 0), "gcc-6", "Debian 9" },
	{ GCC(4, 9), "gcc-4.9", "Debian 8" },
};

unsigned compiler_kernel(const char *release)
{
	char *end = NULL;
	guint64 major = g_ascii_strtoull(release, &end, 10), minor;

	if (end == release || *end != '.' || !g_ascii_isdigit(end[1]) || !g_ascii_isdigit(*release))
		return 0;
	minor = g_ascii_strtoull(end + 1, NULL, 10);
	return major > 1000 || minor >= 1000 ? 0 : (unsigned)COMPILER_KERNEL(major, minor);
}

const struct compiler_rule *compiler_rule(unsigned kernel)
{
	const struct compiler_rule *rule = rules;

	for (size_t i = 1; i < G_N_ELEMENTS(rules) && rules[i].from <= kernel; i++)
		rule = &rules[i];
	return rule;
}

bool compiler_is_known_good(unsigned kernel, unsigned gcc)
{
	const struct compiler_rule *rule = compiler_rule(kernel);

	return gcc >= rule->oldest && gcc <= rule->newest;
}

char *compiler_version_text(unsigned gcc)
{
	return gcc % 100 ? g_strdup_printf("gcc %u.%u", gcc / 100, gcc % 100)
			 : g_strdup_printf("gcc %u", gcc / 100);
}

static bool fail_none(unsigned kernel, GError **error)
{
	const struct compiler_rule *rule = compiler_rule(kernel);
	g_autofree char *oldest = compiler_version_text(rule->oldest);
	g_autofree char *newest = compiler_version_text(rule->newest);
	g_autoptr(GString) hint = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(packages) && !hint->len; i++)
		if (compiler_is_known_good(kernel, packages[i].gcc))
			g_string_append_printf(hint, "apt-get install %s (%s has it), or ",
					       packages[i].package, packages[i].release);
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"Linux %u.%u is known to build with %s to %s, and none of these is "
			"installed\nhint: %sname another one with `compiler:`",
			kernel / 1000, kernel % 1000, oldest, newest, hint->str);
}

/* A numbered name is preferred to plain "gcc" of the same version: it stays what it is. */
static bool is_better(const struct compiler *a, const struct compiler *b, bool newer)
{
	if (!b)
		return true;
	if (a->version != b->version)
		return newer ? a->version > b->version : a->version < b->version;
	return !strcmp(b->name, "gcc") && strcmp(a->name, "gcc");
}

const struct compiler *compiler_choose(unsigned kernel, const GPtrArray *have, GError **error)
{
	const struct compiler_rule *rule = compiler_rule(kernel);
	const struct compiler *good = NULL, *newer = NULL;

	for (guint i = 0; i < have->len; i++) {
		const struct compiler *cc = have->pdata[i];

		if (cc->version < rule->oldest)
			continue;
		if (cc->version <= rule->newest)
			good = is_better(cc, good, true) ? cc : good;
		else if (rule->is_open)
			newer = is_better(cc, newer, false) ? cc : newer;
	}
	if (!good && !newer)
		fail_none(kernel, error);
	return good ? good : newer;
}

char *compiler_flags(unsigned kernel, unsigned gcc, enum compiler_for which)
{
	g_autoptr(GString) flags = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(quirks); i++) {
		const char *flag = which == COMPILER_HOST ? quirks[i].host : quirks[i].target;

		if (flag && kernel >= quirks[i].from && kernel < quirks[i].until &&
		    gcc >= quirks[i].gcc_from && gcc < quirks[i].gcc_until)
			g_string_append_printf(flags, "%s%s", flags->len ? " " : "", flag);
	}
	return g_strdup(flags->str);
}

bool compiler_name_is_valid(const char *name)
{
	return g_regex_match_simple("\\A([A-Za-z0-9_]+-)*gcc(-[0-9]+(\\.[0-9]+)*)?\\z", name, 0, 0);
}

void compiler_free(struct compiler *cc)
{
	if (!cc)
		return;
	g_free(cc->name);
	g_free(cc);
}
