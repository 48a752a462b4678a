/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Ranges of builds, and where a build stands among them. Each range is for one vendor's builds (in
 * that vendor's version order) or for mainline and stable releases ("mainline"). A range of
 * affected builds runs from `lo` to `hi`: hi = a version   half-open: `hi` is the first build that
 * is not affected hi = "X.Y-eol"   up to and with the last release of branch X.Y (older branches
 * included) hi = "unknown"   nobody knows where it ends: only `lo` .. `last` (both included) are
 * affected, what comes later is unknown; without `last`, only `lo` is known to be affected. A
 * vendor's range ends with the branch X.Y of `last` all the same: the vendor's next kernel is
 * another tree `last` before a known `hi` leaves a gap in which nothing was seen. `lo` and `last`
 * also match builds that only add components ("5.4.0-216" includes 5.4.0-216.236).
 *
 * Freestanding C99 and C++11, no allocation.
 */
#ifndef KTB_RANGE_H
#define KTB_RANGE_H
#ifndef __ASSEMBLER__

#ifndef KTB_IDENTIFY_H
#include "base/ktb_identify.h"
#endif

enum ktb_kind {
	KTB_RANGE_AFFECTED, /* lo, hi, perhaps last: see above */
	KTB_RANGE_CLEAN,    /* half-open lo .. hi */
	KTB_RANGE_UNKNOWN,  /* lo .. hi, or lo and all that follow (hi "unknown") */
	KTB_BUILD_CLEAN,    /* lo alone: that build, and by extrapolation what was made of it */
	KTB_ALL_CLEAN       /* every build of the vendor that is known */
};

struct ktb_range {
	const char *vendor;
	enum ktb_kind kind;
	const char *lo, *last, *hi; /* NULL where the kind has none; `last` is optional */
	unsigned long hi_branch;    /* as ktb_point_of() has it, or 0: to be found out */
};

static inline int ktb_compare(enum ktb_order order, const char *a, const char *b)
{
	return order == KTB_ORDER_RPM ? vercmp_rpm(a, b) : vercmp_dpkg(a, b);
}

/* Compare X.Y of two versions, whatever follows. */
static inline int ktb_branch_compare(const char *a_text, const char *b_text)
{
	int diff = vercmp_run(&a_text, &b_text);

	if (diff)
		return diff;
	a_text += *a_text == '.';
	b_text += *b_text == '.';
	return vercmp_run(&a_text, &b_text);
}

/*
 * A version, and its X.Y as one number: most compares are of builds of different branches, and are
 * done with it. 0: no digits where they are wanted, or too many of them, as in "unknown"; the texts
 * have to be compared then.
 */
struct ktb_point {
	const char *text;
	unsigned long branch;
};

static inline struct ktb_point ktb_point_of(const char *text)
{
	struct ktb_point p;
	unsigned long major = 0, minor = 0;

	p.text = text;
	p.branch = 0;
	while (vercmp_is_digit((unsigned char)*text) && major < 1000)
		major = major * 10 + (unsigned long)(*text++ - '0');
	/* A major of 0, or without digits, is no kernel's. */
	if (!major || *text++ != '.' || !vercmp_is_digit((unsigned char)*text))
		return p;
	while (vercmp_is_digit((unsigned char)*text) && minor < 1000)
		minor = minor * 10 + (unsigned long)(*text++ - '0');
	if (!vercmp_is_digit((unsigned char)*text))
		p.branch = major * 10000 + minor;
	return p;
}

static inline struct ktb_point ktb_end_of(const struct ktb_range *r)
{
	struct ktb_point p;

	if (!r->hi_branch)
		return ktb_point_of(r->hi);
	p.text = r->hi;
	p.branch = r->hi_branch;
	return p;
}

/* As ktb_branch_compare(). */
static inline int ktb_point_compare_branch(struct ktb_point a, struct ktb_point b)
{
	if (!a.branch || !b.branch)
		return ktb_branch_compare(a.text, b.text);
	return a.branch < b.branch ? -1 : a.branch > b.branch;
}

/* As ktb_compare(): both orders begin with X and Y, and full texts decide between equals. */
static inline int ktb_point_compare(enum ktb_order order, struct ktb_point a, struct ktb_point b)
{
	if (!a.branch || !b.branch || a.branch == b.branch)
		return ktb_compare(order, a.text, b.text);
	return a.branch < b.branch ? -1 : 1;
}

static inline int ktb_is_eol(const char *hi)
{
	size_t n = ktb_len(hi);

	return n > 4 && ktb_eq(hi + n - 4, "-eol");
}

