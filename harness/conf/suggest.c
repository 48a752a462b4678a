// SPDX-License-Identifier: GPL-2.0-or-later
/* Nearest word by edit distance (optimal string alignment), for "did you mean". */
#include "conf/suggest.h"

#include <glib.h>
#include <limits.h>
#include <stdint.h>

#define WORD_MAX 64

unsigned suggest_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	if (na > WORD_MAX || nb > WORD_MAX)
		return UINT_MAX;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = MIN(change, MIN(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

const char *suggest(const char *typed, const char *const *words)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX, typed_length = strlen(typed);

	for (; *words; words++) {
		size_t length = strlen(*words), limit = MAX(1, length / 3), distance;

		/* The lengths alone tell of most words that they are too far. */
		if ((size_t)ABS((gssize)length - (gssize)typed_length) > limit)
			continue;
		distance = suggest_distance(typed, *words);
		if (distance < best_distance && distance <= limit) {
			best = *words;
			best_distance = distance;
		}
	}
	return best;
}

char *suggest_phrase(const char *typed, const char *const *words)
{
	const char *word = suggest(typed, words);

	return word ? g_strdup_printf("; did you mean '%s'?", word) : g_strdup("");
}
