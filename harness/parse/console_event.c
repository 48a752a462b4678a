// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What follows the first line of a splat: registers, call trace, end. From it come the guilty
 * function and a title that is the same for the same bug on every machine, build and run.
 */
#include "parse/console_priv.h"

#include "parse/frames.h"

#include <string.h>

static bool is_symbol_char(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '.' || c == '$';
}

/* "name+0x1f/0x30" anywhere in the text: its name goes to `ret`; where it starts, or NULL. */
static const char *symbol_take(const char *text, size_t len, char ret[SYMBOL_MAX])
{
	const char *plus = text, *end = text + len;

	for (; (plus = memchr(plus, '+', end - plus)); plus++) {
		const char *name = plus, *slash = plus + 3;
		size_t n;

		if (end - plus < 5 || plus[1] != '0' || plus[2] != 'x')
			continue;
		while (name > text && is_symbol_char(name[-1]))
			name--;
		while (slash < end && g_ascii_isxdigit(*slash))
			slash++;
		n = plus - name;
		if (n && !g_ascii_isdigit(*name) && slash > plus + 3 && slash < end &&
		    *slash == '/') {
			n = MIN(n, SYMBOL_MAX - 1);
			memcpy(ret, name, n);
			ret[n] = '\0';
			return name;
		}
	}
	return NULL;
}

/* bpf_prog_6deef7357e7b4530_sys_enter -> bpf_prog_sys_enter; compiler suffixes go too. */
static char *symbol_stable(const char *name)
{
	const char *tag = name + strlen("bpf_prog_");
	size_t n = strcspn(name, ".");

	if (g_str_has_prefix(name, "bpf_prog_") && n > strlen("bpf_prog_") + 16 &&
	    strspn(tag, "0123456789abcdef") == 16 && tag[16] == '_')
		return g_strdup_printf("bpf_prog%.*s", (int)(n - strlen("bpf_prog_") - 16),
				       tag + 16);
	return g_strndup(name, n ? n : strlen(name));
}

/* Is the text at `p` an address: "0x..." or eight hex digits and more? Its length, or 0. */
static size_t address_len(const char *p, const char *end)
{
	size_t n = 0, prefix = end - p > 2 && p[0] == '0' && p[1] == 'x' ? 2 : 0;

	while (p + prefix + n < end && g_ascii_isxdigit(p[prefix + n]))
		n++;
	return prefix ? (n ? n + 2 : 0) : n >= 8 ? n : 0;
}

/* Text of a first line without what changes from run to run: addresses and numbers. */
static void text_stable(const char *text, size_t len, char ret[SYMBOL_MAX])
{
	const char *end = text + MIN(len, SYMBOL_MAX * 2);
	size_t n = 0;
	bool word = false; /* the previous byte belongs to a word */

	while (text < end && n < SYMBOL_MAX - 5) {
		size_t skip = word ? 0 : address_len(text, end);
		bool number = !word && !skip && g_ascii_isdigit(*text);

		while (number && text + skip < end && g_ascii_isdigit(text[skip]))
			skip++;
		if (skip) {
			ret[n++] = number ? 'N' : 'X';
			text += skip;
		} else {
			ret[n++] = g_ascii_isprint(*text) ? *text : ' ';
			text++;
		}
		word = g_ascii_isalnum(text[-1]) || text[-1] == '_';
	}
	while (n && strchr(" .:,!", ret[n - 1]))
		n--;
	ret[n] = '\0';
}

static bool starts_with(const struct segment *seg, const char *prefix)
{
	size_t n = strlen(prefix);

	return seg->len >= n && !memcmp(seg->text, prefix, n);
}

void event_excerpt(struct open_event *open, const char *raw, size_t len)
{
	size_t at;

	if (!open->excerpt || open->excerpt_lines >= CONSOLE_EXCERPT_LINES)
		return;
	open->excerpt_lines++;
	at = open->excerpt->len;
	g_string_append_len(open->excerpt, raw, MIN(len, CONSOLE_EXCERPT_COLUMNS));
	for (; at < open->excerpt->len; at++) {
		char c = open->excerpt->str[at];

		if (!g_ascii_isprint(c))
			open->excerpt->str[at] = c == '\t' ? ' ' : '?';
	}
	g_string_append_c(open->excerpt, '\n');
}

