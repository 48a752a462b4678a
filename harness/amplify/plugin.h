/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plugin's files share. Callbacks run on vCPU threads, many at once, inside translated
 * code: no locks, no allocation, nothing that fails. What changes with new orders changes while all
 * vCPUs stand still.
 */
#ifndef KLAB_AMPLIFY_PLUGIN_H
#define KLAB_AMPLIFY_PLUGIN_H

#include "amplify/page.h"
#include "amplify/qemu_plugin.h"

#define READ(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define ADD(x, v) __atomic_fetch_add(&(x), v, __ATOMIC_RELAXED)

/* Are there new orders on the page? Then have them taken over soon. On a vCPU's thread only. */
void plugin_poll(void);

/* --- plugin_sites.c: where is what wanted ---------------------------------------------------- */

struct site {
	uint64_t lo, hi;
	uint32_t at, after, group;
	int32_t vcpu;
	unsigned index; /* on the page */
};

/* Take the page's sites over and zero their counters; those that make no sense are left out. */
void sites_take(struct amp_page *page);

/* Through a block, once: begin it, then ask for each of its ascending addresses. */
struct sites_walk {
	unsigned next[2];
};
/* False: there are none in [lo, last]. */
bool sites_begin(struct sites_walk *walk, uint64_t lo, uint64_t last);
/* The site that has pc, or NULL. Of several that overlap, the first on the page has it. */
const struct site *sites_next(struct sites_walk *walk, enum amp_at at, uint64_t pc);

/* --- plugin_profile.c: which instructions touch memory that vCPUs share ---------------------- */

/* Begin one of the instructions in [lo, hi). False: no memory for it. */
bool profile_begin(uint64_t lo, uint64_t hi);
/* Watch an instruction that is being translated, if a profile is on and it lies in the range. */
void profile_watch(struct qemu_plugin_insn *insn, uint64_t pc);
/* Does a profile watch any of [lo, last]? */
bool profile_covers(uint64_t lo, uint64_t last);
/* Write what was found, if a profile was on; its memory goes back. */
void profile_end(struct amp_page *page);

#endif
