/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Is an operation safe on a kernel? Looks a kernel (ktb_identify.h) up in a table of hazards and
 * their ranges (ktb_range.h).
 *
 * What the ranges do not say follows from the upstream version of the build, as far as the vendor's
 * way of working allows (enum ktb_trust), and is marked "extrapolated". A measurement of exactly
 * this build outranks the ranges; one without a stated bound on what it may have missed
 * (uncalibrated) does not lift a declared "affected", it makes it "unknown".
 *
 * Freestanding C99 and C++11, no allocation.
 */
#ifndef KTB_CHECK_H
#define KTB_CHECK_H
#ifndef __ASSEMBLER__

#ifndef KTB_RANGE_H
#include "base/ktb_range.h"
#endif

enum ktb_value { KTB_CLEAN, KTB_UNKNOWN, KTB_AFFECTED }; /* the worse, the larger */
enum ktb_evidence { KTB_NO_EVIDENCE, KTB_EXTRAPOLATED, KTB_DECLARED, KTB_MEASURED };

struct ktb_hazard {
	const char *id, *op, *summary;
	const char *workaround, *needs, *fix; /* NULL: none known, no condition, not fixed */
	const struct ktb_range *ranges;
	size_t n_ranges;
};

/* What klab saw on one build. */
struct ktb_measured {
	const char *release, *version,
		*build; /* as in struct ktb_kernel; version, build may be "" */
	const char *op;
	enum ktb_value value; /* never KTB_UNKNOWN */
	int calibrated;       /* clean: is there a bound on what was missed? */
	const char *detail;
};

struct ktb_table {
	const char *digest;   /* sha256 over the evidence */
	const char *surveyed; /* newest mainline branch that the hazards were compared with */
	const struct ktb_hazard *hazards;
	size_t n_hazards;
	const struct ktb_measured *measured;
	size_t n_measured;
};

struct ktb_answer {
	enum ktb_value value;
	enum ktb_evidence evidence;
	int allowed;        /* may the operation be used: clean, unknown unless strict, or forced */
	int forced;         /* not clean, and ktb_force() let it pass */
	int strict;         /* unknown, called affected because of ktb_strict() */
	int contradicted;   /* measurements and declarations do not agree */
	const char *hazard; /* id of the hazard that decided, or NULL */
	const char *summary, *workaround, *needs, *fix; /* of that hazard, or NULL */
	char reason[256];
};

static inline const char *ktb_value_name(enum ktb_value value)
{
	return value == KTB_CLEAN ? "clean" : value == KTB_AFFECTED ? "affected" : "unknown";
}

static inline const char *ktb_evidence_name(enum ktb_evidence evidence)
{
	switch (evidence) {
	case KTB_MEASURED:
		return "measured";
	case KTB_DECLARED:
		return "declared";
	case KTB_EXTRAPOLATED:
		return "extrapolated";
	case KTB_NO_EVIDENCE:
		break;
	}
	return "none";
}

/* Join the ranges of `vendor` for the branch of `base`: 0, 1 or 2 as above; *ret_range decided. */
static inline int ktb_branch_state(const struct ktb_hazard *h, const char *vendor, const char *base,
				   const struct ktb_range **ret_range)
{
	int state = 0;
	size_t i;

	*ret_range = NULL;
	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];
		int share;

		if (!ktb_eq(r->vendor, vendor) ||
		    (r->kind != KTB_RANGE_AFFECTED && r->kind != KTB_RANGE_UNKNOWN))
			continue;
		share = ktb_branch_share(base, r);
		if (share == 2 && r->kind == KTB_RANGE_UNKNOWN)
			share = 1;
		if (share > state) {
			state = share;
			*ret_range = r;
		}
	}
	return state;
}

static inline struct ktb_answer ktb_blank(void)
{
	struct ktb_answer a;

	a.value = KTB_UNKNOWN;
	a.evidence = KTB_NO_EVIDENCE;
	a.allowed = a.forced = a.strict = a.contradicted = 0;
	a.hazard = a.summary = a.workaround = a.needs = a.fix = NULL;
	a.reason[0] = 0;
	return a;
}

static inline void ktb_reason(struct ktb_answer *a, const char *text)
{
	ktb_append(a->reason, sizeof(a->reason), text);
}

