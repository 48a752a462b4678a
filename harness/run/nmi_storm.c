// SPDX-License-Identifier: GPL-2.0-or-later
/* See nmi_storm.h. */
#include "run/nmi_storm.h"

void nmi_storm_start(struct nmi_storm *storm, double hz, unsigned smp, int64_t now_us)
{
	hz = MIN(hz, (double)NMI_CPUS_HZ / MAX(smp, 1));
	*storm = (struct nmi_storm){ .on = true, .period_us = 1e6 / MAX(hz, 1), .next_us = now_us };
}

bool nmi_storm_due(struct nmi_storm *storm, int64_t now_us, bool hold)
{
	if (!storm->on || now_us < storm->next_us)
		return false;
	if (hold)
		storm->next_us = now_us + NMI_LATE_US;
	return !hold;
}

void nmi_storm_next(struct nmi_storm *storm, int64_t now_us, GRand *rand)
{
	storm->next_us = MAX(storm->next_us, now_us - NMI_LATE_US) +
			 storm->period_us * g_rand_double_range(rand, 0.5, 1.5);
}
