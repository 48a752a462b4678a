/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the guest of a session alive, and if not, what are its vCPUs doing? Reads the status page, feeds
 * the judge's liveness and hang rules, and has the scene written down when it hangs.
 */
#ifndef KLAB_RUN_WATCH_H
#define KLAB_RUN_WATCH_H

#include "guest/guest.h"
#include "judge/liveness.h"
#include "run/scene.h"

#define WATCH_POLL_US 100000

struct watch {
	struct guest *guest;
	struct journal *journal;
	int64_t t0_us;			/* journal times count from here */
	uint8_t nonce[WIRE_NONCE_LEN];
	uint64_t status_phys;		/* 0: unknown, no watching */
	unsigned mem_mib;
	int64_t next_poll_us, next_sample_us;
	struct liveness live;
	struct wire_status page;	/* the last valid one */
	int64_t run_us;			/* time that the vCPUs had, at the last reading */
	struct scene scene;
	unsigned invalid_pages;
	enum liveness_state state;	/* the last one told in the journal */
	uint64_t jiffies_at;		/* address of jiffies_64, or 0 */
	bool jiffies_tried;
	uint64_t console_bytes;		/* counted by watch_heard() */
	uint64_t polled_bytes, sampled_bytes;	/* as of the last poll, the last sample */
	bool paused;			/* by the engine, as of the last poll */
	int64_t still_since_us;		/* since then the guest is kept from running; 0: it is not */
	bool still_paused;		/* by a pause, which ends when the engine says so */
	int64_t still_run_us;		/* time that its vCPU threads had had when it was noticed */
	int64_t lost_us;		/* all ended standstills together */
	int64_t injected_us;		/* delays of our own that kept vCPUs from running, so far */
};

void watch_init(struct watch *w, struct guest *guest, struct journal *journal,
		const struct symbols *symbols, int64_t t0_us);
/* Where the page is, from hello or moved; 0: search the guest's memory for the nonce. */
bool watch_found(struct watch *w, uint64_t status_phys, unsigned mem_mib, GError **error);
/* The guest's console said so many bytes. */
void watch_heard(struct watch *w, size_t bytes);
/* Has every CPU beaten since then (those that are parked on purpose need not)? */
bool watch_beaten_since(const struct watch *w, int64_t since_us);
/* How long the guest has been kept from running, up to now (a pause, no host CPU); 0: it runs. */
int64_t watch_still_us(const struct watch *w);
/* Once every WATCH_POLL_US: read, record, judge. *ret_hang: the guest hangs, the autopsy is in the
 * journal. A false return is the lab's failure (or the engine's end, which guest_next() tells). */
bool watch_poll(struct watch *w, bool *ret_hang, GError **error);

#endif
