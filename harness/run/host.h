/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host was doing while a job ran, for those who doubt a verdict, and to tell a lost boot
 * from a starved one. Recorded by the session as two "host" events; summed up from these alone.
 */
#ifndef KLAB_RUN_HOST_H
#define KLAB_RUN_HOST_H

#include "base/lab.h"

#include <jansson.h>

/* A reading; what this host does not tell is negative. */
struct host_load {
	int64_t at_us;		/* monotonic */
	double load1;		/* of the last minute */
	unsigned cpus;		/* that this process may use */
	double cpu_limit;	/* of the control groups, in CPUs; negative: none */
	int64_t busy_ms, idle_ms, steal_ms;	/* of all CPUs of the host, since its boot */
	int64_t psi_some_us;	/* since its boot: some task waited for a CPU */
};

/* The texts behind it: /proc/stat, /proc/loadavg, /proc/pressure/cpu; NULL: not there. */
struct host_texts {
	const char *stat, *loadavg, *pressure;
	long ticks_s;		/* of /proc/stat, sysconf(_SC_CLK_TCK) */
};
/* Total: fields that cannot be read stay negative. Sets neither at_us, cpus nor cpu_limit. */
void host_load_parse(const struct host_texts *texts, struct host_load *ret);
/* CPUs that "MAX PERIOD" (cpu.max of cgroup v2) or a quota and its period (v1) allow; negative:
 * no limit. */
double host_limit_parse(const char *quota, const char *period);

void host_load_take(struct host_load *ret);
/* Fields of a "host" event; the caller owns the object. */
json_t *host_load_json(const struct host_load *load);

/*
 * Sum up the "host" events at a job's start and end; NULL without both. Shares are of the host's
 * CPU time between the two: {"cpus", "cpu_limit", "load1": [before, after], "busy", "steal",
 * "guest", "others", "psi_some", "alone", "waited_ms"}, null where the host does not tell. "guest"
 * is what the vCPUs had ("run_us" of the end event), "others" the rest of "busy": the lab itself,
 * other jobs and other processes.
 */
json_t *host_summary(const json_t *start, const json_t *end);
/* Share that others and the hypervisor had, 0..1; 0 when unknown. */
double host_taken(const json_t *summary);

#endif
