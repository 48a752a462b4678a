/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the console parser: console.c cuts bytes into segments (one kernel message each),
 * console_splat.c knows the first lines of splats, console_event.c reads the lines that follow.
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
};

enum splat_flag {
	SPLAT_DIE = 1 << 0,	/* only with the "[#N]" of die() on the line */
	SPLAT_HERE = 1 << 1,	/* the guilty function stands on the line itself */
	SPLAT_TEXT = 1 << 2,	/* the title takes the rest of the line */
	SPLAT_NO_FRAME = 1 << 3,	/* no function belongs in the title */
	SPLAT_LEAD = 1 << 4,	/* a first line that a WARN or BUG of the same splat follows */
};

/* A first line of a splat: `text` is a prefix with '*' for anything, never anchored at its end. */
struct splat {
	const char *text;
	enum console_class class;
	const char *what;	/* stem of the title; NULL: from the line */
	unsigned flags;
};

/* The splat that this message starts, or NULL; *ret_rest is what follows the matched text. */
const struct splat *splat_find(const char *text, size_t len, const char **ret_rest);
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
	char ip[SYMBOL_MAX];	/* function of RIP, or "" */
	char text[SYMBOL_MAX];	/* rest of the first line, made stable */
	uint32_t caller;
	GString *excerpt;
};

/* Start, continue, end. `before` are raw context lines, NULL-terminated. */
void event_open(struct open_event *open, struct console_event *ev, const struct splat *splat,
		const struct segment *seg, const char *rest);
void event_excerpt(struct open_event *open, const char *raw, size_t len);
/* Read one line of its body; false: it was the last one. */
bool event_body(struct open_event *open, struct console_event *ev, const struct segment *seg);
/* Is this first line part of the same splat ("Oops: 0000 [#1]" after "BUG: unable to handle")? */
bool event_continues(const struct open_event *open, const struct splat *next,
		     const struct segment *seg);
void event_title(const struct open_event *open, struct console_event *ev);
void event_close(struct open_event *open, struct console_event *ev);

/* strstr() over len bytes; the position behind `needle`, or NULL. */
const char *bytes_after(const char *text, size_t len, const char *needle);

#endif
