/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* As much of the kernel's <linux/types.h> as the header may use: nothing of libc is in reach. */
#ifndef FAKE_LINUX_TYPES_H
#define FAKE_LINUX_TYPES_H
#define NULL ((void *)0)
typedef __SIZE_TYPE__ size_t;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif
