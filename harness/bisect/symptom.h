/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the title of a failure says ("deadlock: f <- g <- h", "oops: ... in f"): is it like another,
 * which functions does it name? Pure. */
#ifndef KLAB_BISECT_SYMPTOM_H
#define KLAB_BISECT_SYMPTOM_H

#include <stdbool.h>

#define SYMPTOM_FUNCTIONS_MAX 8

struct symptom {
	const char *title, *hazard;	/* or NULL */
};

/* Of one hazard, where both are of any; else of one kind, with a function in common. */
bool symptom_alike(const struct symptom *a, const struct symptom *b);
/* Names of functions, each once, without what compilers append (".isra.0"); names that are words of
 * natural language, too, are left out. NULL-terminated, the caller frees. */
char **symptom_functions(const char *title);

#endif
