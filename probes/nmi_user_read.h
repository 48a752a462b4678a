/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nmi_user_read.c and its BPF program share: a slot per CPU, written by its NMIs alone. */
#ifndef KLAB_NMI_USER_READ_H
#define KLAB_NMI_USER_READ_H

#include <linux/types.h>

#define NMI_SLOTS 128
#define NMI_WORDS 8
/* 63 letters and a NUL, so that the string helper copies all of it too. */
#define NMI_WORD(i) ((i) == NMI_WORDS - 1 ? 0x006b6b6b6b6b6b6bull : 0x6b6b6b6b6b6b6b6bull)

/* Where bytes go beside the slot itself; bits. */
#define NMI_INTO_STACK 1
#define NMI_INTO_PERCPU 2
#define NMI_INTO_RING 4
#define NMI_INTO_ALL 7

struct nmi_words {
	__u64 words[NMI_WORDS];
};

struct nmi_slot {
	__u64 user_addr; /* 0: not armed */
	__u64 tgid;
	__u64 into;   /* NMI_INTO_* */
	__u64 reads;  /* user memory read from an NMI into this slot, whatever came of it */
	__u64 faults; /* nothing could be read: another address space, a page not there */
	__u64 own;    /* read in the probe's own threads, and compared */
	__u64 wrong;  /* compared, and not what was written */
	__u64 words[NMI_WORDS];
	__u64 pad[128 - 7 - NMI_WORDS]; /* 1 KiB a slot: the array must not fit 32 KiB */
};

#endif
