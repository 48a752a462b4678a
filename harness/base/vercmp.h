/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Version order of Debian packages and of RPM packages, in full width: a run of digits is compared
 * as a number of any length, so that no sublevel, build number or epoch overflows.
 *
 * Freestanding C99 and C++11, no allocation, no library calls. This file stands by itself: the
 * generated tracing_blacklist.h carries it verbatim.
 *
 * Sources: Debian Policy 5.6.12 and dpkg's lib/dpkg/version.c; rpm's rpmio/rpmvercmp.c (4.15 and
 * later, with '~' and '^').
 */
#ifndef KLAB_VERCMP_H
#define KLAB_VERCMP_H
#ifndef __ASSEMBLER__

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h> /* the compiler's own: <stdint.h> may want a C library, which BPF has none of */
#endif

/* A piece of a string: [at, end). Reading past its end gives 0. */
struct vercmp_piece {
	const char *at;
	const char *end;
};

static inline struct vercmp_piece vercmp_whole(const char *text)
{
	struct vercmp_piece p;

	p.at = text;
	p.end = text;
	while (*p.end)
		p.end++;
	return p;
}

static inline int vercmp_peek(const struct vercmp_piece *p)
{
	return p->at < p->end ? (unsigned char)*p->at : 0;
}

static inline int vercmp_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline int vercmp_is_alpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline const char *vercmp_skip_digits(const char *text)
{
	while (vercmp_is_digit((unsigned char)*text))
		text++;
	return text;
}

/* Compare the runs of digits at the head of both and step over them; no digits count as 0. */
static inline int vercmp_digits(struct vercmp_piece *a, struct vercmp_piece *b)
{
	int diff = 0;

	while (vercmp_peek(a) == '0')
		a->at++;
	while (vercmp_peek(b) == '0')
		b->at++;
	while (vercmp_is_digit(vercmp_peek(a)) && vercmp_is_digit(vercmp_peek(b))) {
		if (!diff)
			diff = vercmp_peek(a) - vercmp_peek(b);
		a->at++;
		b->at++;
	}
	if (vercmp_is_digit(vercmp_peek(a)))
		return 1;
	if (vercmp_is_digit(vercmp_peek(b)))
		return -1;
	return diff < 0 ? -1 : diff > 0;
}

/* The same for terminated strings. */
static inline int vercmp_run(const char **a, const char **b)
{
	int diff = 0;

	while (**a == '0')
		++*a;
	while (**b == '0')
		++*b;
	while (vercmp_is_digit((unsigned char)**a) && vercmp_is_digit((unsigned char)**b)) {
		if (!diff)
			diff = **a - **b;
		++*a;
		++*b;
	}
	if (vercmp_is_digit((unsigned char)**a))
		diff = 1;
	else if (vercmp_is_digit((unsigned char)**b))
		diff = -1;
	*a = vercmp_skip_digits(*a);
	*b = vercmp_skip_digits(*b);
	return diff < 0 ? -1 : diff > 0;
}

/* dpkg: '~' before the end, the end before letters, letters before everything else. */
static inline int vercmp_dpkg_weight(int c)
{
	if (c == '~')
		return -1;
	if (!c || vercmp_is_digit(c))
		return 0;
	return vercmp_is_alpha(c) ? c : c + 256;
}

static inline int vercmp_dpkg_piece(struct vercmp_piece a, struct vercmp_piece b)
{
	while (a.at < a.end || b.at < b.end) {
		int diff;

		while ((a.at < a.end && !vercmp_is_digit(vercmp_peek(&a))) ||
		       (b.at < b.end && !vercmp_is_digit(vercmp_peek(&b)))) {
			diff = vercmp_dpkg_weight(vercmp_peek(&a)) -
			       vercmp_dpkg_weight(vercmp_peek(&b));
			if (diff)
				return diff < 0 ? -1 : 1;
			a.at++;
			b.at++;
		}
		diff = vercmp_digits(&a, &b);
		if (diff)
			return diff;
	}
	return 0;
}

/* Take "EPOCH:" off the head; without one the epoch is empty, which compares as 0. */
static inline struct vercmp_piece vercmp_take_epoch(struct vercmp_piece *whole)
{
	struct vercmp_piece epoch = *whole;

	for (epoch.end = whole->at; epoch.end < whole->end; epoch.end++) {
		if (*epoch.end == ':') {
			whole->at = epoch.end + 1;
			return epoch;
		}
		if (!vercmp_is_digit((unsigned char)*epoch.end))
			break;
	}
	epoch.end = epoch.at;
	return epoch;
}

/* Take "-REVISION" (after the last hyphen) off the tail; without one it is empty. */
static inline struct vercmp_piece vercmp_take_revision(struct vercmp_piece *whole)
{
	struct vercmp_piece revision = *whole;

	for (revision.at = whole->end; revision.at > whole->at; revision.at--) {
		if (revision.at[-1] == '-') {
			whole->end = revision.at - 1;
			return revision;
		}
	}
	revision.at = whole->end;
	return revision;
}

