/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The setup header of an x86 bzImage (Documentation/arch/x86/boot.rst): who the kernel is, and
 * whether the file is whole. Pure and bounded: any bytes may be given.
 */
#ifndef KLAB_KERNEL_BZIMAGE_H
#define KLAB_KERNEL_BZIMAGE_H

#include "base/lab.h"

/* What of a file bzimage_parse() must be given at least to judge its header: the largest setup part
 * (255 sectors and the boot sector). */
#define BZIMAGE_SETUP_MAX (256u * 512)

struct bzimage {
	unsigned protocol;		/* boot protocol, 0x20f is 2.15 */
	uint64_t size;			/* bytes that the image must have; signatures may follow */
	uint64_t payload_offset;	/* of the compressed vmlinux, from the start of the file */
	uint64_t payload_len;
	uint64_t memory;		/* from address 0, for unpacking itself; 0: it does not say */
	char release[65];		/* "6.1.0-18-cloud-amd64" */
	char version[256];		/* the rest: "(builder) #1 SMP ... Debian 6.1.76-1 (...)" */
};

/*
 * Read the header out of the first `len` bytes of a file of `file_size` bytes (len may be smaller,
 * but not below MIN(file_size, BZIMAGE_SETUP_MAX)). LAB_ERROR_INPUT, with a sentence that says what
 * the bytes look like, if this is no whole x86-64 bzImage.
 */
bool bzimage_parse(const void *data, size_t len, uint64_t file_size, struct bzimage *ret,
		   GError **error);
/* What the first bytes of a file look like, e.g. "a gzip file": never NULL. */
const char *bzimage_looks_like(const void *data, size_t len);

#endif
