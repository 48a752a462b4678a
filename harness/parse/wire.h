/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of the wire (probes/lib/wire.h): split bytes of ttyS1 into records, and write
 * commands. Total: any bytes are accepted, what is no record is counted and dropped.
 */
#ifndef KLAB_PARSE_WIRE_H
#define KLAB_PARSE_WIRE_H

#include "probes/lib/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct wire_record {
	uint64_t seq;
	const char *type;	/* NUL-terminated, like payload: valid during the callback */
	const char *payload;
};

struct wire_parser {
	void (*on_record)(const struct wire_record *record, void *user);
	void *user;
	uint64_t last_seq;
	unsigned records, torn, lost;
	size_t used;
	bool overlong;		/* dropping the rest of a line that did not fit */
	char line[WIRE_LINE_MAX + 1];
};

void wire_parser_init(struct wire_parser *p,
		      void (*on_record)(const struct wire_record *record, void *user), void *user);
/* Any number of bytes, split anywhere. */
void wire_parser_feed(struct wire_parser *p, const void *data, size_t len);

/* Parse one line without its newline; modifies it. False if it is no record. */
bool wire_parse_line(char *line, size_t len, struct wire_record *ret);
/* Format one record with its newline into buf; the length, or 0 if it does not fit. */
size_t wire_format(char *buf, size_t size, uint64_t seq, const char *type, const char *payload);

/* A page read from the guest is ours and whole (magic, version, ncpus in range, nonce). */
bool wire_status_valid(const struct wire_status *page, const uint8_t nonce[WIRE_NONCE_LEN]);

#endif