/* "Attempted to kill init! exitcode=0x00000b00": low 7 bits are the signal, as in wait(2). */
static int exitcode_signal(const char *text, size_t len)
{
	const char *at = bytes_after(text, len, "exitcode=0x");
	unsigned code = 0;

	for (unsigned i = 0; at && i < 8 && at + i < text + len && g_ascii_isxdigit(at[i]); i++)
		code = code << 4 | g_ascii_xdigit_value(at[i]);
	return at ? code & 0x7f : 0;
}

/* What is the text worth for the title? Where and who changes: KASAN's stops at " in func". */
static void take_text(struct open_event *open, const char *rest, size_t len)
{
	static const struct {
		const char *text;
		unsigned flags; /* of the splats that it ends; 0: all */
	} stops[] = { { " on CPU#", 0 },
		      { " at ", SPLAT_HERE },
		      { " in ", SPLAT_HERE },
		      { " (active state ", 0 },
		      { ": 0", SPLAT_DIE } };

	for (unsigned i = 0; i < G_N_ELEMENTS(stops); i++) {
		const char *stop = memmem(rest, len, stops[i].text, strlen(stops[i].text));

		if (stop && (!stops[i].flags || (open->splat->flags & stops[i].flags)))
			len = stop - rest;
	}
	text_stable(rest, len, open->text);
}

static bool is_bug(const struct splat *splat)
{
	return g_str_equal(splat->text, "kernel BUG at ");
}

/* "kernel BUG at mm/usercopy.c:99!": the file is the title when no function is known. */
static void take_bug_file(struct open_event *open, const char *rest, size_t len)
{
	const char *colon = memchr(rest, ':', len);

	text_stable(rest, colon ? (size_t)(colon - rest) : len, open->text);
}

void event_open(struct open_event *open, struct console_event *ev, const struct splat *splat,
		const struct segment *seg, const char *rest)
{
	size_t len = seg->text + seg->len - rest;

	open->splat = splat;
	open->caller = seg->caller;
	open->died = splat_has_die(seg->text, seg->len);
	ev->class = splat->class;
	ev->offset = seg->offset;
	ev->at_us = seg->at_us;
	ev->corrupted = seg->torn;
	ev->open = true;
	if (splat->class == CONSOLE_KILLED_INIT)
		ev->signal = exitcode_signal(rest, len);
	if (splat->flags & SPLAT_HERE)
		symbol_take(rest, len, open->ip);
	if (splat->flags & SPLAT_TEXT)
		take_text(open, rest, len);
	else if (is_bug(splat))
		take_bug_file(open, rest, len);
	event_title(open, ev);
}

bool event_continues(const struct open_event *open, const struct splat *next,
		     const struct segment *seg)
{
	bool same_cpu = !open->caller || !seg->caller || open->caller == seg->caller;

	if (!same_cpu || open->traced)
		return false;
	/* KASAN of 4.x tells of the slab in slab's own words. */
	if ((next->flags & SPLAT_TRACE) && open->splat->class == CONSOLE_CORRUPTION &&
	    open->lines <= 4)
		return true;
	/* A report that announces itself, then WARNs or BUGs. */
	if ((open->splat->flags & SPLAT_LEAD) && !open->ip[0] && open->lines <= 3 &&
	    (next->class == CONSOLE_WARN || next->class == CONSOLE_OOPS))
		return true;
	if ((open->splat->flags & SPLAT_LEAD) && open->splat->class == CONSOLE_OOPS && !open->died)
		return next->class == CONSOLE_OOPS;
	return (next->flags & SPLAT_DIE) && !open->died &&
	       (open->splat->class == CONSOLE_OOPS || (open->splat->flags & SPLAT_LEAD));
}

/* Says nothing about this kind of event: who asked the checker or the allocator is the guilty one.
 */
static bool is_noise(const struct console_event *ev, const char *name)
{
	return frame_is_noise(name) ||
	       (ev->class == CONSOLE_CORRUPTION && frame_is_allocator(name));
}

