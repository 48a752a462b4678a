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

static inline enum ktb_place ktb_place_of(enum ktb_order order, const char *v,
					  const struct ktb_range *r)
{
	const char *last = r->last ? r->last : r->lo;
	int open = ktb_eq(r->hi, "unknown");

	/* Most ranges are of older branches: that is soon told. */
	if (!open && ktb_branch_compare(v, r->hi) > 0)
		return KTB_ABOVE;
	if (ktb_compare(order, v, r->lo) < 0)
		return ktb_extends(r->lo, v) ? KTB_UNSURE : KTB_BELOW;
	if (open || r->last) {
		if (ktb_compare(order, v, last) <= 0 || ktb_extends(v, last))
			return KTB_INSIDE;
		if (open)
			return KTB_GAP;
	}
	if (!ktb_is_eol(r->hi)) {
		if (ktb_extends(r->hi, v))
			return KTB_UNSURE;
		if (ktb_compare(order, v, r->hi) >= 0)
			return KTB_ABOVE;
	}
	return r->last ? KTB_GAP : KTB_INSIDE;
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
	const char *a_end = ktb_behind_build(a), *b_end = ktb_behind_build(b);
	size_t n;

	if (trust != KTB_BASE_FROZEN)
		return !ktb_branch_compare(a, b);
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
static inline int ktb_branch_share(const char *base, const struct ktb_range *r)
{
	int open = ktb_eq(r->hi, "unknown");
	int from = ktb_branch_compare(base, r->lo);

	if (from < 0)
		return 0;
	if (!open) {
		int to = ktb_branch_compare(base, r->hi), eol = ktb_is_eol(r->hi);

		if (to > 0 || (!to && !eol && ktb_is_branch_start(r->hi)))
			return 0;
		if (!to && !eol)
			return 1;
	}
	if (open && ktb_is_past_branch(base, r))
		return 0;
	if ((open || r->last) && ktb_branch_compare(base, r->last ? r->last : r->lo) >= 0)
		return 1;
	return from > 0 || ktb_is_branch_start(r->lo) ? 2 : 1;
}

#endif
#endif
