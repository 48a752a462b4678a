// SPDX-License-Identifier: GPL-2.0-or-later
/* See schedule.h. */
#include "report/schedule.h"

#include <string.h>

const char schedule_reachable_words[] =
	"found with injected delays; a delayed thread was merely slow, so every state that was "
	"reached is one that the kernel can reach by itself: the delays made it likelier";

const char *schedule_of(const struct cell *cell)
{
	bool failed = false;

	if (cell->verdict.v.value != VERDICT_AFFECTED)
		return NULL;
	for (guint i = 0; i < cell->outcomes->len; i++) {
		const struct outcome *o = cell->outcomes->pdata[i];

		if (o->verdict.value != VERDICT_AFFECTED)
			continue;
		if (!o->delayed)
			return "plain";
		failed = true;
	}
	return failed ? "reachable" : NULL;
}

/* Hints stand on lines of their own. */
static char *first_line(const char *text)
{
	return g_strndup(text, strcspn(text, "\n"));
}

char *schedule_unamplified(const struct cell *cell)
{
	for (guint i = 0; i < cell->outcomes->len; i++) {
		const struct outcome *o = cell->outcomes->pdata[i];

		if (o->unamplified)
			return first_line(o->unamplified);
	}
	return NULL;
}

static json_int_t total(const struct outcome *o, const char *key)
{
	return json_integer_value(json_object_get(o->delays, key));
}

static char *totals_text(const struct outcome *o)
{
	if (!o->delays)
		return g_strdup("");
	if (json_object_get(o->delays, "stops"))
		return g_strdup_printf(": %" JSON_INTEGER_FORMAT " stops, %" JSON_INTEGER_FORMAT
				       " squeezes, %" JSON_INTEGER_FORMAT " idles",
				       total(o, "stops"), total(o, "squeezes"), total(o, "idles"));
	return g_strdup_printf(": %" JSON_INTEGER_FORMAT " delays, %.1f s in all",
			       total(o, "delays"), total(o, "slept_ms") / 1000.0);
}

static char *places_text(const struct outcome *o)
{
	json_int_t learned = total(o, "learned");
	g_autofree char *own = o->sites ? g_strdup_printf(" in %s", o->sites) : g_strdup("");
	g_autofree char *missing =
		o->sites_missing ? g_strdup_printf(" (not in this kernel: %s)", o->sites_missing)
				 : g_strdup("");

	if (learned > 0)
		return g_strdup_printf("%s%s and at %" JSON_INTEGER_FORMAT
				       " instructions that were learned", own, missing, learned);
	return g_strconcat(own, missing, NULL);
}

char *schedule_of_job(const struct outcome *o)
{
	g_autofree char *totals = totals_text(o), *places = NULL;

	if (!o->delayed && o->unamplified)
		return g_strdup_printf("no delays, though they were asked for: %.*s",
				       (int)strcspn(o->unamplified, "\n"), o->unamplified);
	if (!o->delayed)
		return g_strdup("no delays");
	if (o->unamplified)
		return g_strdup_printf("delays until they stopped working: %.*s",
				       (int)strcspn(o->unamplified, "\n"), o->unamplified);
	if (g_strcmp0(o->amplify, "host") == 0)
		return g_strconcat("vCPU threads stopped, squeezed and put back by the host (host)",
				   totals, NULL);
	places = places_text(o);
	return g_strdup_printf("delays (%s)%s%s", o->amplify, places, totals);
}
