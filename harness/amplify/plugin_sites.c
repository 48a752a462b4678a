// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plugin's sites: taken over from the control page, and found again by the addresses of a block
 * that is being translated.
 */
#include "amplify/plugin.h"

#include <stdlib.h>

/* A part of the text that one site has. */
struct span {
	uint64_t lo, hi;
	const struct site *site;
};

static struct site sites[AMP_SITES_MAX];
/* By enum amp_at; ascending, disjoint. n sites have 2n ends, and fewer pieces between them. */
static struct spans {
	unsigned n;
	struct span span[2 * AMP_SITES_MAX];
} spans[2];

/* --- taking over ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static const struct site *first_site_of(uint32_t at, unsigned n, uint64_t lo, uint64_t hi)
{
	for (unsigned i = 0; i < n; i++)
		if (sites[i].at == at && sites[i].lo <= lo && sites[i].hi >= hi)
			return &sites[i];
	return NULL;
}

/* Cut the text wherever a site begins or ends; each piece goes to the first site that has it. */
static void spans_make(uint32_t at, unsigned n, struct spans *ret)
{
	static uint64_t cuts[2 * AMP_SITES_MAX];
	unsigned n_cuts = 0;

	for (unsigned i = 0; i < n; i++) {
		if (sites[i].at == at) {
			cuts[n_cuts++] = sites[i].lo;
			cuts[n_cuts++] = sites[i].hi;
		}
	}
	qsort(cuts, n_cuts, sizeof(cuts[0]), by_number);
	ret->n = 0;
	for (unsigned i = 1; i < n_cuts; i++) {
		const struct site *site = first_site_of(at, n, cuts[i - 1], cuts[i]);

		if (cuts[i - 1] < cuts[i] && site)
			ret->span[ret->n++] = (struct span){ cuts[i - 1], cuts[i], site };
	}
}

/* Copied first and looked at afterwards: the page may change at any time. */
static bool site_take(struct amp_page *page, unsigned index, struct site *ret)
{
	struct amp_site *told = &page->site[index];

	*ret = (struct site){ .lo = READ(told->lo), .hi = READ(told->hi), .at = READ(told->at),
			      .after = READ(told->after), .group = READ(told->group),
			      .vcpu = READ(told->vcpu), .index = index };
	WRITE(told->delays, 0);
	WRITE(told->slept_us, 0);
	WRITE(told->conflicts, 0);
	return ret->lo < ret->hi && ret->at <= AMP_ACCESS && ret->group < 2;
}

void sites_take(struct amp_page *page)
{
	uint32_t told = READ(page->n_sites);
	unsigned n = 0;

	for (unsigned i = 0; i < told && i < AMP_SITES_MAX; i++)
		n += site_take(page, i, &sites[n]);
	for (uint32_t at = AMP_BEFORE; at <= AMP_ACCESS; at++)
		spans_make(at, n, &spans[at]);
}

/* --- looking up ------------------------------------------------------------------------------ */

/* The first span that ends beyond pc. */
static unsigned span_from(const struct spans *s, uint64_t pc)
{
	unsigned lo = 0, hi = s->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (s->span[mid].hi > pc)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

bool sites_begin(struct sites_walk *walk, uint64_t lo, uint64_t last)
{
	bool any = false;

	for (unsigned at = AMP_BEFORE; at <= AMP_ACCESS; at++) {
		const struct spans *s = &spans[at];
		unsigned i = walk->next[at] = span_from(s, lo);

		any |= i < s->n && s->span[i].lo <= last;
	}
	return any;
}

const struct site *sites_next(struct sites_walk *walk, enum amp_at at, uint64_t pc)
{
	const struct spans *s = &spans[at];
	unsigned *i = &walk->next[at];

	while (*i < s->n && s->span[*i].hi <= pc)
		(*i)++;
	return *i < s->n && s->span[*i].lo <= pc ? s->span[*i].site : NULL;
}