/* Is `text` the version `prefix` plus further components? */
static inline int ktb_extends(const char *text, const char *prefix)
{
	while (*prefix && *text == *prefix) {
		text++;
		prefix++;
	}
	return !*prefix && (*text == '.' || *text == '_');
}

enum ktb_place {
	KTB_BELOW,
	KTB_INSIDE,
	KTB_GAP, /* behind the last that was seen, before the end that is known, if any */
	KTB_ABOVE,
	KTB_UNSURE /* the version is too short to tell */
};

static inline enum ktb_place ktb_place_at(enum ktb_order order, struct ktb_point v,
					  const struct ktb_range *r)
{
	const char *last = r->last ? r->last : r->lo;
	struct ktb_point hi = ktb_end_of(r);
	int open = !hi.branch && ktb_eq(r->hi, "unknown"), from;

	/* Most ranges are of older branches: that is soon told. */
	if (!open && ktb_point_compare_branch(v, hi) > 0)
		return KTB_ABOVE;
	from = ktb_point_compare(order, v, ktb_point_of(r->lo));
	if (from < 0)
		return ktb_extends(r->lo, v.text) ? KTB_UNSURE : KTB_BELOW;
	if (open || r->last) {
		if ((r->last ? ktb_point_compare(order, v, ktb_point_of(last)) : from) <= 0 ||
		    ktb_extends(v.text, last))
			return KTB_INSIDE;
		if (open)
			return KTB_GAP;
	}
	if (!ktb_is_eol(r->hi)) {
		if (ktb_extends(r->hi, v.text))
			return KTB_UNSURE;
		if (ktb_point_compare(order, v, hi) >= 0)
			return KTB_ABOVE;
	}
	return r->last ? KTB_GAP : KTB_INSIDE;
}

static inline enum ktb_place ktb_place_of(enum ktb_order order, const char *v,
					  const struct ktb_range *r)
{
	return ktb_place_at(order, ktb_point_of(v), r);
}

/* Does `v` name the first release of its branch: X.Y, X.Y.0? */
static inline int ktb_is_branch_start(const char *v)
{
	const char *at = ktb_skip_digits(v);

	if (*at == '.')
		at = ktb_skip_digits(at + 1);
	return !*at || ktb_eq(at, ".0");
}

/* Is `base` of a later branch than the last build that a vendor's range knows? */
static inline int ktb_is_past_branch(const char *base, const struct ktb_range *r)
{
	return !ktb_eq(r->vendor, "mainline") &&
	       ktb_branch_compare(base, r->last ? r->last : r->lo) > 0;
}

/* "5.14.0-427.13.1.el9_4" -> ".13.1.el9_4" */
static inline const char *ktb_behind_build(const char *build)
{
	const char *at = ktb_find(build, "-");

	while (at && *at && *at != '.')
		at++;
	return at ? at : "";
}

/*
 * Are these two builds of one vendor of one line of development, so that what holds for both may
 * hold between them? Builds of a frozen branch are if they are made of the same one
 * (5.14.0-427.13.1 and 5.14.0-427.40.1), or both lie on the line that others are made of
 * (5.14.0-293.el9 and -308.el9); of others X.Y must be the same.
 */
static inline int ktb_same_series(enum ktb_trust trust, const char *a, const char *b)
{
	const char *a_end, *b_end;
	size_t n;

	if (trust != KTB_BASE_FROZEN)
		return !ktb_branch_compare(a, b);
	a_end = ktb_behind_build(a);
	b_end = ktb_behind_build(b);
	if (!*a_end || !*b_end)
		return 0;
	if (ktb_starts(a_end, ".el") && ktb_starts(b_end, ".el"))
		return 1;
	n = (size_t)(a_end - a);
	if (n != (size_t)(b_end - b))
		return 0;
	while (n > 0 && a[n - 1] == b[n - 1])
		n--;
	return !n;
}

/* How much of the branch of `base` is in one range: 0 nothing, 1 some or not known, 2 all. */
static inline int ktb_branch_share(struct ktb_point base, const struct ktb_range *r)
{
	int from = ktb_point_compare_branch(base, ktb_point_of(r->lo));
	int open;

	if (from < 0)
		return 0;
	open = ktb_eq(r->hi, "unknown");
	if (!open) {
		int to = ktb_point_compare_branch(base, ktb_end_of(r));

		if (to > 0)
			return 0;
		if (!to && !ktb_is_eol(r->hi))
			return !ktb_is_branch_start(r->hi);
	}
	if (open && ktb_is_past_branch(base.text, r))
		return 0;
	if ((open || r->last) && ktb_branch_compare(base.text, r->last ? r->last : r->lo) >= 0)
		return 1;
	return from > 0 || ktb_is_branch_start(r->lo) ? 2 : 1;
}

#endif
#endif
