/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration fragments: read, laid over each other, and compared with what a tree made of them.
 * Pure: text in, text out.
 */
#ifndef KLAB_KERNEL_BUILD_CONFIG_H
#define KLAB_KERNEL_BUILD_CONFIG_H

#include "base/lab.h"

#define BUILD_CONFIG_MAX (4u << 20)     /* bytes of one fragment */
#define BUILD_CONFIG_OPTIONS_MAX 40000u /* a whole distribution config has 12 000 */

/* Options by name ("CONFIG_X" to "y", "n", "\"text\""), in the order of their first mention. */
struct config_set {
	GHashTable *values; /* char * to char *, owned */
	GPtrArray *names;   /* const char *, of `values` */
};
typedef struct config_set config_set;
struct config_set *config_set_new(void);
void config_set_free(struct config_set *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(config_set, config_set_free)

/*
 * Lay the lines "CONFIG_X=value" and "# CONFIG_X is not set" of `text` over `set`: what is
 * mentioned last counts. Other comments and blank lines are passed over. LAB_ERROR_INPUT,
 * "NAME:LINE: ...", for anything else; `set` may then hold the lines before.
 */
bool config_set_read(struct config_set *set, const char *name, const char *text, size_t len,
		     GError **error);
/* As lines for KCONFIG_ALLCONFIG; the caller frees. */
char *config_set_text(const struct config_set *set);
/* "n" for what is not mentioned; borrowed. */
const char *config_set_get(const struct config_set *set, const char *option);
/* Names in `wanted` whose value `got` does not have, in order; the caller frees the array, the
 * names are borrowed from `wanted`. */
GPtrArray *config_set_lost(const struct config_set *wanted, const struct config_set *got);

/* Lay guests/config's fragments for that kernel (COMPILER_KERNEL()) over `set`. */
bool build_config_shipped(unsigned kernel, struct config_set *set, GError **error);
/* Options without which no guest of klab's gets as far as its first word, that `got` lacks; as
 * config_set_lost(). */
GPtrArray *build_config_missing(const struct config_set *got);

#endif
