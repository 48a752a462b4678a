/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sched_trace.c and its BPF programs share: a slot per CPU, written by what runs there with
 * interrupts off. */
#ifndef KLAB_SCHED_TRACE_H
#define KLAB_SCHED_TRACE_H

#include <linux/types.h>

#define SCHED_SLOTS 128
#define SCHED_WORDS 4
#define SCHED_WORD(i) (0x7363686564000000ull + (i))
#define SCHED_SIGNAL 10    /* SIGUSR1 */
#define SCHED_SIGNAL_NTH 8 /* switches of our threads a signal */

struct sched_slot {
	__u64 user_addr; /* SCHED_WORDS words; 0: not armed */
	__u64 tgid;
	__u64 taker; /* thread that takes the signals: none is sent while it is switched */
	__u64 kernel_addr;  /* 8 bytes that never change; 0: none is known */
	__u64 kernel_value; /* they */
	__u64 switches, wakeups;
	__u64 compared; /* user memory read in our own threads */
	__u64 faults;   /* in our own threads, too: a page may not be there */
	__u64 wrong;
	__u64 kernel_wrong; /* kernel memory that could not be read, or was not what it is */
	__u64 stacks;
	__u64 turns, sent, busy; /* signals: the kernel may say that the last one is under way */
};

#endif
