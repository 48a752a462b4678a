/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Is an operation safe on a kernel? What is declared (ktb_declared.h) under what was measured.
 *
 * A measurement of exactly this build outranks the ranges; one without a stated bound on what it
 * may have missed (uncalibrated) does not lift a declared "affected", it makes it "unknown". Builds
 * between two that were measured alike (struct ktb_span) are "extrapolated".
 *
 * Freestanding C99 and C++11, no allocation.
 */
#ifndef KTB_CHECK_H
#define KTB_CHECK_H
#ifndef __ASSEMBLER__

#ifndef KTB_DECLARED_H
#include "base/ktb_declared.h"
#endif

static inline int ktb_measured_compare(const struct ktb_measured *m, const char *op,
				       const char *release, const char *known[2])
{
	int diff = ktb_known_compare(m->op, op, &known[0]);

	return diff ? diff : ktb_known_compare(m->release, release, &known[1]);
}

/* Where the hazards of this operation begin, or would. */
static inline size_t ktb_hazard_first(const struct ktb_table *t, const char *op)
{
	size_t lo = 0, hi = t->n_hazards;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ktb_text_compare(t->hazards[mid].op, op) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Where the measurements of this operation and release begin, or would. */
static inline size_t ktb_measured_first(const struct ktb_table *t, const char *op,
					const char *release, const char *known[2])
{
	size_t lo = 0, hi = t->n_measured;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ktb_measured_compare(&t->measured[mid], op, release, known) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Was exactly this build measured? The release is known to be the same. */
static inline int ktb_measured_is_build(const struct ktb_measured *m, const struct ktb_kernel *k)
{
	if (m->version[0] && ktb_eq(m->version, k->version))
		return 1;
	return m->build[0] && ktb_eq(m->build, k->build);
}

static inline int ktb_measured_is(const struct ktb_measured *m, const struct ktb_kernel *k,
				  const char *op)
{
	return ktb_eq(m->op, op) && ktb_eq(m->release, k->release) && ktb_measured_is_build(m, k);
}

/* A failure that was not declared is about the hazard that it looks like, or (NULL) about one that
 * nobody knows: how to do without the operation stays true. Where a hazard was declared, that is
 * the better guess: failures of two may look alike. */
static inline void ktb_set_hazard(const struct ktb_table *t, const char *id, struct ktb_answer *a)
{
	size_t i;

	if (a->value == KTB_AFFECTED)
		return;
	for (i = 0; id && i < t->n_hazards; i++) {
		if (!ktb_eq(t->hazards[i].id, id))
			continue;
		ktb_about(a, &t->hazards[i]);
		return;
	}
	a->hazard = a->summary = a->needs = a->fix = NULL;
}

/* The worst and then the best founded of what was measured on this very build, or NULL;
 * *ret_differ: not all agree. */
static inline const struct ktb_measured *ktb_measured_find(const struct ktb_table *t,
							   const struct ktb_kernel *k,
							   const char *op, int *ret_differ)
{
	const struct ktb_measured *best = NULL;
	const char *known[2] = { NULL, NULL };
	size_t i;

	*ret_differ = 0;
	for (i = ktb_measured_first(t, op, k->release, known); i < t->n_measured; i++) {
		const struct ktb_measured *m = &t->measured[i];

		if (ktb_measured_compare(m, op, k->release, known))
			break;
		if (!ktb_measured_is_build(m, k))
			continue;
		if (best && best->value != m->value)
			*ret_differ = 1;
		if (!best || m->value > best->value ||
		    (m->value == best->value && m->calibrated > best->calibrated))
			best = m;
	}
	return best;
}

/* Let what was measured on this very build decide. */
static inline void ktb_apply_measured(const struct ktb_table *t, const struct ktb_measured *m,
				      struct ktb_answer *a)
{
	if (a->value != KTB_UNKNOWN && a->value != m->value)
		a->contradicted = 1;
	a->evidence = KTB_MEASURED;
	if (m->value == KTB_CLEAN && !m->calibrated && a->value == KTB_AFFECTED) {
		a->value = KTB_UNKNOWN;
		ktb_reason(a, "declared affected, yet ");
	} else {
		if (m->value == KTB_AFFECTED)
			ktb_set_hazard(t, m->hazard, a);
		a->value = m->value;
	}
	ktb_reason(a, "measured on this build: ");
	ktb_reason(a, m->detail);
}

/* What orders a kernel among others of its series: the build, of upstream the release; "": nothing
 * is known that does. */
static inline const char *ktb_position(const struct ktb_kernel *k)
{
	return ktb_eq(k->vendor, "mainline") ? k->base : k->build;
}

static inline int ktb_span_compare(const struct ktb_span *s, const struct ktb_kernel *k,
				   const char *op, const char *known[2])
{
	int diff = ktb_known_compare(s->op, op, &known[0]);

	if (!diff)
		diff = ktb_known_compare(s->vendor, k->vendor, &known[1]);
	return diff ? diff : ktb_compare(k->order, s->lo, ktb_position(k));
}

/* The last span that begins at this kernel or before, if the kernel lies in it, or NULL. */
static inline const struct ktb_span *ktb_span_find(const struct ktb_table *t,
						   const struct ktb_kernel *k, const char *op)
{
	const char *at = ktb_position(k);
	const char *known[2] = { NULL, NULL };
	const struct ktb_span *s;
	size_t lo = 0, hi = t->n_spans;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ktb_span_compare(&t->spans[mid], k, op, known) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || !*at)
		return NULL;
	s = &t->spans[lo - 1];
	if (!ktb_eq(s->op, op) || !ktb_eq(s->vendor, k->vendor) ||
	    ktb_compare(k->order, at, s->hi) > 0 || ktb_extends(s->hi, at) ||
	    !ktb_same_series(k->trust, at, s->lo) || !ktb_same_series(k->trust, at, s->hi))
		return NULL;
	return s;
}

/* Let builds that were measured before and behind this one speak where declarations do not, or
 * where they call clean what failed on both sides. Returns whether they do. */
static inline int ktb_apply_span(const struct ktb_table *t, const struct ktb_kernel *k,
				 const struct ktb_span *s, struct ktb_answer *a)
{
	struct ktb_range between = { s->vendor, KTB_RANGE_AFFECTED, s->lo, NULL, s->hi, 0 };

	if (a->value == s->value && a->evidence > KTB_EXTRAPOLATED)
		return 0;
	if (s->value == KTB_AFFECTED) {
		a->contradicted = a->value == KTB_CLEAN;
		ktb_set_hazard(t, s->hazard, a);
	}
	a->value = s->value;
	a->evidence = KTB_EXTRAPOLATED;
	ktb_tell(a, ktb_position(k), "lies between two builds that were measured", NULL);
	ktb_tell(a, "", s->calibrated ? ktb_value_name(s->value) : "clean, uncalibrated", &between);
	return 1;
}

/* Let measurements of this build decide, or else of its neighbours. Returns whether they did. */
static inline int ktb_apply_evidence(const struct ktb_table *t, const struct ktb_kernel *k,
				     const char *op, struct ktb_answer *a)
{
	int differ;
	const struct ktb_measured *m = ktb_measured_find(t, k, op, &differ);
	const struct ktb_span *s;

	a->contradicted = differ;
	if (m) {
		ktb_apply_measured(t, m, a);
		return 1;
	}
	/* Neighbours do not speak against a declared "affected". */
	s = a->value == KTB_AFFECTED ? NULL : ktb_span_find(t, k, op);
	return s && ktb_apply_span(t, k, s, a);
}

/* Is `op` in "all" or in the comma-separated list? */
static inline int ktb_is_forced(const char *force, const char *op)
{
	size_t n = ktb_len(op);

	if (!force)
		return 0;
	if (ktb_eq(force, "all"))
		return 1;
	while (*force) {
		if (ktb_starts(force, op) && (!force[n] || force[n] == ','))
			return 1;
		while (*force && *force != ',')
			force++;
		if (*force)
			force++;
	}
	return 0;
}

/* Of an operation's hazards the worst decides; among equals the best founded "affected", the
 * weakest "clean". */
static inline int ktb_outranks(const struct ktb_finding *a, const struct ktb_finding *b)
{
	if (a->value != b->value)
		return a->value > b->value;
	return a->value == KTB_AFFECTED ? a->evidence > b->evidence : a->evidence < b->evidence;
}

/* The answer for an operation. */
static inline struct ktb_answer ktb_table_check(const struct ktb_table *t,
						const struct ktb_kernel *k, const char *op)
{
	const struct ktb_hazard *decided = NULL;
	struct ktb_finding found = ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE,
					   "no hazard of this operation", "is known here", NULL);
	struct ktb_answer worst;
	size_t i;

	for (i = ktb_hazard_first(t, op); i < t->n_hazards; i++) {
		struct ktb_finding f;

		if (!ktb_eq(t->hazards[i].op, op))
			break;
		f = ktb_find_hazard(t, &t->hazards[i], k);
		if (decided && !ktb_outranks(&f, &found))
			continue;
		found = f;
		decided = &t->hazards[i];
	}
	worst = ktb_answer_of(decided, &found);
	if (!ktb_apply_evidence(t, k, op, &worst))
		ktb_tell(&worst, found.subject, found.phrase, found.range);
	if (worst.value == KTB_UNKNOWN && k->strict) {
		worst.value = KTB_AFFECTED;
		worst.strict = 1;
	}
	worst.allowed = worst.value != KTB_AFFECTED;
	if (worst.value != KTB_CLEAN && ktb_is_forced(k->force, op))
		worst.allowed = worst.forced = 1;
	return worst;
}

#endif
#endif
