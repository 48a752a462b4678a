/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bpf_nmi_maps.c and its BPF programs share. A seat is written by one context of one CPU. */
#ifndef KLAB_BPF_NMI_MAPS_H
#define KLAB_BPF_NMI_MAPS_H

#include "probes/lib/map_hash.h"

#define MAPS_BOX_WORDS 1024 /* 8 KiB: the copy under a queue's lock is what NMIs shall land in */
#define MAPS_BOXES_MAX 16
#define MAPS_STACKS 1024

enum maps_fifo { MAPS_QUEUE, MAPS_STACK, MAPS_FIFOS };

struct maps_box {
	__u64 id;
	__u64 words[MAPS_BOX_WORDS - 2];
	__u64 last; /* ~id */
};

struct maps_record {
	__u32 cpu, context;
	__u64 number;  /* from 1, without gaps, per seat */
	__u64 inverse; /* ~number */
};

struct maps_percpu {
	__u64 hits[MAP_CONTEXTS];
};

struct maps_fifo_count {
	__u64 pushed, push_sum, refused;
	__u64 popped, pop_sum, torn;
};

struct maps_seat {
	struct map_seat on; /* first: see map_seats_arm() */
	__u64 looks;        /* at the hash maps */
	__u64 percpu_hash, percpu_array;
	__u64 stacks, stacks_refused;
	__u64 boxes; /* numbers the boxes */
	struct maps_fifo_count fifo[MAPS_FIFOS];
	__u64 ring_sent, ring_full;
};

#endif
