/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out amplify/jitter.h on a guest's vCPU threads, from a thread of its own: single threads
 * are stopped by ptrace (SIGSTOP would stop all of the engine), moved by sched_setaffinity, and put
 * below everybody by SCHED_IDLE. Works under KVM as under TCG.
 */
#ifndef KLAB_RUN_JITTER_HOST_H
#define KLAB_RUN_JITTER_HOST_H

#include "amplify/jitter.h"
#include "base/lab.h"

#include <sys/types.h>

struct jitter_totals {
	uint64_t actions[JITTER__COUNT];	/* carried out */
	uint64_t failed;
	int64_t stopped_us;	/* of the vCPU that was stopped for longest, measured: no silence of its */
};

struct jitter_host;
/* Begin with the n vCPU threads of one engine. What this host does not allow is told by *ret_cannot
 * (the caller frees it; NULL: all kinds work) and left out; an error if no kind is left. */
bool jitter_host_start(const pid_t *tid, unsigned n, uint64_t seed, struct jitter_host **ret,
		       char **ret_cannot, GError **error);
void jitter_host_read(struct jitter_host *j, struct jitter_totals *ret);
/* Begin no actions for a while; those under way end in their own time. */
void jitter_host_rest(struct jitter_host *j, bool rest);
/* End: all threads run as they did before. Takes at most about JITTER_STOP_MAX_US. Threads that are
 * gone are no error. Frees; NULL is fine. */
void jitter_host_stop(struct jitter_host *j);
typedef struct jitter_host jitter_host;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(jitter_host, jitter_host_stop)

#endif
