/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's log of delays, from the control page into the journal's stream delays.log:
 * "US VCPU SITE MEANT_US" a line, and "# SITE SYMBOL" before a number is first used.
 */
#ifndef KLAB_RUN_DELAY_LOG_H
#define KLAB_RUN_DELAY_LOG_H

#include "amplify/page.h"
#include "parse/symbols.h"
#include "store/journal.h"

#define DELAY_LOG_LAST 8

/* Zeroed but for the first three. */
struct delay_log {
	const struct amp_page *page;
	const struct symbols *symbols;	/* or NULL: addresses */
	int64_t t0_us;			/* times count from here */
	uint64_t n, lost;		/* taken; overwritten before they were, or torn */
	uint64_t named[AMP_SITES_MAX];	/* generation in which a site's name was told */
	struct amp_delay last[DELAY_LOG_LAST];	/* a ring of n_last */
	unsigned n_last;
};

/* Take what is new. Nothing on the page is believed. */
bool delay_log_drain(struct delay_log *log, struct journal *journal, int64_t at_us, GError **error);
/* The last delays, a line each; the caller frees it. */
char *delay_log_last(const struct delay_log *log);

#endif