/* The rpm order of two versions or releases; epochs and hyphens are the caller's business. */
static inline int vercmp_rpm_piece(struct vercmp_piece a, struct vercmp_piece b)
{
	for (;;) {
		int ca, cb, diff;

		while ((ca = vercmp_peek(&a)) && !vercmp_is_digit(ca) && !vercmp_is_alpha(ca) &&
		       ca != '~' && ca != '^')
			a.at++;
		while ((cb = vercmp_peek(&b)) && !vercmp_is_digit(cb) && !vercmp_is_alpha(cb) &&
		       cb != '~' && cb != '^')
			b.at++;
		if (ca == '~' || cb == '~') {
			if (ca != '~')
				return 1;
			if (cb != '~')
				return -1;
			a.at++;
			b.at++;
			continue;
		}
		if (ca == '^' || cb == '^') {
			if (!ca)
				return -1;
			if (!cb)
				return 1;
			if (ca != '^')
				return 1;
			if (cb != '^')
				return -1;
			a.at++;
			b.at++;
			continue;
		}
		if (!ca || !cb)
			return ca ? 1 : cb ? -1 : 0;
		/* A number is newer than letters. */
		if (vercmp_is_digit(ca) != vercmp_is_digit(cb))
			return vercmp_is_digit(ca) ? 1 : -1;
		if (vercmp_is_digit(ca)) {
			diff = vercmp_digits(&a, &b);
			if (diff)
				return diff;
			continue;
		}
		while (vercmp_is_alpha(ca = vercmp_peek(&a)) &
		       vercmp_is_alpha(cb = vercmp_peek(&b))) {
			if (ca != cb)
				return ca < cb ? -1 : 1;
			a.at++;
			b.at++;
		}
		if (vercmp_is_alpha(ca) != vercmp_is_alpha(cb))
			return vercmp_is_alpha(ca) ? 1 : -1;
	}
}

static inline int vercmp_has_hyphen(const char *text)
{
	while (*text && *text != '-')
		text++;
	return *text != 0;
}

/*
 * The first difference decides if it lies in a number that both have: all before it is the same,
 * and both orders come to it at once. That tells most kernels apart without looking for epochs and
 * revisions. Returns whether *ret_diff is told.
 */
static inline int vercmp_at_once(const char *a, const char *b, int *ret_diff)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	*ret_diff = 0;
	if (a[i] == b[i])
		return 1;
	while (i > 0 && vercmp_is_digit((unsigned char)a[i - 1]))
		i--;
	a += i;
	b += i;
	if (!vercmp_is_digit((unsigned char)*a) || !vercmp_is_digit((unsigned char)*b))
		return 0;
	*ret_diff = vercmp_run(&a, &b);
	/* One may be an epoch, or lie before the last hyphen, and the other not. */
	return *ret_diff && (i > 0 || (*a != ':' && *b != ':')) &&
	       vercmp_has_hyphen(a) == vercmp_has_hyphen(b);
}

/* Both: [EPOCH:]VERSION[-REVISION], e.g. "6.1.27-1"; negative, 0 or positive as a is older, equal
 * or newer. */
static inline int vercmp_dpkg(const char *a_text, const char *b_text)
{
	struct vercmp_piece a, b, ra, rb;
	int diff;

	if (vercmp_at_once(a_text, b_text, &diff))
		return diff;
	a = vercmp_whole(a_text);
	b = vercmp_whole(b_text);
	diff = vercmp_dpkg_piece(vercmp_take_epoch(&a), vercmp_take_epoch(&b));
	if (diff)
		return diff;
	ra = vercmp_take_revision(&a);
	rb = vercmp_take_revision(&b);
	diff = vercmp_dpkg_piece(a, b);
	return diff ? diff : vercmp_dpkg_piece(ra, rb);
}

/* Both: [EPOCH:]VERSION[-RELEASE], e.g. "5.14.0-293.el9". */
static inline int vercmp_rpm(const char *a_text, const char *b_text)
{
	struct vercmp_piece a, b, ea, eb, ra, rb;
	int diff;

	if (vercmp_at_once(a_text, b_text, &diff))
		return diff;
	a = vercmp_whole(a_text);
	b = vercmp_whole(b_text);
	ea = vercmp_take_epoch(&a);
	eb = vercmp_take_epoch(&b);
	diff = vercmp_digits(&ea, &eb);
	if (diff)
		return diff;
	ra = vercmp_take_revision(&a);
	rb = vercmp_take_revision(&b);
	diff = vercmp_rpm_piece(a, b);
	if (diff)
		return diff;
	/* Any release is newer than none, even an empty one and "~1". */
	diff = (a.end < ra.end) - (b.end < rb.end);
	return diff ? diff : vercmp_rpm_piece(ra, rb);
}

#endif
#endif
