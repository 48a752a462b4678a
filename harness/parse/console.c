// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From bytes to kernel messages: lines, control bytes, time stamps in mid-line (two CPUs, one
 * UART), NMI chatter, lines torn by it. Splats are told in console_splat.c and read in
 * console_event.c.
 */
#include "parse/console_priv.h"

#include <string.h>

struct context_line {
	char text[CONSOLE_EXCERPT_COLUMNS];
	size_t len;
};

struct console {
	struct console_report report;
	struct console_event events[CONSOLE_EVENTS_MAX];
	struct console_event spare;    /* of a class that has its share: read, then forgotten */
	struct console_event *current; /* the open one */
	struct open_event open;        /* of `current`; splat == NULL: none */
	struct context_line context[CONTEXT_LINES];
	unsigned context_next;
	char carry[CONSOLE_LINE_MAX]; /* a line whose end has not come */
	size_t carry_len;
	uint64_t line_offset;        /* of the line at hand */
	char held[CONSOLE_LINE_MAX]; /* head of a message that NMI chatter cut off */
	size_t held_len, held_text;  /* held_text: where its text starts, behind the prefix */
	struct segment held_seg;
	char clean[CONSOLE_LINE_MAX], joined[CONSOLE_LINE_MAX * 2], cut[CONSOLE_LINE_MAX];
	bool finished;
};

struct console *console_new(void)
{
	struct console *c = g_new0(struct console, 1);

	c->report.events = c->events;
	return c;
}

static void event_clear(struct console_event *ev)
{
	g_free(ev->title);
	g_free(ev->frame);
	g_free(ev->excerpt);
	for (unsigned i = 0; i < CONSOLE_FRAMES_MAX; i++)
		g_free(ev->frames[i]);
}

void console_free(struct console *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->report.n; i++)
		event_clear(&c->events[i]);
	event_clear(&c->spare);
	if (c->open.excerpt)
		g_string_free(c->open.excerpt, TRUE);
	g_free(c);
}

static void close_open(struct console *c)
{
	if (c->open.splat)
		event_close(&c->open, c->current);
}

/* Where the next event of this class goes. */
static struct console_event *event_slot(struct console *c, enum console_class class)
{
	unsigned max = class == CONSOLE_WARN ? CONSOLE_WARN_MAX : CONSOLE_CLASS_MAX;

	if (++c->report.counts[class] <= max && c->report.n < CONSOLE_EVENTS_MAX)
		return &c->events[c->report.n++];
	event_clear(&c->spare);
	c->spare = (struct console_event){ 0 };
	return &c->spare;
}

static void open_new(struct console *c, const struct splat *splat, const struct segment *seg,
		     const char *rest)
{
	close_open(c);
	c->current = event_slot(c, splat->class);
	c->open.excerpt = g_string_new(NULL);
	for (unsigned i = 0; i < CONTEXT_LINES; i++) {
		struct context_line *line = &c->context[(c->context_next + i) % CONTEXT_LINES];

		if (line->len)
			event_excerpt(&c->open, line->text, line->len);
		line->len = 0;
	}
	event_excerpt(&c->open, seg->raw, seg->raw_len);
	event_open(&c->open, c->current, splat, seg, rest);
}

/* A splat's first line in the middle of another's text, where no time stamp helps to cut. */
static const struct splat *find_inside(struct segment *seg, const char **ret_rest)
{
	static const char *const marks[] = { "BUG: ", "Kernel panic - not syncing: " };

	for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++) {
		const char *end = bytes_after(seg->text, seg->len, marks[i]);
		const char *at = end ? end - strlen(marks[i]) : NULL;
		const struct splat *splat;

		/* "---[ end Kernel panic - not syncing" is an end, and "[ BUG:" has its own entry.
		 */
		if (!at || at == seg->text || bytes_after(seg->text, at - seg->text, "[ "))
			continue;
		splat = splat_find(at, seg->text + seg->len - at, ret_rest);
		if (!splat || splat->class == CONSOLE_WARN)
			continue;
		seg->torn = true;
		return splat;
	}
	return NULL;
}

static void context_keep(struct console *c, const struct segment *seg)
{
	struct context_line *line = &c->context[c->context_next++ % CONTEXT_LINES];

	line->len = MIN(seg->raw_len, sizeof(line->text));
	memcpy(line->text, seg->raw, line->len);
}

