/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's functions and their bytes: /proc/kallsyms tells where they are, /proc/kcore what
 * they hold. Without CONFIG_PROC_KCORE a kprobe reads for us: its event records the words at an
 * address that a system call is given.
 *
 *	ktext_open()
 *	ktext_read(address, buf, size)	as often as needed
 *	ktext_close()
 */
#ifndef KLAB_PROBE_KTEXT_H
#define KLAB_PROBE_KTEXT_H

#include <stddef.h>
#include <stdint.h>

#define KTEXT_NAME_MAX 64
#define KTEXT_SIZE_MAX 4096 /* longer functions are left out */

struct ktext_function {
	char name[KTEXT_NAME_MAX];
	uint64_t address;
	unsigned size; /* to the next symbol */
};

/* Fill in the functions that the kernel image has of names, with any of the prefixes that a system
 * call's functions carry, or none. Returns how many, at most max, or a negative errno. */
int ktext_find(const char *const *names, struct ktext_function *ret, unsigned max);

/* 0 or a negative errno: neither way to the bytes works. */
int ktext_open(void);
/* Read kernel text; the number of bytes or a negative errno. */
int ktext_read(uint64_t address, void *buf, size_t size);
void ktext_close(void);

#endif
