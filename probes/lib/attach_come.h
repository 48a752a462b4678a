/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that come and go: one is attached, some calls are made that must each be one run, and it
 * is detached, while others stay attached to the same or to neighbouring places.
 */
#ifndef KLAB_PROBE_ATTACH_COME_H
#define KLAB_PROBE_ATTACH_COME_H

#include "probes/bpf_attach.h"
#include "probes/lib/attach_calls.h"

#include <bpf/libbpf.h>

/* A program each: fentry and fexit name their function when they are loaded. */
enum come_program {
	PROGRAM_COLD_FENTRY,
	PROGRAM_COLD_FEXIT,
	PROGRAM_HOT_FENTRY,
	PROGRAM_HOT_FEXIT,
	PROGRAM_KMULTI,
	PROGRAM_KRETMULTI,
	PROGRAM_KPROBE,
	PROGRAM_TP,
	PROGRAM_RAW_TP,
	PROGRAM_FAULT,
	PROGRAM__COUNT
};

#define COLD_TRACEPOINT "sched_process_wait"
#define HOT_TRACEPOINT "task_rename"

struct attach_come {
	struct bpf_program *programs[PROGRAM__COUNT];
	bool gone[ATTACH_PROGRAMS]; /* the kernel does not have this kind */
	bool cold_only;             /* where few others run: see bpf_attach.c */
	/* Runs of a program that the worker of a CPU caused. */
	uint64_t (*runs)(uint32_t cpu, enum attach_program which);
};

/* One random program comes and goes, if no other worker has it. */
void attach_come_once(struct attach_come *c, struct attach_seat *seat, uint32_t cpu,
		      uint64_t *rand);

/* Runs that the kernel says it left out because the program was active already (5.12). */
uint64_t attach_misses(const struct bpf_program *program);
/* An event for each page fault of the calling thread; a descriptor or a negative errno. */
int attach_fault_open(bool enabled);

#endif