/* Part of the splat that is being read, or a splat of its own? */
static bool starts_anew(struct console *c, const struct splat *splat, const struct segment *seg)
{
	if (!c->open.splat)
		return true;
	if (event_continues(&c->open, splat, seg))
		return false;
	if (splat->class >= CONSOLE_FINDINGS && c->open.splat->class < CONSOLE_FINDINGS) {
		c->report.counts[splat->class]++;
		return false;
	}
	return true;
}

static void on_segment(struct console *c, struct segment seg)
{
	const char *rest = NULL;
	const struct splat *splat = splat_find(seg.text, seg.len, &rest);

	if (!splat)
		splat = find_inside(&seg, &rest);
	if (splat && starts_anew(c, splat, &seg)) {
		open_new(c, splat, &seg, rest);
	} else if (c->open.splat) {
		if (!event_body(&c->open, c->current, &seg))
			close_open(c);
	} else {
		c->report.weather += splat_is_weather(seg.text, seg.len);
		context_keep(c, &seg);
	}
}

/* "[   12.345678]": its length, or 0. */
static size_t stamp_len(const char *p, const char *end, int64_t *ret_us)
{
	const char *s = p + 1;
	int64_t seconds = 0, us = 0;

	if (p >= end || *p != '[')
		return 0;
	while (s < end && *s == ' ')
		s++;
	if (s >= end || !g_ascii_isdigit(*s))
		return 0;
	for (; s < end && g_ascii_isdigit(*s) && seconds < 100000000000; s++)
		seconds = seconds * 10 + (*s - '0');
	if (end - s < 8 || *s++ != '.')
		return 0;
	for (unsigned i = 0; i < 6; i++, s++) {
		if (!g_ascii_isdigit(*s))
			return 0;
		us = us * 10 + (*s - '0');
	}
	if (*s != ']')
		return 0;
	*ret_us = seconds * G_USEC_PER_SEC + us;
	return s + 1 - p;
}

/* "[T123]", "[    C0]" of PRINTK_CALLER: its length, or 0. */
static size_t caller_len(const char *p, const char *end, uint32_t *ret)
{
	const char *s = p + 1;
	uint32_t id = 0;
	char kind;

	if (p >= end || *p != '[')
		return 0;
	while (s < end && *s == ' ')
		s++;
	if (end - s < 3 || (*s != 'T' && *s != 'C') || !g_ascii_isdigit(s[1]))
		return 0;
	kind = *s++;
	for (; s < end && g_ascii_isdigit(*s); s++)
		id = id * 10 + (*s - '0');
	if (s >= end || *s != ']')
		return 0;
	*ret = (id & 0xffffff) | (uint32_t)kind << 24;
	return s + 1 - p;
}

/* Take "<6>", "[ts]" and "[caller]" off. */
static struct segment segment_parse(const char *raw, size_t len, uint64_t offset)
{
	struct segment seg = { .raw = raw, .raw_len = len, .at_us = -1, .offset = offset };
	const char *p = raw, *end = raw + len;
	size_t n;

	if (len >= 3 && p[0] == '<' && g_ascii_isdigit(p[1]) && p[2] == '>')
		p += 3;
	n = stamp_len(p, end, &seg.at_us);
	p += n;
	if (n)
		p += caller_len(p, end, &seg.caller);
	if (n && p < end && *p == ' ')
		p++;
	seg.text = p;
	seg.len = end - p;
	return seg;
}

/* The length of the chatter at `p`, as far as its optional parts go. */
static size_t chatter_len(const char *p, const char *end)
{
	static const char *const plain[] = { "Dazed and confused, but trying to continue",
					     "Do you have a strange power saving mode enabled?" };
	static const char uhhuh[] = "Uhhuh. NMI received for unknown reason ";
	const char *s = p;

	for (unsigned i = 0; i < G_N_ELEMENTS(plain); i++) {
		size_t n = strlen(plain[i]);

		if ((size_t)(end - p) >= n && !memcmp(p, plain[i], n))
			return n;
	}
	if ((size_t)(end - p) < strlen(uhhuh) || memcmp(p, uhhuh, strlen(uhhuh)))
		return 0;
	s += strlen(uhhuh);
	while (s < end && g_ascii_isxdigit(*s))
		s++;
	if (end - s > 8 && !memcmp(s, " on CPU ", 8)) {
		s += 8;
		while (s < end && g_ascii_isdigit(*s))
			s++;
	}
	return s + (s < end && *s == '.') - p;
}

