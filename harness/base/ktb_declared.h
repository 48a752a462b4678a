/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The tables that kernels are looked up in, and what the ranges of a hazard (ktb_range.h) say of a
 * kernel (ktb_identify.h).
 *
 * What the ranges do not say follows from the upstream version of the build, as far as the vendor's
 * way of working allows (enum ktb_trust), and is marked "extrapolated".
 *
 * Freestanding C99 and C++11, no allocation.
 */
#ifndef KTB_DECLARED_H
#define KTB_DECLARED_H
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
	const char *hazard;   /* id of the one that the failure looks like, or NULL */
	const char *detail;
};

/* Two builds of one series, measured alike, with no measurement and no change that was declared
 * between them. */
struct ktb_span {
	const char *op, *vendor;
	enum ktb_value value; /* never KTB_UNKNOWN */
	const char *lo, *hi;  /* both included, as ktb_position() has them */
	int calibrated;       /* both are */
	const char *hazard;   /* the one that both failures look like, or NULL */
};

struct ktb_table {
	const char *digest;   /* sha256 over the evidence */
	const char *surveyed; /* newest mainline branch that the hazards were compared with */
	/* Both sorted by op, measurements of one op by release, in the order of their bytes. */
	const struct ktb_hazard *hazards;
	size_t n_hazards;
	const struct ktb_measured *measured;
	size_t n_measured;
	const struct ktb_span *spans; /* by op, vendor, then lo in the vendor's order */
	size_t n_spans;
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

/* What a hazard's ranges say, not yet in words. Borrows from the table and the kernel. */
struct ktb_finding {
	enum ktb_value value;
	enum ktb_evidence evidence;
	const char *subject, *phrase;
	const struct ktb_range *range; /* that decided, or NULL */
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

static inline int ktb_text_compare(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	return (unsigned char)a[i] - (unsigned char)b[i];
}

/* The same text is mostly the same string in a table: *known is the last one that was `text`, or
 * NULL. */
static inline int ktb_known_compare(const char *at, const char *text, const char **known)
{
	int diff = at == *known ? 0 : ktb_text_compare(at, text);

	if (!diff)
		*known = at;
	return diff;
}

/* Join the ranges of `vendor` for the branch of `base`: 0, 1 or 2 as above; *ret_range decided. */
static inline int ktb_branch_state(const struct ktb_hazard *h, const char *vendor, const char *base,
				   const struct ktb_range **ret_range)
{
	const struct ktb_point point = ktb_point_of(base);
	const char *known = NULL;
	int state = 0;
	size_t i;

	*ret_range = NULL;
	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];
		int share;

		if ((r->kind != KTB_RANGE_AFFECTED && r->kind != KTB_RANGE_UNKNOWN) ||
		    ktb_known_compare(r->vendor, vendor, &known))
			continue;
		share = ktb_branch_share(point, r);
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

/* Copy `text` to `at`, up to `end`; returns where it ended. */
static inline char *ktb_put(char *at, const char *end, const char *text)
{
	size_t room = (size_t)(end - at);

	return at + ktb_copy(at, room, text, room);
}

/* "SUBJECT PHRASE [VENDOR LO..HI]" */
static inline void ktb_tell(struct ktb_answer *a, const char *subject, const char *phrase,
			    const struct ktb_range *r)
{
	const char *bounds[3], *end = a->reason + sizeof(a->reason);
	char *at = a->reason + ktb_len(a->reason);
	size_t i;

	at = ktb_put(at, end, subject);
	at = ktb_put(at, end, " ");
	at = ktb_put(at, end, phrase);
	if (!r)
		return;
	at = ktb_put(at, end, " [");
	at = ktb_put(at, end, r->vendor);
	bounds[0] = r->lo;
	bounds[1] = r->last;
	bounds[2] = r->hi;
	for (i = 0; i < 3; i++) {
		if (!bounds[i])
			continue;
		at = ktb_put(at, end, i ? ".." : " ");
		at = ktb_put(at, end, bounds[i]);
	}
	ktb_put(at, end, "]");
}

static inline struct ktb_finding ktb_say(enum ktb_value value, enum ktb_evidence evidence,
					 const char *subject, const char *phrase,
					 const struct ktb_range *r)
{
	struct ktb_finding f;

	f.value = value;
	f.evidence = evidence;
	f.subject = subject;
	f.phrase = phrase;
	f.range = r;
	return f;
}

static inline int ktb_is_mainline(const struct ktb_range *r, const char **known)
{
	return r->kind == KTB_RANGE_AFFECTED && !ktb_known_compare(r->vendor, "mainline", known);
}

/* Is anything declared of mainline at all? */
static inline int ktb_is_surveyed(const struct ktb_hazard *h)
{
	const char *known = NULL;
	size_t i;

	for (i = 0; i < h->n_ranges; i++)
		if (ktb_is_mainline(&h->ranges[i], &known))
			return 1;
	return 0;
}

/* Is this upstream release newer than all that is declared of mainline? */
static inline int ktb_is_past_all(const struct ktb_hazard *h, const char *base)
{
	const struct ktb_point point = ktb_point_of(base);
	const char *known = NULL;
	size_t i;

	for (i = 0; i < h->n_ranges; i++)
		if (ktb_is_mainline(&h->ranges[i], &known) &&
		    ktb_place_at(KTB_ORDER_DPKG, point, &h->ranges[i]) != KTB_ABOVE)
			return 0;
	return 1;
}

/* Where an upstream release (no -rc) stands among the mainline ranges. */
struct ktb_mainline {
	const struct ktb_range *inside, *gap;
};

static inline struct ktb_mainline ktb_mainline_of(const struct ktb_hazard *h, const char *base)
{
	const struct ktb_point point = ktb_point_of(base);
	struct ktb_mainline m = { NULL, NULL };
	const char *known = NULL;
	size_t i;

	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];
		enum ktb_place place;

