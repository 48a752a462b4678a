// SPDX-License-Identifier: GPL-2.0-or-later
/* Classes of the lab's own failures. See infra.h. */
#include "judge/infra.h"

#include <string.h>

static const char *const names[INFRA__COUNT] = {
	[INFRA_NONE] = "",
	[INFRA_ENGINE_DIED] = "engine-died",
	[INFRA_ENGINE_UNPROVEN] = "engine-unproven",
	[INFRA_WEATHER] = "emulator-weather",
	[INFRA_BOOT_LOST] = "boot-lost",
	[INFRA_HOST_STARVED] = "host-starved",
	[INFRA_PAUSED] = "paused",
	[INFRA_PROBE] = "probe-error",
	[INFRA_AGENT] = "agent-died",
	[INFRA_INTERRUPTED] = "interrupted",
	[INFRA_DISK_FULL] = "disk-full",
	[INFRA_LAB] = "lab",
};

const char *infra_class_name(enum infra_class class)
{
	return names[class];
}

/* The journal keeps errno's words only; klab never sets a locale, so they are always these. */
static bool is_disk_full(const char *detail)
{
	return detail && (strstr(detail, "No space left on device") ||
			  strstr(detail, "Disk quota exceeded"));
}

static enum infra_class boot_class(const struct evidence *ev)
{
	return ev->host_taken > INFRA_HOST_TAKEN ? INFRA_HOST_STARVED : INFRA_BOOT_LOST;
}

static enum infra_class end_class(const struct evidence *ev)
{
	switch (ev->end) {
	case JOB_END_UNFINISHED:
	case JOB_END_INTERRUPTED:
		return INFRA_INTERRUPTED;
	case JOB_END_ENGINE:
		return INFRA_ENGINE_DIED;
	case JOB_END_LAB:
		return is_disk_full(ev->end_detail) ? INFRA_DISK_FULL : INFRA_LAB;
	case JOB_END_PAUSED:
		return INFRA_PAUSED;
	case JOB_END_DONE:
		return INFRA_PROBE;
	default:
		return boot_class(ev);
	}
}

void infra_settle(const struct evidence *ev, struct verdict *v)
{
	g_autofree char *old = NULL;

	if (v->value != VERDICT_INFRA) {
		v->infra = INFRA_NONE;
		return;
	}
	if (v->infra == INFRA_NONE)
		v->infra = end_class(ev);
	/* who closed the lid of his laptop wants the job to go on when he opens it */
	v->retry |= v->infra == INFRA_PAUSED;
	if (v->infra != INFRA_HOST_STARVED)
		return;
	old = g_steal_pointer(&v->reason);
	v->reason = g_strdup_printf("%s; others had %.0f %% of the host's CPUs meanwhile", old,
				    100 * ev->host_taken);
}