/*
 * Cut the NMI chatter out of a segment. *ret_tail: it stood at the end, so that what is before it
 * may go on in the next line. The text without chatter is in c->cut when there was any.
 */
static bool chatter_cut(struct console *c, struct segment *seg, bool *ret_tail)
{
	static const char *const words[] = { "Uhhuh. NMI rec", "Dazed and conf",
					     "Do you have a str" };
	const char *p = seg->raw, *end = seg->raw + seg->raw_len;
	size_t head = seg->text - seg->raw, n = 0;
	bool any = false;

	*ret_tail = false;
	for (unsigned i = 0; i < G_N_ELEMENTS(words) && !any; i++)
		any = memmem(seg->text, seg->len, words[i], strlen(words[i]));
	if (!any)
		return false;
	any = false;
	while (p < end) {
		size_t skip = chatter_len(p, end);

		if (skip)
			c->report.chatter++, any = true;
		else
			c->cut[n++] = *p;
		*ret_tail = skip != 0;
		p += skip ? skip : 1;
	}
	seg->raw = c->cut;
	seg->raw_len = n;
	seg->text = c->cut + head;
	seg->len = n - head;
	return any;
}

static void held_flush(struct console *c)
{
	struct segment seg = c->held_seg;

	if (!c->held_len)
		return;
	seg.raw = c->held;
	seg.raw_len = c->held_len;
	seg.text = c->held + c->held_text;
	seg.len = c->held_len - c->held_text;
	c->held_len = 0;
	on_segment(c, seg);
}

static void held_set(struct console *c, const struct segment *seg)
{
	c->held_len = MIN(seg->raw_len, CONSOLE_LINE_MAX);
	memcpy(c->held, seg->raw, c->held_len);
	c->held_text = MIN((size_t)(seg->text - seg->raw), c->held_len);
	c->held_seg = *seg;
}

/* The rest of a message whose head was cut off by chatter. */
static struct segment held_join(struct console *c, const struct segment *seg)
{
	struct segment joined = c->held_seg;

	memcpy(c->joined, c->held, c->held_len);
	memcpy(c->joined + c->held_len, seg->raw, seg->raw_len);
	joined.raw = c->joined;
	joined.raw_len = c->held_len + seg->raw_len;
	joined.text = c->joined + c->held_text;
	joined.len = joined.raw_len - c->held_text;
	joined.torn = true;
	c->held_len = 0;
	return joined;
}

/* The end of the segment at `p`: a time stamp in mid-line, a carriage return, or the line's end. */
static const char *segment_end(const char *p, const char *end)
{
	const char *s = p + (p < end);
	int64_t us;

	for (; (s = memchr(s, '[', end - s)); s++) {
		bool level = s - p >= 3 && s[-3] == '<' && s[-1] == '>';

		/* A level right at `p` and the stamp behind it are this segment's own. */
		if (s - 3 * level > p && stamp_len(s, end, &us))
			return s - 3 * level;
	}
	return end;
}

/*
 * Segments of one line, in order. One that NMI chatter cut off is held: when the next line has no
 * time stamp of its own, it is the rest of that message.
 */
static void split(struct console *c, const char *p, const char *end)
{
	bool first = true, tail = false;

	while (p < end) {
		const char *next = segment_end(p, end);
		struct segment seg = segment_parse(p, next - p, c->line_offset);
		bool only_chatter = chatter_cut(c, &seg, &tail) && !seg.len;

		p = next;
		if (only_chatter)
			continue;
		if (first && c->held_len && seg.at_us < 0)
			seg = held_join(c, &seg);
		else
			held_flush(c);
		first = false;
		if (p == end && !tail)
			on_segment(c, seg);
		else
			held_set(c, &seg);
	}
	if (!tail)
		held_flush(c);
}

/* Without NUL, other control bytes and escape sequences (ESC [ ... letter). */
static size_t clean_copy(char *to, const char *p, const char *end)
{
	size_t n = 0;

	while (p < end) {
		if (*p == '\033' && p + 1 < end && p[1] == '[') {
			p += 2;
			while (p < end && (uint8_t)*p >= 0x20 && (uint8_t)*p < 0x40)
				p++;
			p += p < end;
		} else if ((uint8_t)*p < ' ' && *p != '\t') {
			p++;
		} else {
			to[n++] = *p++;
		}
	}
	return n;
}

