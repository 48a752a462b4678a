// SPDX-License-Identifier: GPL-2.0-or-later
/* Read the plugin's ring of delays. See delay_log.h. */
#include "run/delay_log.h"

static char *site_name(const struct delay_log *log, uint64_t pc)
{
	const struct symbol *sym = log->symbols ? symbols_find(log->symbols, pc) : NULL;

	return sym ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", sym->name, pc - sym->addr) :
		     g_strdup_printf("0x%" G_GINT64_MODIFIER "x", pc);
}

/* The sites on the page are those of the present orders: earlier ones have no name any more. */
static bool is_present(const struct delay_log *log, const struct amp_delay *d)
{
	return d->generation == log->page->applied;
}

static void take(struct delay_log *log, const struct amp_delay *d, GString *out)
{
	if (d->site >= AMP_SITES_MAX || d->vcpu >= AMP_VCPUS_MAX || d->us > AMP_DELAY_MAX_US)
		return;
	if (log->named[d->site] != d->generation && is_present(log, d)) {
		g_autofree char *name = site_name(log, log->page->site[d->site].lo);

		log->named[d->site] = d->generation;
		g_string_append_printf(out, "# %u %s\n", d->site, name);
	}
	g_string_append_printf(out, "%" G_GINT64_FORMAT " %u %u %u\n",
			       (int64_t)(d->at_us - log->t0_us), d->vcpu, d->site, d->us);
	log->last[log->n_last++ % DELAY_LOG_LAST] = *d;
}

bool delay_log_drain(struct delay_log *log, struct journal *journal, int64_t at_us, GError **error)
{
	uint64_t end = __atomic_load_n(&log->page->n_log, __ATOMIC_ACQUIRE);
	g_autoptr(GString) out = g_string_new(NULL);

	if (end < log->n)
		return true;	/* it counts up only */
	if (end - log->n > AMP_LOG_MAX) {
		log->lost += end - log->n - AMP_LOG_MAX;
		log->n = end - AMP_LOG_MAX;
	}
	for (; log->n < end; log->n++) {
		const struct amp_delay *shared = &log->page->log[log->n % AMP_LOG_MAX];
		struct amp_delay d = *shared;

		if (__atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE) && d.generation)
			take(log, &d, out);
		else
			log->lost++;
	}
	return !out->len || journal_stream(journal, at_us, STREAM_DELAYS, out->str, out->len, NULL,
					   error);
}

char *delay_log_last(const struct delay_log *log)
{
	unsigned from = log->n_last > DELAY_LOG_LAST ? log->n_last - DELAY_LOG_LAST : 0;
	GString *out = g_string_new(NULL);

	for (unsigned i = from; i < log->n_last; i++) {
		const struct amp_delay *d = &log->last[i % DELAY_LOG_LAST];
		g_autofree char *name = is_present(log, d) ?
						site_name(log, log->page->site[d->site].lo) :
						g_strdup("an earlier site");

		g_string_append_printf(out, "delayed at %.6f s: vCPU %u by %u us at %s\n",
				       (d->at_us - log->t0_us) / 1e6, d->vcpu, d->us, name);
	}
	return g_string_free(out, FALSE);
}
