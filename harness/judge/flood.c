// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Consoles that say too much to be believed. A flood is no fault of the kernel, and it is no proof of
 * its health: splats drown in it.
 */
#include "judge/trial.h"

#include <string.h>

/* A quiet kernel says a few KiB in a run; 1 MiB is about 3 s of what an emulated UART carries. */
#define FLOOD_BYTES (1u << 20)
/* Of one piece of NMI chatter, which the lab itself brings about: at most so many bytes. */
#define CHATTER_BYTES 160
/* "** 2187 printk messages dropped **", since 3.2: writers outran the console. */
#define DROPPED " printk messages dropped **"

static bool kernel_dropped(const char *text, size_t len)
{
	return g_strstr_len(text, len, DROPPED) != NULL;
}

char *flood_doubt(const struct trial *t)
{
	const struct evidence *ev = t->ev;
	size_t from = MIN(t->run_offset, ev->console_len), len = ev->console_len - from;
	uint64_t chatter = t->report->chatter * CHATTER_BYTES;

	if (!len)
		return NULL;
	if (len > FLOOD_BYTES && len - FLOOD_BYTES > chatter)
		return g_strdup_printf("the console was flooded (%zu KiB while the probe ran), and a "
				       "splat may have drowned in it",
				       len >> 10);
	if (kernel_dropped(ev->console + from, len))
		return g_strdup("the kernel dropped messages that its console was too slow for, and "
				"a splat may be among them");
	return NULL;
}
