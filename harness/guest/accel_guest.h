/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tiny guest of engine_accel_works(): a multiboot image that is to be given to -kernel. */
#ifndef KLAB_GUEST_ACCEL_GUEST_H
#define KLAB_GUEST_ACCEL_GUEST_H

#include <stddef.h>

extern const char accel_guest[], accel_guest_end[];
#define ACCEL_GUEST_LEN ((size_t)(accel_guest_end - accel_guest))

/* What it says on the debug console (port 0xe9) once 64-bit code has run, and QEMU's exit code
 * then: (0x2a << 1) | 1 by isa-debug-exit at port 0xf4. */
#define ACCEL_GUEST_TOKEN "klab-long-mode"
#define ACCEL_GUEST_STATUS 85

/*
 * Write it into a file of the cache, which the caller unlinks and whose name he frees. NULL, and
 * *ret_why (the caller's), why it cannot be written.
 */
char *accel_guest_write(char **ret_why);

#endif
