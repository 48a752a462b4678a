/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel consoles, 3.10 to 7.x: a total, streaming, bounded parser. It never fails; what it does not
 * know it skips. The result does not depend on how the bytes were cut into console_feed() calls.
 *
 * Use: console_new(), console_feed()... console_finish(), console_report(). Events may be looked at
 * between feeds: the last one may still be `open`, its title then gets better as frames come.
 *
 * Memory is flat: of each class the first few events are kept, of each title CONSOLE_TWINS_MAX, with
 * excerpts of CONSOLE_EXCERPT_LINES short lines, so that no flood hides anything else; all are
 * counted.
 * Lines are read in pieces of CONSOLE_LINE_MAX bytes.
 */
#ifndef KLAB_PARSE_CONSOLE_H
#define KLAB_PARSE_CONSOLE_H

#include "base/lab.h"

#define CONSOLE_LINE_MAX 16384
#define CONSOLE_WARN_MAX 16	/* events kept of CONSOLE_WARN */
#define CONSOLE_CLASS_MAX 5	/* of each other class */
#define CONSOLE_TWINS_MAX 2	/* of one class and title */
#define CONSOLE_EVENTS_MAX 192	/* two shares and more: see console_new_share() */
#define CONSOLE_EXCERPT_LINES 40
#define CONSOLE_EXCERPT_COLUMNS 256
#define CONSOLE_FRAMES_MAX 16

enum console_class {
	CONSOLE_OOPS,		/* faults, BUG(), traps, double faults, stack overflows */
	CONSOLE_CORRUPTION,	/* KASAN, KFENCE, lists, slabs, bad pages, stack canaries */
	CONSOLE_LOCKDEP,
	CONSOLE_HARD_LOCKUP,
	CONSOLE_HUNG_TASK,
	CONSOLE_SOFT_LOCKUP,	/* weak: a starved host does that too */
	CONSOLE_RCU_STALL,	/* weak */
	CONSOLE_PANIC,
	CONSOLE_KILLED_INIT,	/* panic because PID 1 died; `signal` says of what */
	CONSOLE_BOOT_FAILURE,	/* no init, no root file system: says nothing about the kernel */
	CONSOLE_WEATHER,	/* fatal, and known from emulators on busy hosts */
	CONSOLE_WARN,		/* WARN(), BUG messages that go on: findings */
	CONSOLE_RACE,		/* KCSAN */
	CONSOLE_UNDEFINED,	/* UBSAN, KMSAN */
	CONSOLE_OOM,		/* the guest is short of memory: a note */
	CONSOLE_USER_FAULT,	/* a user process got a fatal signal from a trap: a note */
	CONSOLE__COUNT
};
/* Classes from here on change no verdict by themselves, and never cut another splat short. */
#define CONSOLE_FINDINGS CONSOLE_WARN

struct console_event {
	enum console_class class;
	char *title;		/* stable: no addresses, numbers of CPUs, times; never NULL */
	char *frame;		/* the guilty function, or NULL */
	char *frames[CONSOLE_FRAMES_MAX];	/* functions as printed, innermost first, NULL-ended when
						 * shorter; noise is in it, '?' entries are not */
	char *excerpt;		/* up to CONSOLE_EXCERPT_LINES lines, NMI chatter left out */
	bool corrupted;		/* torn or cut off: the title may be wrong */
	bool no_symbols;	/* addresses where names should be */
	bool open;		/* more of it may come */
	int signal;		/* KILLED_INIT: signal number, or 0 when it exited; else 0 */
	uint64_t offset;	/* of its first line in the bytes fed */
	int64_t at_us;		/* the kernel's own time stamp, or -1 */
};

struct console_report {
	const struct console_event *events;	/* in the order in which they came */
	unsigned n;
	uint64_t counts[CONSOLE__COUNT];	/* events that were only counted included */
	uint64_t unkept[CONSOLE__COUNT];	/* of this share: only counted, and no
						 * kept one has their title */
	uint64_t bytes, lines;
	uint64_t chatter;	/* "NMI received for unknown reason" and kin, dropped */
	uint64_t weather;	/* harmless lines known from emulators and busy hosts */
	uint64_t cleaned;	/* lines with NUL, ESC or other control bytes */
};

struct console;
struct console *console_new(void);
void console_feed(struct console *c, const void *data, size_t len);
/* The last line may lack its newline; closes what is open. Idempotent; no feeding afterwards. */
void console_finish(struct console *c);
/* Valid until the next feed, finish or free. */
const struct console_report *console_report(const struct console *c);
/* From here on each class has its share of kept events anew: what a boot printed must not hide what
 * comes while a probe runs. */
void console_new_share(struct console *c);
void console_free(struct console *c);
typedef struct console console;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(console, console_free)

/* A whole console at once; console_free() the result. */
struct console *console_scan(const void *data, size_t len);

/* "oops", "soft-lockup", ... */
const char *console_class_name(enum console_class class);
/* After this there is nothing to wait for: the guest is broken, or its verdict is known. */
bool console_class_is_fatal(enum console_class class);
/* The first fatal event so far, or NULL: what a live session asks after each feed. */
const struct console_event *console_fatal(const struct console *c);
/* Bytes of memory behind `c`: at most CONSOLE_HELD_MAX, whatever was fed. */
#define CONSOLE_HELD_MAX (3u << 20)
size_t console_held(const struct console *c);

#endif
