// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From bytes to kernel messages: lines, segments of lines (two CPUs, one UART), lines torn by NMI
 * chatter; and which events are kept. console_line.c knows what stands on a line, console_splat.c
 * the first lines of splats, console_event.c reads what follows them.
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
	GString *excerpt;              /* of the open one */
	unsigned kept[CONSOLE__COUNT]; /* of the share that runs now */
	unsigned share_from;           /* the first event of that share */
	uint64_t stamped;              /* segments with a time stamp */
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
	c->excerpt = g_string_new(NULL);
	return c;
}

static void event_clear(struct console_event *ev)
{
	g_free(ev->title);
	g_free(ev->frame);
	g_free(ev->excerpt);
	for (unsigned i = 0; i < CONSOLE_FRAMES_MAX; i++)
		g_free(ev->frames[i]);
	*ev = (struct console_event){ 0 };
}

void console_free(struct console *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->report.n; i++)
		event_clear(&c->events[i]);
	event_clear(&c->spare);
	g_string_free(c->excerpt, TRUE);
	g_free(c);
}

/* Events of this share with the class and title of `ev`, which may be one of them itself. */
static unsigned count_twins(const struct console *c, const struct console_event *ev)
{
	unsigned n = 0;

	for (unsigned i = c->share_from; i < c->report.n; i++)
		n += c->events[i].class == ev->class && g_str_equal(c->events[i].title, ev->title);
	return n;
}

/*
 * The event has its last title now. What the kept ones say already takes no place: a flood of one
 * message must not hide another of its class.
 */
static void close_open(struct console *c)
{
	struct console_event *ev = c->current;
	unsigned twins;

	if (!c->open.splat)
		return;
	event_close(&c->open, ev);
	twins = count_twins(c, ev);
	if (ev == &c->spare) {
		c->report.unkept[ev->class] += twins == 0;
	} else if (twins > CONSOLE_TWINS_MAX) {
		c->kept[ev->class]--;
		c->report.n--;
		event_clear(ev);
	}
}

/* Where the next event of this class goes. */
static struct console_event *event_slot(struct console *c, enum console_class class)
{
	unsigned max = class == CONSOLE_WARN ? CONSOLE_WARN_MAX : CONSOLE_CLASS_MAX;

	c->report.counts[class]++;
	if (c->kept[class] < max && c->report.n < CONSOLE_EVENTS_MAX) {
		c->kept[class]++;
		return &c->events[c->report.n++];
	}
	event_clear(&c->spare);
	return &c->spare;
}

void console_new_share(struct console *c)
{
	memset(c->kept, 0, sizeof(c->kept));
	memset(c->report.unkept, 0, sizeof(c->report.unkept));
	c->share_from = c->report.n;
}

static void open_new(struct console *c, const struct splat *splat, const struct segment *seg,
		     const char *rest)
{
	close_open(c);
	c->current = event_slot(c, splat->class);
	g_string_truncate(c->excerpt, 0);
	c->open.excerpt = c->current == &c->spare ? NULL : c->excerpt;
	for (unsigned i = 0; i < CONTEXT_LINES; i++) {
		struct context_line *line = &c->context[(c->context_next + i) % CONTEXT_LINES];

		if (line->len)
			event_excerpt(&c->open, line->text, line->len);
		line->len = 0;
	}
	event_excerpt(&c->open, seg->raw, seg->raw_len);
	event_open(&c->open, c->current, splat, seg, rest);
}

/* Words of a user that the kernel repeats: a name in quotes, a task's name, a daemon's message. */
static bool is_repeated(const char *text, const char *at)
{
	static const char *const leads[] = { "'",      "`",        "\"",    "(",     "]: ",
					     "Comm: ", "comm: ",   "comm ", "comm=", "task ",
					     "task:",  "process ", "[ " };
	size_t len = at - text;

	for (unsigned i = 0; i < G_N_ELEMENTS(leads); i++) {
		size_t n = strlen(leads[i]);

		if (len >= n && !memcmp(at - n, leads[i], n))
			return true;
	}
	return false;
}

/*
 * A splat's first line in the middle of another's text, on a console without time stamps to cut it
 * at. "---[ end Kernel panic - not syncing" is an end, and "[ BUG:" has its own entry.
 */
