/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that make the kernel run programs of any kind, and whose results are known. A worker counts
 * its own calls in its seat; a result that is wrong is kept for check().
 */
#ifndef KLAB_PROBE_ATTACH_CALLS_H
#define KLAB_PROBE_ATTACH_CALLS_H

#include "probes/lib/probe.h"

enum attach_target {
	CALL_GETPGID,
	CALL_GETEGID,
	CALL_GETUID,
	CALL_RENAME,
	CALL_FAULT,
	CALL__COUNT
};

struct attach_seat {
	uint64_t calls[CALL__COUNT];
	uint64_t attaches, refused;
	char *page; /* touched for a fault */
	int fault_fd;
} __attribute__((aligned(64)));

/* What getpgid() and getsid() must say; ask for it before any program is attached. */
extern int attach_pgid, attach_sid;
int attach_calls_init(struct attach_seat *seats, unsigned n);

/* Calls that all workers make. */
void call_getpgid(struct attach_seat *seat);
void call_getegid(struct attach_seat *seat);
void call_getuid(struct attach_seat *seat);
void call_rename(struct attach_seat *seat);
void call_fault(struct attach_seat *seat);
/* Calls that nobody else makes; they are not counted. */
void call_getsid(struct attach_seat *seat);
void call_geteuid(struct attach_seat *seat);
void call_getpriority(struct attach_seat *seat);
void call_wait(struct attach_seat *seat);

/* A burst of all that workers make, with locks that all threads of a process share. */
#define ATTACH_BURST 16
void attach_calls_burst(struct attach_seat *seat);

/* The first that was found wrong, as a PROBE_FAIL's reason; any thread. NULL: nothing. */
void attach_found(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *attach_finding(void);

#endif