/* A whole line or a piece of a very long one, newline and trailing carriage returns taken off. */
static void on_line(struct console *c, const char *p, size_t len)
{
	const char *end = p + len, *cr;

	c->report.lines++;
	while (end > p && end[-1] == '\r')
		end--;
	while ((cr = memchr(p, '\r', end - p))) {
		const char *piece = p;

		p = cr + 1;
		if (memchr(piece, '\0', cr - piece) || memchr(piece, '\033', cr - piece)) {
			c->report.cleaned++;
			split(c, c->clean, c->clean + clean_copy(c->clean, piece, cr));
		} else {
			split(c, piece, cr);
		}
	}
	if (memchr(p, '\0', end - p) || memchr(p, '\033', end - p)) {
		c->report.cleaned++;
		split(c, c->clean, c->clean + clean_copy(c->clean, p, end));
	} else {
		split(c, p, end);
	}
}

/* Pieces of CONSOLE_LINE_MAX bytes: the same wherever the feeds were cut. */
static void carry_add(struct console *c, const char *p, size_t len)
{
	while (len) {
		size_t n = MIN(len, CONSOLE_LINE_MAX - c->carry_len);

		memcpy(c->carry + c->carry_len, p, n);
		c->carry_len += n;
		p += n;
		len -= n;
		if (c->carry_len < CONSOLE_LINE_MAX)
			continue;
		on_line(c, c->carry, c->carry_len);
		c->line_offset += c->carry_len;
		c->carry_len = 0;
	}
}

static void line_end(struct console *c, const char *p, size_t len)
{
	if (!c->carry_len && len < CONSOLE_LINE_MAX) {
		on_line(c, p, len);
		c->line_offset += len + 1;
		return;
	}
	carry_add(c, p, len);
	on_line(c, c->carry, c->carry_len);
	c->line_offset += c->carry_len + 1;
	c->carry_len = 0;
}

void console_feed(struct console *c, const void *data, size_t len)
{
	const char *p = data, *end = p + len, *nl;

	if (c->finished || !len)
		return;
	c->report.bytes += len;
	while ((nl = memchr(p, '\n', end - p))) {
		line_end(c, p, nl - p);
		p = nl + 1;
	}
	carry_add(c, p, end - p);
}

void console_finish(struct console *c)
{
	if (c->finished)
		return;
	if (c->carry_len)
		on_line(c, c->carry, c->carry_len);
	c->carry_len = 0;
	held_flush(c);
	close_open(c);
	c->finished = true;
}

const struct console_report *console_report(const struct console *c)
{
	return &c->report;
}

struct console *console_scan(const void *data, size_t len)
{
	struct console *c = console_new();

	console_feed(c, data, len);
	console_finish(c);
	return c;
}

const char *console_class_name(enum console_class class)
{
	static const char *const names[CONSOLE__COUNT] = {
		[CONSOLE_OOPS] = "oops",
		[CONSOLE_CORRUPTION] = "corruption",
		[CONSOLE_LOCKDEP] = "lockdep",
		[CONSOLE_HARD_LOCKUP] = "hard-lockup",
		[CONSOLE_HUNG_TASK] = "hung-task",
		[CONSOLE_SOFT_LOCKUP] = "soft-lockup",
		[CONSOLE_RCU_STALL] = "rcu-stall",
		[CONSOLE_PANIC] = "panic",
		[CONSOLE_KILLED_INIT] = "killed-init",
		[CONSOLE_BOOT_FAILURE] = "boot-failure",
		[CONSOLE_WEATHER] = "weather",
		[CONSOLE_WARN] = "warn",
		[CONSOLE_RACE] = "race",
		[CONSOLE_UNDEFINED] = "undefined",
		[CONSOLE_OOM] = "oom",
		[CONSOLE_USER_FAULT] = "user-fault",
	};

	return names[class];
}

bool console_class_is_fatal(enum console_class class)
{
	switch (class) {
	case CONSOLE_OOPS:
	case CONSOLE_CORRUPTION:
	case CONSOLE_HARD_LOCKUP:
	case CONSOLE_PANIC:
	case CONSOLE_KILLED_INIT:
	case CONSOLE_WEATHER:
		return true;
	default:
		return false;
	}
}

const struct console_event *console_fatal(const struct console *c)
{
	for (unsigned i = 0; i < c->report.n; i++) {
		if (console_class_is_fatal(c->events[i].class))
			return &c->events[i];
	}
	return NULL;
}
