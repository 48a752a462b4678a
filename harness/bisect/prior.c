// SPDX-License-Identifier: GPL-2.0-or-later
/* See prior.h. */
#include "bisect/prior.h"

#include <glib.h>
#include <string.h>

static bool below(const char *file, const char *folder)
{
	size_t len = strlen(folder);

	while (len && folder[len - 1] == '/')
		len--;
	return len && !strncmp(file, folder, len) && (!file[len] || file[len] == '/');
}

/* Nothing of these is in an x86-64 bzImage. tools/ has objtool, which rewrites objects, and include/
 * and lib/ of it that the kernel's own build uses. */
bool prior_is_outside(const char *file)
{
	static const char *const folders[] = { "Documentation", "LICENSES", "samples", "tools",
					       "MAINTAINERS", "CREDITS", "README", ".mailmap",
					       ".gitignore", ".get_maintainer.ignore" };
	static const char *const inside[] = { "tools/objtool", "tools/include", "tools/lib",
					      "tools/arch/x86", "tools/build", "arch/x86",
					      "arch/Kconfig", "arch/um" };

	for (size_t i = 0; i < G_N_ELEMENTS(inside); i++)
		if (below(file, inside[i]))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		if (below(file, folders[i]))
			return true;
	return below(file, "arch");
}

double prior_of_change(const struct prior_facts *facts, const char *const *suspects)
{
	const char *const *files = facts->files;
	double prior = (facts->merge ? PRIOR_MERGE : 1) * (facts->fixes ? PRIOR_FIXES : 1);
	bool outside = files && *files, suspected = false;

	for (; files && *files; files++) {
		outside = outside && prior_is_outside(*files);
		for (const char *const *s = suspects; s && *s; s++)
			suspected = suspected || below(*files, *s);
	}
	return outside ? PRIOR_OUTSIDE : suspected ? prior * PRIOR_SUSPECTED : prior;
}
