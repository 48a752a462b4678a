/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the console parser: console.c cuts bytes into segments (one kernel message each) with
 * the help of console_line.c, console_splat.c knows the first lines of splats, console_event.c reads
 * the lines that follow.
 */
#ifndef KLAB_PARSE_CONSOLE_PRIV_H
#define KLAB_PARSE_CONSOLE_PRIV_H

#include "parse/console.h"

#define SYMBOL_MAX 128		/* the kernel's own KSYM_NAME_LEN until 6.1; longer names are cut */
#define BODY_LINES_MAX 160	/* lines after which a splat is taken for over */
#define CONTEXT_LINES 2		/* lines kept from before a splat */

/* One message: prefix taken off, dated, with its caller id ("T12", "C0") if the kernel prints them. */
struct segment {
	const char *text;
	size_t len;
	const char *raw;	/* with prefix, for excerpts */
	size_t raw_len;
	int64_t at_us;		/* -1: no time stamp */
	uint32_t caller;	/* 0: none */
	uint64_t offset;	/* of its line */
	bool torn;		/* put together or found in mid-line */
	uint32_t bytes;		/* set of enum line_byte: what its line may have; more is no harm */
};

/* Bytes that a line must have to be worth a search for some phrase. One look at a line finds all. */
enum line_byte {
	LINE_CR = 1 << 0,
	LINE_CONTROL = 1 << 1,	/* NUL, ESC */
	LINE_B = 1 << 2,
	LINE_D = 1 << 3,
	LINE_G = 1 << 4,
	LINE_K = 1 << 5,
	LINE_M = 1 << 6,
	LINE_N = 1 << 7,
	LINE_U = 1 << 8,
	LINE_V = 1 << 9,	/* v, y, z are lower case */
	LINE_Y = 1 << 10,
	LINE_Z = 1 << 11,
	LINE_HASH = 1 << 12,	/* '#' */
};
uint32_t line_bytes(const char *p, const char *end);
/* Take "<6>", "[ts]" and "[caller]" off. */
struct segment segment_parse(const char *raw, size_t len, uint64_t offset);
/* The end of the segment at `p`: a time stamp in mid-line, or the line's end. */
const char *segment_end(const char *p, const char *end);
/* The length of the NMI chatter at `p`, as far as its optional parts go; 0: none. */
size_t chatter_len(const char *p, const char *end);
/* Copy without control bytes (tabs stay) and escape sequences; the length, at most end - p. */
size_t clean_copy(char *to, const char *p, const char *end);

enum splat_flag {
	SPLAT_DIE = 1 << 0,	/* only with the "[#N]" of die() on the line */
	SPLAT_HERE = 1 << 1,	/* the guilty function stands on the line itself */
	SPLAT_TEXT = 1 << 2,	/* the title takes the rest of the line */
	SPLAT_NO_FRAME = 1 << 3,	/* no function belongs in the title */
	SPLAT_LEAD = 1 << 4,	/* a first line that a WARN or BUG of the same splat follows */
	SPLAT_TRACE = 1 << 5,	/* what stands before "Call Trace:" are other stacks */
	SPLAT_LOCK = 1 << 6,	/* lock and function of "(LOCK){...}, at: FUNCTION" */
};

/* A first line of a splat: `text` is a prefix with '*' for anything, never anchored at its end. */
struct splat {
	const char *text;
	enum console_class class;
	const char *what;	/* stem of the title; NULL: from the line */
	unsigned flags;
};

/* The splat that this message starts, or NULL; *ret_rest is what follows the matched text. `bytes` as
 * in struct segment. */
const struct splat *splat_find(const char *text, size_t len, uint32_t bytes, const char **ret_rest);
/* Known, harmless, and typical of emulators: counted only. */
bool splat_is_weather(const char *text, size_t len);
/* Has the line the "[#N]" of die()? */
bool splat_has_die(const char *text, size_t len);

/* What is known of the event that is still open. */
struct open_event {
	const struct splat *splat;
	bool died;		/* the line with [#N] was seen */
	bool traced;		/* a call trace began */
	unsigned lines;		/* since its first line */
	unsigned excerpt_lines;
	unsigned n_frames;
	bool has_ip;		/* its RIP line was read */
	char ip[SYMBOL_MAX];	/* function of RIP, or "" */
	char doubtful[SYMBOL_MAX];	/* the first telling frame that the kernel marks with '?', or "" */
	char text[SYMBOL_MAX];	/* rest of the first line, made stable */
	bool lock_next;		/* "... lock (NAME) at:": the function is on the next line */
	uint32_t caller;
	GString *excerpt;	/* NULL: the event is not kept */
};

/* Start, continue, end. */
void event_open(struct open_event *open, struct console_event *ev, const struct splat *splat,
		const struct segment *seg, const char *rest);
void event_excerpt(struct open_event *open, const char *raw, size_t len);
/* Read one line of its body; false: it was the last one. */
bool event_body(struct open_event *open, struct console_event *ev, const struct segment *seg);
/* Is this first line part of the same splat ("Oops: 0000 [#1]" after "BUG: unable to handle")? */
bool event_continues(const struct open_event *open, const struct splat *next,
		     const struct segment *seg);
/* Is it known where it happened, or is that of no matter? */
bool event_has_place(const struct open_event *open);
void event_title(const struct open_event *open, struct console_event *ev);
void event_close(struct open_event *open, struct console_event *ev);

/* strstr() over len bytes; the position behind `needle`, or NULL. */
const char *bytes_after(const char *text, size_t len, const char *needle);

#endif