static void frame_add(struct open_event *open, struct console_event *ev, const char *name)
{
	if (open->n_frames == CONSOLE_FRAMES_MAX)
		return;
	ev->frames[open->n_frames++] = symbol_stable(name);
	if ((!ev->frame || is_noise(ev, ev->frame)) && !is_noise(ev, name))
		event_title(open, ev);
}

/* "RIP: 0010:f+0x1/0x2", "RIP: 0010:[<addr>]  [<addr>] f+0x1/0x2", "IP: f+0x..", "RIP  [<addr>] f".
 */
static bool body_ip(struct open_event *open, struct console_event *ev, const struct segment *seg)
{
	char name[SYMBOL_MAX];

	if (!starts_with(seg, "RIP") && !starts_with(seg, "IP: "))
		return false;
	if (open->ip[0] || starts_with(seg, "RIP: 0033:"))
		return true;
	open->has_ip = true;
	if (symbol_take(seg->text, seg->len, name)) {
		g_strlcpy(open->ip, name, sizeof(open->ip));
		event_title(open, ev);
	} else if (bytes_after(seg->text, seg->len, "RIP: 0010:0xffff") ||
		   bytes_after(seg->text, seg->len, ">] 0xffff")) {
		ev->no_symbols = true;
	}
	return true;
}

/* Call trace lines: " f+0x1/0x2", " [<addr>] f+0x1/0x2"; '?' marks what the kernel itself doubts.
 */
static void body_frame(struct open_event *open, struct console_event *ev, const struct segment *seg)
{
	const char *p = seg->text, *end = seg->text + seg->len;
	char name[SYMBOL_MAX];

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == seg->text)
		return;
	if (end - p > 2 && p[0] == '[' && p[1] == '<') {
		while (p < end && *p != ']')
			p++;
		p += p < end;
		while (p < end && *p == ' ')
			p++;
	}
	if (p >= end || *p == '?') {
		if (!open->doubtful[0] && symbol_take(p, MIN(end - p, SYMBOL_MAX * 2), name) &&
		    !frame_is_noise(name))
			g_strlcpy(open->doubtful, name, sizeof(open->doubtful));
		return;
	}
	if (symbol_take(p, MIN(end - p, SYMBOL_MAX * 2), name) == p)
		frame_add(open, ev, name);
	else if (end - p > 6 && !memcmp(p, "0xffff", 6))
		ev->no_symbols = true;
}

/* "(vmap_area_lock){+.+.}-{2:2}, at: find_vmap_area+0x1/0x2": the lock that the report is about. */
static void body_lock(struct open_event *open, struct console_event *ev, const struct segment *seg)
{
	const char *end = seg->text + seg->len,
		   *hidden = bytes_after(seg->text, seg->len, "ptrval");
	const char *from = hidden ? hidden : seg->text, *name = memchr(from, '(', end - from);
	const char *at = bytes_after(seg->text, seg->len, " at:");
	const char *close;
	char symbol[SYMBOL_MAX] = "";

	if (open->ip[0])
		return;
	if (open->lock_next) {
		open->lock_next = false;
		at = seg->text;
	} else if (at && name && (close = bytes_after(name, end - name, "){"))) {
		text_stable(name + 1, close - 2 - name - 1, open->text);
	} else if (at && name && bytes_after(seg->text, seg->len, " release lock (") &&
		   (close = bytes_after(name, end - name, ") at:"))) {
		text_stable(name + 1, close - 5 - name - 1, open->text);
		open->lock_next = true;
		return;
	} else {
		return;
	}
	if (symbol_take(at, end - at, symbol))
		g_strlcpy(open->ip, symbol, sizeof(open->ip));
	event_title(open, ev);
}

static bool is_foreign(const struct open_event *open, const struct segment *seg)
{
	return open->caller && seg->caller && open->caller != seg->caller;
}

