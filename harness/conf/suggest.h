/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": the known word that is nearest to what was typed. Pure. */
#ifndef KLAB_CONF_SUGGEST_H
#define KLAB_CONF_SUGGEST_H

/* Levenshtein distance, a swap of neighbours counts 1; words beyond 64 bytes are as far as can be.
 */
unsigned suggest_distance(const char *a, const char *b);
/* The nearest of `words` (NULL-terminated) within a third of its length, or NULL. */
const char *suggest(const char *typed, const char *const *words);
/* "; did you mean 'X'?" or "", caller frees. */
char *suggest_phrase(const char *typed, const char *const *words);

#endif