		if (!ktb_is_mainline(r, &known))
			continue;
		place = ktb_place_at(KTB_ORDER_DPKG, point, r);
		if (place == KTB_INSIDE)
			m.inside = r;
		else if (place == KTB_GAP)
			m.gap = r;
	}
	return m;
}

static inline struct ktb_finding ktb_say_gap(const char *subject, const struct ktb_range *r)
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
static inline struct ktb_finding
ktb_check_rc(const struct ktb_hazard *h, const struct ktb_kernel *k, enum ktb_evidence evidence)
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
static inline struct ktb_finding ktb_check_release(const struct ktb_hazard *h,
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
static inline struct ktb_finding
ktb_check_base(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	enum ktb_evidence evidence = KTB_EXTRAPOLATED;
	const struct ktb_range *r;
	int state;

	if (ktb_eq(k->vendor, "mainline") && ktb_branch_compare(k->base, t->surveyed) <= 0)
		evidence = KTB_DECLARED;
	if (!ktb_is_surveyed(h))
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, k->base, "is in no survey", NULL);
	if (k->trust == KTB_BASE_FROZEN) {
		if (ktb_is_past_all(h, k->base))
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
static inline struct ktb_finding ktb_check_branch(const struct ktb_table *t,
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
	const char *known = NULL;
	enum ktb_place place;
	size_t i;

	for (i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];

		if (ktb_known_compare(r->vendor, k->vendor, &known))
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

static inline struct ktb_finding
ktb_check_build(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	struct ktb_places p = ktb_places_of(h, k);
	struct ktb_finding base;

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

/* What one hazard's declarations say. */
static inline struct ktb_finding
ktb_find_hazard(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	if (!k->vendor[0])
		return ktb_say(KTB_UNKNOWN, KTB_NO_EVIDENCE, "the kernel's release",
			       "holds no version", NULL);
	if (ktb_eq(k->vendor, "ubuntu-derived"))
		return ktb_check_branch(t, h, k, "ubuntu");
	if (ktb_eq(k->vendor, "mainline") || ktb_eq(k->vendor, "other"))
		return ktb_check_base(t, h, k);
	if (!k->build[0])
		return ktb_check_branch(t, h, k, k->vendor);
	return ktb_check_build(t, h, k);
}

static inline void ktb_about(struct ktb_answer *a, const struct ktb_hazard *h)
{
	a->hazard = h->id;
	a->summary = h->summary;
	a->workaround = h->workaround;
	a->needs = h->needs;
	a->fix = h->fix;
}

/* A finding, not yet in words: that is done once for an operation, as copying texts is most of what
 * a look-up costs. `h` may be NULL. */
static inline struct ktb_answer ktb_answer_of(const struct ktb_hazard *h,
					      const struct ktb_finding *f)
{
	struct ktb_answer a = ktb_blank();

	a.value = f->value;
	a.evidence = f->evidence;
	if (h)
		ktb_about(&a, h);
	return a;
}

/* The answer of one hazard, from declarations alone. */
static inline struct ktb_answer
ktb_check_hazard(const struct ktb_table *t, const struct ktb_hazard *h, const struct ktb_kernel *k)
{
	struct ktb_finding f = ktb_find_hazard(t, h, k);
	struct ktb_answer a = ktb_answer_of(h, &f);

	ktb_tell(&a, f.subject, f.phrase, f.range);
	return a;
}

#endif
#endif
