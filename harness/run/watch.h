/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the guest of a session alive, and if not, what are its vCPUs doing? Reads the status page, feeds
 * the judge's liveness and hang rules, and writes the autopsy into the journal.
 */
#ifndef KLAB_RUN_WATCH_H
#define KLAB_RUN_WATCH_H

#include "guest/guest.h"
#include "judge/hang.h"
#include "judge/liveness.h"
#include "parse/symbols.h"
#include "store/journal.h"

#define WATCH_POLL_US 100000

struct watch {
	struct guest *guest;
	struct journal *journal;
	const struct symbols *symbols;
	int64_t t0_us;			/* journal times count from here */
	uint8_t nonce[WIRE_NONCE_LEN];
	uint64_t status_phys;		/* 0: unknown, no watching */
	unsigned mem_mib;
	int64_t next_poll_us, next_sample_us;
	struct liveness live;
	struct wire_status page;	/* the last valid one */
	struct hang_sample samples[HANG_SAMPLES_MAX];
	unsigned n_samples;
	unsigned invalid_pages;
};

void watch_init(struct watch *w, struct guest *guest, struct journal *journal,
		const struct symbols *symbols, int64_t t0_us);
/* Where the page is, from hello or moved; 0: search the guest's memory for the nonce. */
bool watch_found(struct watch *w, uint64_t status_phys, unsigned mem_mib, GError **error);
/* Once every WATCH_POLL_US: read, record, judge. *ret_hang: the guest hangs, the autopsy is in the
 * journal. A false return is the lab's failure (or the engine's end, which guest_next() tells). */
bool watch_poll(struct watch *w, bool *ret_hang, GError **error);

#endif
