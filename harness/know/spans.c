// SPDX-License-Identifier: GPL-2.0-or-later
/* Measured builds, sorted by where they stand in their series, and what lies between neighbours. */
#include "know/spans.h"

/* All that was seen of one operation at one place of a vendor's order. */
struct place {
	const struct seen *at;
	bool mixed;      /* affected and clean: says nothing of its neighbours */
	bool calibrated; /* one verdict at least is */
	const char *hazard;
};

static bool has_order(const struct ktb_kernel *k)
{
	static const char *const mixtures[] = { "other", "ubuntu-derived", "rhel-derived", NULL };

	return *k->vendor && *ktb_position(k) && !g_strv_contains(mixtures, k->vendor);
}

static int compare_places(gconstpointer pa, gconstpointer pb)
{
	const struct seen *a = *(const struct seen *const *)pa;
	const struct seen *b = *(const struct seen *const *)pb;
	int diff = ktb_text_compare(a->m.op, b->m.op);

	if (!diff)
		diff = ktb_text_compare(a->kernel.vendor, b->kernel.vendor);
	return diff ? diff
		    : ktb_compare(a->kernel.order, ktb_position(&a->kernel),
				  ktb_position(&b->kernel));
}

/* Builds that compare as equal may be spelled differently: the least spelling stands for all. */
static void join(struct place *p, const struct seen *s)
{
	p->mixed |= p->at->m.value != s->m.value;
	p->calibrated |= s->m.calibrated;
	if (g_strcmp0(p->hazard, s->m.hazard))
		p->hazard = NULL;
	if (ktb_text_compare(ktb_position(&s->kernel), ktb_position(&p->at->kernel)) < 0)
		p->at = s;
}

static GArray *places_of(const GArray *all)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(struct place));
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();

	for (unsigned i = 0; i < all->len; i++) {
		struct seen *s = &g_array_index(all, struct seen, i);

		if (has_order(&s->kernel))
			g_ptr_array_add(sorted, s);
	}
	g_ptr_array_sort(sorted, compare_places);
	for (unsigned i = 0; i < sorted->len; i++) {
		const struct seen *s = sorted->pdata[i];

		if (i && !compare_places(&sorted->pdata[i - 1], &sorted->pdata[i])) {
			join(&g_array_index(places, struct place, places->len - 1), s);
		} else {
			struct place p = { .at = s,
					   .calibrated = s->m.calibrated,
					   .hazard = s->m.hazard };

			g_array_append_val(places, p);
		}
	}
	return places;
}

/* Does the version `v` of a range lie behind `a`, and not behind `b`? */
static bool between(const struct ktb_kernel *a, const struct ktb_kernel *b,
		    const struct ktb_range *r, const char *v)
{
	bool upstream = !strcmp(r->vendor, "mainline");
	enum ktb_order order = upstream ? KTB_ORDER_DPKG : a->order;
	const char *from = upstream ? a->base : ktb_position(a);
	const char *to = upstream ? b->base : ktb_position(b);

	return v && strcmp(v, "unknown") && !ktb_is_eol(v) && ktb_compare(order, from, v) < 0 &&
	       ktb_compare(order, v, to) <= 0;
}

static bool range_parts(const struct ktb_range *r, const struct ktb_kernel *a,
			const struct ktb_kernel *b, enum ktb_value value)
{
	if (strcmp(r->vendor, a->vendor) && strcmp(r->vendor, "mainline"))
		return false;
	switch (r->kind) {
	case KTB_RANGE_UNKNOWN:
		if (value == KTB_AFFECTED)
			return false;
		break;
	case KTB_BUILD_CLEAN:
		if (value == KTB_CLEAN)
			return false;
		break;
	case KTB_RANGE_AFFECTED:
	case KTB_RANGE_CLEAN:
	case KTB_ALL_CLEAN:
		break;
	}
	return between(a, b, r, r->lo) || between(a, b, r, r->hi) ||
	       (value == KTB_CLEAN && between(a, b, r, r->last));
}

static bool declarations_part(const struct ktb_table *table, const struct seen *a,
			      const struct seen *b)
{
	for (size_t i = 0; i < table->n_hazards; i++) {
		const struct ktb_hazard *h = &table->hazards[i];

		if (strcmp(h->op, a->m.op))
			continue;
		for (size_t j = 0; j < h->n_ranges; j++)
			if (range_parts(&h->ranges[j], &a->kernel, &b->kernel, a->m.value))
				return true;
	}
	return false;
}

static bool places_agree(const struct ktb_table *table, const struct place *a,
			 const struct place *b)
{
	const struct ktb_kernel *k = &a->at->kernel;

	return !a->mixed && !b->mixed && a->at->m.value == b->at->m.value &&
	       !strcmp(a->at->m.op, b->at->m.op) && !strcmp(k->vendor, b->at->kernel.vendor) &&
	       ktb_same_series(k->trust, ktb_position(k), ktb_position(&b->at->kernel)) &&
	       !declarations_part(table, a->at, b->at);
}

GArray *spans_make(const struct ktb_table *table, const GArray *all, GStringChunk *text)
{
	GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct ktb_span));
	g_autoptr(GArray) places = places_of(all);

	for (unsigned i = 1; i < places->len; i++) {
		const struct place *a = &g_array_index(places, struct place, i - 1), *b = a + 1;
		const struct seen *from = a->at, *to = b->at;
		struct ktb_span span = {
			.op = from->m.op,
			.vendor = g_string_chunk_insert_const(text, from->kernel.vendor),
			.value = from->m.value,
			.lo = g_string_chunk_insert_const(text, ktb_position(&from->kernel)),
			.hi = g_string_chunk_insert_const(text, ktb_position(&to->kernel)),
			.calibrated = a->calibrated && b->calibrated,
			.hazard = g_strcmp0(a->hazard, b->hazard) ? NULL : a->hazard,
		};

		if (places_agree(table, a, b))
			g_array_append_val(spans, span);
	}
	return spans;
}