/* "SUBJECT PHRASE [VENDOR LO..HI]" */
static inline struct ktb_answer ktb_say(enum ktb_value value, enum ktb_evidence evidence,
					const char *subject, const char *phrase,
					const struct ktb_range *r)
{
	struct ktb_answer a = ktb_blank();

	a.value = value;
	a.evidence = evidence;
	ktb_reason(&a, subject);
	ktb_reason(&a, " ");
	ktb_reason(&a, phrase);
	if (!r)
		return a;
	ktb_reason(&a, " [");
	ktb_reason(&a, r->vendor);
	if (r->lo) {
		ktb_reason(&a, " ");
		ktb_reason(&a, r->lo);
	}
	if (r->last) {
		ktb_reason(&a, "..");
		ktb_reason(&a, r->last);
	}
	if (r->hi) {
		ktb_reason(&a, "..");
		ktb_reason(&a, r->hi);
	}
	ktb_reason(&a, "]");
	return a;
}

/* Where an upstream release (no -rc) stands among the mainline ranges. */
struct ktb_mainline {
	const struct ktb_range *inside, *gap;
	int listed;   /* there are mainline ranges at all */
	int past_all; /* it is newer than all of them */
};

static inline struct ktb_mainline ktb_mainline_of(const struct ktb_hazard *h, const char *base)
{
	struct ktb_mainline m = { NULL, NULL, 0, 1 };
	size_t i;

	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];
		enum ktb_place place;

		if (r->kind != KTB_RANGE_AFFECTED || !ktb_eq(r->vendor, "mainline"))
			continue;
		m.listed = 1;
		place = ktb_place_of(KTB_ORDER_DPKG, base, r);
		if (place != KTB_ABOVE)
			m.past_all = 0;
		if (place == KTB_INSIDE)
			m.inside = r;
		else if (place == KTB_GAP)
			m.gap = r;
	}
	return m;
}

static inline struct ktb_answer ktb_say_gap(const char *subject, const struct ktb_range *r)
{
	return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, subject,
		       "is behind the last build that was looked at", r);
}

/* The first release of the branch before the one of `base`, or 0 where that is not known; `dst` may
 * be `base`. */
static inline int ktb_branch_before(const char *base, char *dst, size_t size)
{
	static const char *const firsts[][2] = { { "3.0", "2.6.39" },
						 { "4.0", "3.19.0" },
						 { "5.0", "4.20.0" },
						 { "6.0", "5.19.0" },
						 { "7.0", "6.19.0" } };
	const char *minor = ktb_skip_digits(base) + 1;
	size_t i, end = (size_t)(ktb_skip_digits(minor) - base);

	for (i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		if (ktb_branch_compare(base, firsts[i][0]))
			continue;
		ktb_copy(dst, size, firsts[i][1], size);
		return 1;
	}
	if (end + 3 > size)
		return 0;
	if (dst != base)
		ktb_copy(dst, size, base, end);
	dst[end] = 0;
	/* Decimal minus one, in place. */
	while (end > (size_t)(minor - base) && dst[end - 1] == '0')
		dst[--end] = '9';
	if (end == (size_t)(minor - base))
		return 0;
	dst[end - 1]--;
	ktb_append(dst, size, ".0");
	return 1;
}

/* An -rc lies between two releases: it is as they are, where they agree. */
static inline struct ktb_answer ktb_check_rc(const struct ktb_hazard *h, const struct ktb_kernel *k,
					     enum ktb_evidence evidence)
{
	const char *rc = ktb_find(k->base, "~rc");
	struct ktb_mainline before, after;
	char name[48];

	ktb_copy(name, sizeof(name), k->base, (size_t)(rc - k->base));
	after = ktb_mainline_of(h, name);
	if (!ktb_branch_before(name, name, sizeof(name)))
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->base, "has no known predecessor",
			       NULL);
	before = ktb_mainline_of(h, name);
	if (before.gap || after.gap)
		return ktb_say_gap(k->base, before.gap ? before.gap : after.gap);
	if (!before.inside != !after.inside)
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->base,
			       "is between an affected and a clean release",
			       before.inside ? before.inside : after.inside);
	if (after.inside)
		return ktb_say(KTB_AFFECTED, evidence, k->base, "lies between affected releases",
			       after.inside);
	return ktb_say(KTB_CLEAN, evidence, k->base, "lies between clean releases", NULL);
}

/* What an exactly known upstream release says. */
static inline struct ktb_answer ktb_check_release(const struct ktb_hazard *h,
						  const struct ktb_kernel *k,
						  enum ktb_evidence evidence)
{
	struct ktb_mainline m;

	if (ktb_find(k->base, "~rc"))
		return ktb_check_rc(h, k, evidence);
	m = ktb_mainline_of(h, k->base);
	if (m.inside)
		return ktb_say(KTB_AFFECTED, evidence, k->base, "lies in an affected range",
			       m.inside);
	if (m.gap)
		return ktb_say_gap(k->base, m.gap);
	return ktb_say(KTB_CLEAN, evidence, k->base, "lies in no affected range of mainline", NULL);
}

