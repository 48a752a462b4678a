/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the vCPUs of a guest that has gone silent are doing: samples of their registers, and the
 * autopsy with their stacks and locks. All that is read goes into the journal; the watch decides when
 * to look.
 *
 * Use: scene_init(), scene_sample() some times, scene_write() once, scene_clear().
 */
#ifndef KLAB_RUN_SCENE_H
#define KLAB_RUN_SCENE_H

#include "guest/guest.h"
#include "judge/hang.h"
#include "parse/symbols.h"
#include "run/facts.h"
#include "store/journal.h"

struct scene {
	struct guest *guest;
	struct journal *journal;
	const struct symbols *symbols;	/* or NULL: addresses stay numbers */
	const char *image;		/* the kernel's bzImage: read at the autopsy; or NULL */
	const char *release;		/* "6.1.0-56-amd64", or NULL */
	int64_t t0_us;			/* journal times count from here */
	struct hang_sample samples[HANG_SAMPLES_MAX];
	unsigned n_samples;
	struct facts *facts;		/* of the image, once it was needed */
	bool facts_tried;
	GHashTable *pages;		/* guest memory as read during the autopsy */
};

/* When and why the autopsy is made. */
struct scene_hang {
	enum hang_rule rule;
	int64_t now_us, since_us;	/* guest clock: now; the last beat of the CPU silent longest */
	int64_t longest_us;		/* the longest counted silence */
	const uint64_t *silent;		/* mask of CPUs whose heartbeat stopped */
};

void scene_init(struct scene *sc, struct guest *guest, struct journal *journal,
		const struct symbols *symbols, int64_t t0_us);
void scene_clear(struct scene *sc);
/* How many vCPUs are looked at. */
unsigned scene_vcpus(const struct scene *sc);
/* What the kernel's image tells, read at the first call; NULL: nothing. */
const struct facts *scene_facts(struct scene *sc);
/* Registers of all vCPUs now, as the newest of sc->samples; `counted_us` dates it. */
bool scene_sample(struct scene *sc, int64_t counted_us, GError **error);
/* The guest goes on: samples so far tell nothing. */
void scene_forget(struct scene *sc);
/* The autopsy, as the journal's "hang" event; wants samples. Stops the guest where the backend can. */
bool scene_write(struct scene *sc, const struct scene_hang *hang, GError **error);

#endif
