/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in records, whose payload is printable text: base64 as RFC 4648 has it, with padding. */
#ifndef KLAB_INIT_BASE64_H
#define KLAB_INIT_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(raw) (((raw) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) digits and a NUL. */
void base64_encode(char *out, const uint8_t *in, size_t len);
/* At most `size` bytes into `out`; returns how many, or -1 if that is no base64 or too much of it. */
int base64_decode(uint8_t *out, size_t size, const char *text);

#endif