/* What the upstream version says, as far as the vendor's trees follow it. */
static inline struct ktb_answer
ktb_check_base(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	struct ktb_mainline m = ktb_mainline_of(h, k->base);
	enum ktb_evidence evidence = KTB_EXTRAPOLATED;
	const struct ktb_range *r;
	int state;

	if (!m.listed)
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->base, "is in no survey", NULL);
	if (ktb_eq(k->vendor, "mainline") && ktb_branch_compare(k->base, t->surveyed) <= 0)
		evidence = KTB_DECLARED;
	if (k->trust == KTB_BASE_FROZEN) {
		if (m.past_all)
			return ktb_say(KTB_CLEAN, evidence, k->base,
				       "began after the fix was in mainline", NULL);
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->release,
			       "has backports that nobody looked up", NULL);
	}
	if (k->base_exact && k->trust == KTB_BASE_EXACT)
		return ktb_check_release(h, k, evidence);
	state = ktb_branch_state(h, "mainline", k->base, &r);
	if (state == 2)
		return ktb_say(KTB_AFFECTED, evidence, k->release,
			       "is of a branch that is affected throughout", r);
	if (state)
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->release,
			       "does not tell which release of its branch went in", r);
	return ktb_say(KTB_CLEAN, evidence, k->release, "is of a branch that was never affected",
		       NULL);
}

/* What the vendor's ranges say of a kernel whose build is not known: the branch decides. */
static inline struct ktb_answer ktb_check_branch(const struct ktb_table *t,
						 const struct ktb_hazard *h,
						 const struct ktb_kernel *k, const char *vendor)
{
	const struct ktb_range *r;
	int state = ktb_branch_state(h, vendor, k->base, &r);

	if (state == 2)
		return ktb_say(KTB_AFFECTED, KTB_DECLARED, k->release,
			       "is of a branch that is affected throughout", r);
	if (state == 1 && !(k->base_exact && k->trust == KTB_BASE_EXACT))
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->release,
			       "does not tell its build, and its branch is affected in part", r);
	return ktb_check_base(t, h, k);
}

/* Where a build stands among the ranges of its vendor. */
struct ktb_places {
	const struct ktb_range *inside, *unsure, *gap, *above, *below, *clean, *made_of, *all_clean;
};

static inline void ktb_place_affected(struct ktb_places *p, const struct ktb_kernel *k,
				      const struct ktb_range *r)
{
	switch (ktb_place_of(k->order, k->build, r)) {
	case KTB_INSIDE:
		p->inside = r;
		break;
	case KTB_UNSURE:
		p->unsure = r;
		break;
	case KTB_GAP:
		if (!ktb_eq(r->hi, "unknown") || !ktb_is_past_branch(k->base, r))
			p->gap = r;
		break;
	case KTB_ABOVE:
		if (!ktb_is_eol(r->hi) && !ktb_branch_compare(k->base, r->hi))
			p->above = r;
		break;
	case KTB_BELOW:
		if (!ktb_branch_compare(k->base, r->lo))
			p->below = r;
		break;
	}
}

static inline struct ktb_places ktb_places_of(const struct ktb_hazard *h,
					      const struct ktb_kernel *k)
{
	struct ktb_places p = { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	enum ktb_place place;
	size_t i;

	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];

		if (!ktb_eq(r->vendor, k->vendor))
			continue;
		switch (r->kind) {
		case KTB_RANGE_AFFECTED:
			ktb_place_affected(&p, k, r);
			break;
		case KTB_RANGE_UNKNOWN:
			place = ktb_place_of(k->order, k->build, r);
			if (place == KTB_INSIDE || place == KTB_UNSURE ||
			    (place == KTB_GAP && !ktb_is_past_branch(k->base, r)))
				p.unsure = r;
			break;
		case KTB_RANGE_CLEAN:
			if (ktb_place_of(k->order, k->build, r) == KTB_INSIDE)
				p.clean = r;
			break;
		case KTB_BUILD_CLEAN:
			if (!ktb_compare(k->order, k->build, r->lo) ||
			    (ktb_extends(k->build, r->lo) &&
			     ktb_starts(k->build + ktb_len(r->lo), ".el")))
				p.clean = r;
			else if (ktb_extends(k->build, r->lo))
				p.made_of = r;
			break;
		case KTB_ALL_CLEAN:
			p.all_clean = r;
			break;
		}
	}
	return p;
}

