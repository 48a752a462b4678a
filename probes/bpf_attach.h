/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bpf_attach.c and its BPF programs share: a slot per CPU, that of the worker pinned there. */
#ifndef KLAB_BPF_ATTACH_H
#define KLAB_BPF_ATTACH_H

#include <linux/types.h>

#define ATTACH_SLOTS 128

/* A program each. STAY_* are attached for the whole run; their neighbours come and go. */
enum attach_program {
	STAY_FENTRY,
	STAY_FEXIT,
	STAY_KMULTI,
	STAY_KPROBE, /* an int3, behind the entry */
	STAY_TP,
	STAY_RAW_TP,
	STAY_FAULT,
	COME_FENTRY,
	COME_FEXIT,
	COME_KMULTI,
	COME_KRETMULTI,
	COME_KPROBE,
	COME_TP,
	COME_RAW_TP,
	COME_FAULT,
	ATTACH_PROGRAMS
};

struct attach_slot {
	__u64 tid;                   /* of the worker: nobody else's hits count */
	__u64 runs[ATTACH_PROGRAMS]; /* of this worker, on this CPU */
	__u64 wrong;                 /* fexit saw another return value than the worker */
	__u64 pgid, sid;             /* those values */
	__u64 depth, nested;         /* of the program on bpf_trace_printk */
	__u64 contended;
};

#endif
