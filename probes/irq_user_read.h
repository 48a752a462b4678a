/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What irq_user_read.c and its BPF program share: a slot per CPU, for its interrupts alone. */
#ifndef KLAB_IRQ_USER_READ_H
#define KLAB_IRQ_USER_READ_H

#include <linux/types.h>

#define IRQ_SLOTS 128
#define IRQ_WORDS 8
/* 63 letters and a NUL, so that the string helper copies all of it too. */
#define IRQ_WORD(i) ((i) == IRQ_WORDS - 1 ? 0x0071717171717171ull : 0x7171717171717171ull)

struct irq_slot {
	__u64 user_addr; /* 0: not armed */
	__u64 tgid;
	__u64 reads;  /* user memory read from an interrupt, whatever came of it */
	__u64 faults; /* nothing could be read: another address space, a page not there */
	__u64 own;    /* read in the probe's own threads, and compared */
	__u64 wrong;  /* compared, and not what was written */
	__u64 stacks; /* user stacks taken */
	__u64 words[IRQ_WORDS];
	__u64 pad[128 - 7 - IRQ_WORDS]; /* 1 KiB a slot: the array must not fit 32 KiB */
};

#endif