static const struct splat *find_inside(const struct console *c, struct segment *seg,
				       const char **ret_rest)
{
	static const struct {
		const char *text;
		uint32_t bytes;
	} marks[] = { { "BUG: ", LINE_B | LINE_U | LINE_G },
		      { "Kernel panic - not syncing: ", LINE_K | LINE_Y } };

	for (unsigned i = 0; i < G_N_ELEMENTS(marks) && !c->stamped; i++) {
		const char *end, *at;
		const struct splat *splat;

		if ((seg->bytes & marks[i].bytes) != marks[i].bytes)
			continue;
		end = bytes_after(seg->text, seg->len, marks[i].text);
		at = end ? end - strlen(marks[i].text) : NULL;
		if (!at || at == seg->text || is_repeated(seg->text, at))
			continue;
		splat = splat_find(at, seg->text + seg->len - at, seg->bytes, ret_rest);
		if (!splat || splat->class >= CONSOLE_FINDINGS)
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

/* What survives when two splats are printed at once. */
static unsigned strength(enum console_class class)
{
	switch (class) {
	case CONSOLE_SOFT_LOCKUP:
	case CONSOLE_RCU_STALL:
	case CONSOLE_HUNG_TASK:
		return 1;
	case CONSOLE_LOCKDEP:
		return 2;
	default:
		return class < CONSOLE_FINDINGS ? 3 : 0;
	}
}

/*
 * Part of the splat that is being read, or a splat of its own? One that does not get its turn is
 * counted.
 */
static bool starts_anew(struct console *c, const struct splat *splat, const struct segment *seg)
{
	struct open_event *open = &c->open;
	bool told_apart = open->caller && seg->caller && open->caller != seg->caller;

	if (!open->splat)
		return true;
	if (event_continues(open, splat, seg))
		return false;
	if (told_apart ? strength(splat->class) > strength(open->splat->class)
		       : strength(splat->class) || !strength(open->splat->class))
		return true;
	c->report.counts[splat->class]++;
	c->report.unkept[splat->class]++;
	/* Whose are the lines that follow? */
	if (!told_apart && !event_has_place(open))
		c->current->corrupted = true;
	return false;
}

static void on_segment(struct console *c, struct segment seg)
{
	const char *rest = NULL;
	const struct splat *splat = splat_find(seg.text, seg.len, seg.bytes, &rest);

	/* A kernel that dates its messages dates all of them: this one may be a user's. */
	if (splat && seg.at_us < 0 && c->stamped)
		seg.torn = true;
	c->stamped += seg.at_us >= 0;
	if (!splat)
		splat = find_inside(c, &seg, &rest);
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

/*
 * Cut the NMI chatter out of a segment. *ret_tail: it stood at the end, so that what is before it
 * may go on in the next line. The text without chatter is in c->cut when there was any.
 */
static bool chatter_cut(struct console *c, struct segment *seg, bool *ret_tail)
{
	static const struct {
		const char *text;
		uint32_t bytes;
	} words[] = { { "Uhhuh. NMI rec", LINE_U | LINE_N | LINE_M },
		      { "Dazed and conf", LINE_D | LINE_Z },
		      { "Do you have a str", LINE_D | LINE_Y | LINE_V } };
	const char *p = seg->raw, *end = seg->raw + seg->raw_len;
	size_t head = seg->text - seg->raw, n = 0;
	bool any = false;

	*ret_tail = false;
	for (unsigned i = 0; i < G_N_ELEMENTS(words) && !any; i++)
		any = (seg->bytes & words[i].bytes) == words[i].bytes &&
		      bytes_after(seg->text, seg->len, words[i].text);
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
	joined.bytes |= seg->bytes;
	c->held_len = 0;
	return joined;
}

/*
 * Segments of one line, in order. One that NMI chatter cut off is held: when the next line has no
 * time stamp of its own, it is the rest of that message.
 */
static void split(struct console *c, const char *p, const char *end, uint32_t bytes)
{
	bool first = true, tail = false;

	while (p < end) {
		const char *next = segment_end(p, end);
		struct segment seg = segment_parse(p, next - p, c->line_offset);
		bool only_chatter;

		seg.bytes = bytes;
		only_chatter = chatter_cut(c, &seg, &tail) && !seg.len;
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

/* Between carriage returns. */
static void on_piece(struct console *c, const char *p, const char *end, uint32_t bytes)
{
	if ((bytes & LINE_CONTROL) && (memchr(p, '\0', end - p) || memchr(p, '\033', end - p))) {
		c->report.cleaned++;
		end = c->clean + clean_copy(c->clean, p, end);
		p = c->clean;
	}
	split(c, p, end, bytes);
}

/* A whole line or a piece of a very long one, newline and trailing carriage returns taken off. */
static void on_line(struct console *c, const char *p, size_t len)
{
	const char *end = p + len, *cr;
	uint32_t bytes;

	c->report.lines++;
	while (end > p && end[-1] == '\r')
		end--;
	bytes = line_bytes(p, end);
	while ((bytes & LINE_CR) && (cr = memchr(p, '\r', end - p))) {
		on_piece(c, p, cr, bytes);
		p = cr + 1;
	}
	on_piece(c, p, end, bytes);
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
	bool cut = c->carry_len != 0;

	if (c->finished)
		return;
	if (cut)
		on_line(c, c->carry, c->carry_len);
	c->carry_len = 0;
	held_flush(c);
	if (cut && c->open.splat && !event_has_place(&c->open))
		c->current->corrupted = true;
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

const struct console_event *console_fatal(const struct console *c)
{
	for (unsigned i = 0; i < c->report.n; i++) {
		if (console_class_is_fatal(c->events[i].class))
			return &c->events[i];
	}
	return NULL;
}

static size_t text_held(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t event_held(const struct console_event *ev)
{
	size_t n = text_held(ev->title) + text_held(ev->frame) + text_held(ev->excerpt);

	for (unsigned i = 0; i < CONSOLE_FRAMES_MAX; i++)
		n += text_held(ev->frames[i]);
	return n;
}

size_t console_held(const struct console *c)
{
	size_t n = sizeof(*c) + event_held(&c->spare);

	for (unsigned i = 0; i < c->report.n; i++)
		n += event_held(&c->events[i]);
	return n + c->excerpt->allocated_len;
}
