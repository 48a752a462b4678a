/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a probe's sites and a kernel's symbols to the delay plugin's arguments. Pure, but for
 * delay_plugin_path(), which unpacks the plugin that the binary carries. */
#ifndef KLAB_AMPLIFY_DELAY_H
#define KLAB_AMPLIFY_DELAY_H

#include "base/lab.h"
#include "parse/symbols.h"

#define DELAY_SITES_MAX 64
#define DELAY_SITE_BYTES 128	/* of a function's head, where its loads of shared state are */

enum delay_level { DELAY_OFF, DELAY_LIGHT, DELAY_AUTO };

struct delay_plan {
	enum delay_level level;
	unsigned n_sites;
	char *sites;		/* "site=LO-HI,site=...", or NULL when there are none */
	char *names;		/* the symbols chosen, space separated, for the journal */
};
void delay_plan_clear(struct delay_plan *plan);

/* "off", "light", "auto"; false for other words. */
bool delay_level_parse(const char *word, enum delay_level *ret);
const char *delay_level_name(enum delay_level level);
/* Bind globs (NULL-terminated) to symbols; symbols may be NULL: no sites. */
void delay_plan_make(enum delay_level level, const char *const *globs, const struct symbols *symbols,
		     struct delay_plan *ret);
/* The value of QEMU's -plugin; NULL if the plan has no sites. The caller frees it. */
char *delay_plan_args(const struct delay_plan *plan, const char *plugin, uint64_t seed);
/* Where the plugin lies, unpacked from the binary into the cache by content. */
char *delay_plugin_path(GError **error);

#endif
