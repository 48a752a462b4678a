/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --amplify auto, after its profile: which instructions are worth delaying, how long, and where the
 * delays of the next moment go. Pure: the caller brings counters and the time.
 *
 * Arms are sites. What a delay is paid by is that another vCPU meets it: it touches the granule that
 * the delayed vCPU has just touched, and one of the two stores (struct amp_site.conflicts). Each
 * moment (TUNER_MOMENT_US) a few arms are drawn by Thompson sampling over Beta posteriors with
 * forgetting; their length is drawn likewise from TUNER_LENGTHS. Rare pairs come first
 * (Snowboard, SOSP 2021): a lock word that everybody polls meets somebody always and finds nothing.
 */
#ifndef KLAB_AMPLIFY_TUNER_H
#define KLAB_AMPLIFY_TUNER_H

#include "amplify/page.h"

#include <glib.h>
#include <stdbool.h>

#define TUNER_SITES_MAX 192	/* that a profile may add to the probe's own */
#define TUNER_MOMENT_US 250000

/* Choose at most `max` of the candidates, best first, as sites of group 1, at = AMP_ACCESS; every is
 * a guess by the profile's rates, for the first tuner_step(). Returns how many. Nothing is believed
 * of `c` but its bounds. */
unsigned tuner_sites(const struct amp_candidate *c, unsigned n, struct amp_site *ret, unsigned max);

struct tuner;
typedef struct tuner tuner;
void tuner_free(struct tuner *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tuner, tuner_free)

/* Over n learned sites (those of tuner_sites()). */
struct tuner *tuner_new(unsigned n, uint64_t seed);
/*
 * A moment has passed: take in what each site's counters are now (delays, conflicts; cumulated, from
 * 0 again at times), and set every, us_lo and us_hi of all n for the next one; every is 0 for most.
 * A moment in which nothing was delayed at all teaches nothing. The first call begins.
 */
void tuner_step(struct tuner *t, struct amp_site *sites);
/* What it has learned, as a plan's rates: each site's every, us_lo, us_hi as they would be if frozen
 * now, best first by *ret_order (n entries). First come those that were delayed just before the
 * guest stood still or the end came, then others that ever met somebody; the rest get every 0. */
void tuner_freeze(const struct tuner *t, struct amp_site *sites, unsigned *ret_order);

#endif