static inline struct ktb_answer
ktb_check_build(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	struct ktb_places p = ktb_places_of(h, k);
	struct ktb_answer base;

	if (p.inside)
		return ktb_say(KTB_AFFECTED, KTB_DECLARED, k->build, "lies in an affected range",
			       p.inside);
	if (p.clean)
		return ktb_say(KTB_CLEAN, KTB_DECLARED, k->build, "was found clean", p.clean);
	if (p.made_of)
		return ktb_say(KTB_CLEAN, KTB_EXTRAPOLATED, k->build,
			       "was made of a build that was found clean", p.made_of);
	if (p.unsure)
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->build, "cannot be told from",
			       p.unsure);
	if (p.gap && (k->trust != KTB_BASE_EXACT || ktb_eq(p.gap->hi, "unknown")))
		return ktb_say_gap(k->build, p.gap);
	if (p.above)
		return ktb_say(KTB_CLEAN, KTB_DECLARED, k->build, "has the fix", p.above);
	if (p.all_clean)
		return ktb_say(KTB_CLEAN, KTB_EXTRAPOLATED, k->build,
			       "is of a vendor whose known builds are clean", p.all_clean);
	base = ktb_check_base(t, h, k);
	if (p.below && base.value != KTB_AFFECTED)
		return ktb_say(KTB_CLEAN, KTB_DECLARED, k->build, "is older than the cause",
			       p.below);
	return base;
}

/* The answer of one hazard, from declarations alone. */
static inline struct ktb_answer
ktb_check_hazard(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	struct ktb_answer a;

	if (!k->vendor[0])
		a = ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, "the kernel's release",
			    "holds no version", NULL);
	else if (ktb_eq(k->vendor, "ubuntu-derived"))
		a = ktb_check_branch(t, h, k, "ubuntu");
	else if (ktb_eq(k->vendor, "mainline") || ktb_eq(k->vendor, "other"))
		a = ktb_check_base(t, h, k);
	else if (!k->build[0])
		a = ktb_check_branch(t, h, k, k->vendor);
	else
		a = ktb_check_build(t, h, k);
	a.hazard = h->id;
	a.summary = h->summary;
	a.workaround = h->workaround;
	a.needs = h->needs;
	a.fix = h->fix;
	return a;
}

/* Was exactly this build measured? */
static inline int ktb_measured_is(const struct ktb_measured *m, const struct ktb_kernel *k,
				  const char *op)
{
	if (!ktb_eq(m->op, op) || !ktb_eq(m->release, k->release))
		return 0;
	if (m->version[0] && ktb_eq(m->version, k->version))
		return 1;
	return m->build[0] && ktb_eq(m->build, k->build);
}

/* Let what was measured on this very build decide. */
static inline void ktb_apply_measured(const struct ktb_table *t, const struct ktb_kernel *k,
				      const char *op, struct ktb_answer *a)
{
	const struct ktb_measured *best = NULL;
	enum ktb_value declared = a->value;
	size_t i;

	for (i = 0; i < t->n_measured; i++) {
		const struct ktb_measured *m = &t->measured[i];

		if (!ktb_measured_is(m, k, op))
			continue;
		if (best && best->value != m->value)
			a->contradicted = 1;
		if (!best || m->value > best->value ||
		    (m->value == best->value && m->calibrated > best->calibrated))
			best = m;
	}
	if (!best)
		return;
	if (declared != KTB_UNKNOWN && declared != best->value)
		a->contradicted = 1;
	a->reason[0] = 0;
	a->evidence = KTB_MEASURED;
	if (best->value == KTB_CLEAN && !best->calibrated && declared == KTB_AFFECTED) {
		a->value = KTB_UNKNOWN;
		ktb_reason(a, "declared affected, yet ");
	} else {
		a->value = best->value;
	}
	ktb_reason(a, "measured on this build: ");
	ktb_reason(a, best->detail);
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

/* The answer for an operation: the worst of its hazards; among equals the best founded "affected",
 * the weakest "clean". */
static inline struct ktb_answer ktb_table_check(const struct ktb_table *t,
						const struct ktb_kernel *k, const char *op)
{
	struct ktb_answer worst = ktb_blank();
	int any = 0;
	size_t i;

	for (i = 0; i < t->n_hazards; i++) {
		struct ktb_answer a;

		if (!ktb_eq(t->hazards[i].op, op))
			continue;
		a = ktb_check_hazard(t, &t->hazards[i], k);
		if (!any || a.value > worst.value ||
		    (a.value == worst.value &&
		     (a.value == KTB_AFFECTED ? a.evidence > worst.evidence
					      : a.evidence < worst.evidence)))
			worst = a;
		any = 1;
	}
	if (!any)
		ktb_reason(&worst, "no hazard of this operation is known here");
	ktb_apply_measured(t, k, op, &worst);
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
