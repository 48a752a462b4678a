/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's half of the record format in wire.h: bytes in, records out, and back. Pure.
 */
#ifndef KLAB_WIRE_CODEC_H
#define KLAB_WIRE_CODEC_H

#include "probes/lib/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_TYPE_MAX 16

struct wire_record {
	uint64_t seq;
	char type[WIRE_TYPE_MAX];
	const char *payload; /* in the decoder's line, until the next push */
};

struct wire_decoder {
	char line[WIRE_LINE_MAX];
	size_t len;
	bool overlong; /* the current line is dropped up to its end */
	uint64_t seq;  /* of the last record */
	uint64_t torn, lost;
};

/* Write one record, newline included, at *buf (WIRE_LINE_MAX bytes). Bytes of the payload that are
 * not printable ASCII become '?'; a payload that is too long is cut. Returns the length. */
size_t wire_encode(char *buf, uint64_t seq, const char *type, const char *payload);

/* Take one byte. True when it ended a whole record, which is then in *ret. */
bool wire_decode(struct wire_decoder *d, char c, struct wire_record *ret);

#endif
