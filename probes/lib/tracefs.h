/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel probes through tracefs, which is there wherever CONFIG_KPROBE_EVENTS is (in debugfs below
 * 4.1). Functions that return int return 0 or a negative errno.
 */
#ifndef KLAB_PROBE_TRACEFS_H
#define KLAB_PROBE_TRACEFS_H

#include <stdbool.h>
#include <stdint.h>

/* "/sys/kernel/tracing" or "/sys/kernel/debug/tracing"; NULL where neither is mounted. */
const char *tracefs_root(void);

/* Write text to ROOT/file. */
int tracefs_write(const char *file, const char *text);
/* Open ROOT/file for writing, or a negative errno. */
int tracefs_open(const char *file);

/* A kprobe event klab/NAME, one int3 at an offset into a kernel function. */
struct kprobe_site {
	const char *name; /* of the event; set by the caller */
	const char *symbol;
	unsigned offset;
};

struct kprobe_counts {
	uint64_t hits, missed;
};

/* Define the event at the first offset into one of symbols (NULL-terminated) that the kernel takes
 * and accepts() agrees to, and leave it enabled. accepts() may be NULL. Offsets begin behind the
 * function's entry: there a kprobe would be an ftrace call and no int3. -ENOENT: no such site. */
int kprobe_site_find(struct kprobe_site *site, const char *const *symbols,
		     bool (*accepts)(const struct kprobe_site *site));
int kprobe_site_enable(const struct kprobe_site *site, bool on);
int kprobe_site_counts(const struct kprobe_site *site, struct kprobe_counts *ret);
void kprobe_site_remove(struct kprobe_site *site);

/* Are there calls that were neither seen nor reported as missed? The kernel counts misses without
 * locking, so that of ncpus that miss at once one alone may count. */
bool kprobe_counts_lost(uint64_t calls, const struct kprobe_counts *counts, unsigned ncpus);
/* Why there is no kprobe_events, or nothing to be put into it: for probe_skip(). */
const char *kprobe_missing(void);

#endif
