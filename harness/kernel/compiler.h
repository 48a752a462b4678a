/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which gcc builds which kernel, and with what flags. Two tables of facts, each with its source;
 * choosing is pure, and only compilers_installed() asks the host.
 *
 *	g_autoptr(GPtrArray) have = compilers_installed();
 *	const struct compiler *cc = compiler_choose(release, have, &error);
 *	g_autofree char *flags = compiler_flags(release, cc->version, COMPILER_TARGET);
 */
#ifndef KLAB_KERNEL_COMPILER_H
#define KLAB_KERNEL_COMPILER_H

#include "base/lab.h"

/* A kernel's release as one number: COMPILER_KERNEL(5, 4). The sublevel has no say. */
#define COMPILER_KERNEL(major, minor) ((major)*1000 + (minor))
/* A gcc: COMPILER_GCC(4, 9), COMPILER_GCC(12, 0); since gcc 5 the minor number has no say. */
#define COMPILER_GCC(major, minor) ((major)*100 + (minor))

struct compiler {
	char *name;       /* "gcc-10", "gcc" */
	unsigned version; /* COMPILER_GCC() */
};

/* What is known on kernels from one release to the next row's. */
struct compiler_rule {
	unsigned from;   /* COMPILER_KERNEL() */
	unsigned oldest; /* that the kernel's own documentation admits */
	unsigned newest; /* known good */
	bool is_open;    /* a newer one most likely does as well: it is taken, and told */
	const char *how; /* "seen", "derived", "measured", "memory", as in hazards.yaml */
	const char *says;
};

enum compiler_for { COMPILER_TARGET, COMPILER_HOST };

/* "6.1.192", "5.4-rc1" to COMPILER_KERNEL(); 0: no release. */
unsigned compiler_kernel(const char *release);
/* The rule for that kernel; older ones than the table begins with have its first. Never NULL. */
const struct compiler_rule *compiler_rule(unsigned kernel);
/*
 * The newest of `have` (of struct compiler *) that is known good for the kernel, else, where the
 * rule is open, the oldest of the newer ones. LAB_ERROR_UNAVAILABLE names the Debian package to
 * install. The result is borrowed from `have`.
 */
const struct compiler *compiler_choose(unsigned kernel, const GPtrArray *have, GError **error);
/* Is that gcc within what is known good for the kernel? */
bool compiler_is_known_good(unsigned kernel, unsigned gcc);
/* Flags that this kernel needs with this gcc, for its own code or for its host tools; blank-
 * separated, "" if none. The caller frees. */
char *compiler_flags(unsigned kernel, unsigned gcc, enum compiler_for which);
/* "gcc 10", "gcc 4.9"; the caller frees. */
char *compiler_version_text(unsigned gcc);
/* Is `name` a name of a gcc ("gcc", "gcc-10", "x86_64-linux-gnu-gcc-12")? */
bool compiler_name_is_valid(const char *name);

void compiler_free(struct compiler *cc);
/* Ask the program `name` for its version. LAB_ERROR_UNAVAILABLE: not here. Main thread only. */
struct compiler *compiler_ask(const char *name, GError **error);
/* All "gcc" and "gcc-N" of this host, newest first, of struct compiler *. Main thread only. */
GPtrArray *compilers_installed(void);

#endif
