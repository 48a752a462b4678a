// SPDX-License-Identifier: GPL-2.0-or-later
/* See symptom.h. */
#include "bisect/symptom.h"

#include <glib.h>
#include <string.h>

#define NAME_MAX_BYTES 128

/* "oops: general protection fault in f" and "deadlock: f <- g" as their words. */
static char **words_of(const char *title)
{
	return g_strsplit_set(title ? title : "", " :<-+()'", -1);
}

/* Functions and the like: words of natural language are in any title. */
static bool tells_much(const char *word)
{
	return strlen(word) >= 4 && strpbrk(word, "_0123456789") != NULL;
}

static bool share_a_function(const char *a, const char *b)
{
	g_auto(GStrv) in_a = words_of(a), in_b = words_of(b);

	for (char **word = in_a; *word; word++)
		if (tells_much(*word) && g_strv_contains((const char *const *)in_b, *word))
			return true;
	return false;
}

static bool same_kind(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return len == strcspn(b, ":") && !strncmp(a, b, len);
}

bool symptom_alike(const struct symptom *a, const struct symptom *b)
{
	if (a->hazard && b->hazard)
		return !strcmp(a->hazard, b->hazard);
	return a->title && b->title && same_kind(a->title, b->title) &&
	       (!strcmp(a->title, b->title) || share_a_function(a->title, b->title));
}

static bool is_name(const char *word)
{
	if (!g_ascii_isalpha(*word) && *word != '_')
		return false;
	for (; *word; word++)
		if (!g_ascii_isalnum(*word) && *word != '_')
			return false;
	return true;
}

char **symptom_functions(const char *title)
{
	g_auto(GStrv) words = words_of(title);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (char **word = words; *word && names->len < SYMPTOM_FUNCTIONS_MAX; word++) {
		word[0][strcspn(*word, "./")] = '\0';
		if (tells_much(*word) && is_name(*word) && strlen(*word) <= NAME_MAX_BYTES &&
		    !g_ptr_array_find_with_equal_func(names, *word, g_str_equal, NULL))
			g_ptr_array_add(names, *word);
	}
	g_ptr_array_add(names, NULL);
	return g_strdupv((char **)names->pdata);
}