bool event_body(struct open_event *open, struct console_event *ev, const struct segment *seg)
{
	open->lines++;
	event_excerpt(open, seg->raw, seg->raw_len);
	if (is_foreign(open, seg))
		return open->lines < BODY_LINES_MAX;
	if (starts_with(seg, "---[ end ") || open->lines >= BODY_LINES_MAX)
		return false;
	if (starts_with(seg, "Call Trace:") || starts_with(seg, "Call trace:"))
		open->traced = true;
	else if ((seg->bytes & LINE_HASH) && splat_has_die(seg->text, seg->len))
		open->died = true;
	if (open->splat->flags & SPLAT_LOCK)
		body_lock(open, ev, seg);
	if (!body_ip(open, ev, seg) && (open->traced || !(open->splat->flags & SPLAT_TRACE)))
		body_frame(open, ev, seg);
	return true;
}

/* The innermost function that says something; RIP comes before the trace. */
static const char *guilty_frame(const struct open_event *open, const struct console_event *ev)
{
	const char *fallback = open->ip[0] ? open->ip : NULL;

	if (open->splat->flags & SPLAT_NO_FRAME)
		return NULL;
	if (open->ip[0] && (!is_noise(ev, open->ip) ||
			    (ev->class == CONSOLE_OOPS && frame_is_machinery(open->ip))))
		return open->ip;
	for (unsigned i = 0; i < open->n_frames; i++) {
		/* What an interrupt came upon has not called what failed in it. */
		if (ev->class == CONSOLE_OOPS && open->ip[0] && frame_context(ev->frames[i]))
			break;
		if (!is_noise(ev, ev->frames[i]))
			return ev->frames[i];
		if (!fallback && !frame_is_noise(ev->frames[i]))
			fallback = ev->frames[i];
	}
	/* A jump to nowhere leaves frames that the unwinder doubts. */
	return fallback || ev->class != CONSOLE_OOPS || !open->doubtful[0] ? fallback
									   : open->doubtful;
}

static const char *class_lead(enum console_class class)
{
	static const char *const leads[CONSOLE__COUNT] = {
		[CONSOLE_OOPS] = "oops: ",       [CONSOLE_CORRUPTION] = "corruption: ",
		[CONSOLE_LOCKDEP] = "lockdep: ", [CONSOLE_PANIC] = "panic: ",
		[CONSOLE_WEATHER] = "weather: ",
	};

	return leads[class] ? leads[class] : "";
}

static char *killed_title(const struct console_event *ev)
{
	return ev->signal ? g_strdup_printf("init killed by signal %d", ev->signal)
			  : g_strdup("init exited");
}

void event_title(const struct open_event *open, struct console_event *ev)
{
	const struct splat *splat = open->splat;
	const char *frame = guilty_frame(open, ev), *what = splat->what, *text = open->text;
	g_autofree char *name = frame ? symbol_stable(frame) : NULL;
	bool in_text = text[0] && !(name && is_bug(splat));

	g_free(ev->title);
	g_free(ev->frame);
	if (splat->class == CONSOLE_KILLED_INIT)
		ev->title = killed_title(ev);
	else
		ev->title = g_strconcat(class_lead(splat->class), what ? what : "",
					what && in_text ? ": " : "", in_text ? text : "",
					name ? " in " : "", name ? name : "",
					!name && ev->no_symbols ? " (no symbols)" : "", NULL);
	ev->frame = g_steal_pointer(&name);
}

bool event_has_place(const struct open_event *open)
{
	return open->ip[0] || open->n_frames ||
	       (open->splat->flags & (SPLAT_NO_FRAME | SPLAT_LEAD | SPLAT_TRACE));
}

/* These always come with registers or a trace: without them something was cut off. */
static bool wants_frames(enum console_class class)
{
	return class == CONSOLE_OOPS || class == CONSOLE_HARD_LOCKUP ||
	       class == CONSOLE_SOFT_LOCKUP;
}

void event_close(struct open_event *open, struct console_event *ev)
{
	ev->open = false;
	if (wants_frames(ev->class) && !(open->splat->flags & SPLAT_NO_FRAME) && !open->ip[0] &&
	    !open->has_ip && !open->n_frames && !ev->no_symbols)
		ev->corrupted = true;
	event_title(open, ev);
	ev->excerpt = open->excerpt ? g_strndup(open->excerpt->str, open->excerpt->len) : NULL;
	*open = (struct open_event){ 0 };
}
