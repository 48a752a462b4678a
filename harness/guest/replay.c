// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The replay backend: plays a job's journal back with its timing, on a clock that jumps, so that a
 * whole guest's life is judged in milliseconds and without QEMU. It reads the journal's files itself
 * (store/ is a peer); a recording may be made by hand.
 */
#include "guest/guest.h"

#include "base/fs.h"
#include "parse/jsonl.h"
#include "probes/lib/wire.h"

#include <jansson.h>
#include <string.h>

#define FILE_MAX (64u << 20)

enum { FILE_CONSOLE, FILE_WIRE, FILE_STATUS, FILE__COUNT };
static const char *const files[FILE__COUNT] = { "console.log", "wire.log", "status.bin" };
static const char *const streams[FILE__COUNT] = { "console", "wire", "status" };

struct replay {
	json_t *events;		/* array */
	size_t next;		/* index of the next event to play */
	int64_t now_us;
	char *data[FILE__COUNT];
	size_t len[FILE__COUNT], at[FILE__COUNT];
	struct wire_status page;	/* the newest played */
	int64_t delay_us, run_us;
	bool paused;
	size_t next_regs;	/* index behind the "registers" event played last */
	GHashTable *memory;	/* "CPU:ADDR:LEN" -> GQueue of base64, borrowed from events */
};

static struct replay *replay_of(struct guest *g)
{
	return g->priv;
}

static void replay_stop(struct guest *g)
{
	struct replay *r = replay_of(g);

	if (!r)
		return;
	if (r->memory)
		g_hash_table_destroy(r->memory);
	json_decref(r->events);
	for (int i = 0; i < FILE__COUNT; i++)
		g_free(r->data[i]);
	g_free(r);
	g->priv = NULL;
}

static const char *word(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key)) ?: "";
}

static char *memory_key(unsigned cpu, uint64_t addr, size_t len)
{
	return g_strdup_printf("%u:%" G_GINT64_MODIFIER "x:%zu", cpu, addr, len);
}

static void queue_free(gpointer queue)
{
	g_queue_free(queue);
}

/* What is read again and again (jiffies) was written down each time. */
static const char *next_read(struct replay *r, const char *key)
{
	GQueue *reads = g_hash_table_lookup(r->memory, key);

	if (!reads)
		return NULL;
	return reads->length > 1 ? g_queue_pop_head(reads) : g_queue_peek_head(reads);
}

static void index_memory(struct replay *r)
{
	json_t *event;
	size_t i;

	r->memory = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, queue_free);
	json_array_foreach(r->events, i, event) {
		g_autofree char *key = NULL;
		GQueue *reads;

		if (strcmp(word(event, "ev"), "memory") != 0)
			continue;
		key = memory_key(json_integer_value(json_object_get(event, "cpu")),
				 json_integer_value(json_object_get(event, "addr")),
				 json_integer_value(json_object_get(event, "n")));
		reads = g_hash_table_lookup(r->memory, key);
		if (!reads) {
			reads = g_queue_new();
			g_hash_table_insert(r->memory, g_steal_pointer(&key), reads);
		}
		g_queue_push_tail(reads, (char *)word(event, "bytes"));
	}
}

static bool replay_start(const struct guest_spec *spec, struct guest *g, GError **error)
{
	struct replay *r = g_new0(struct replay, 1);
	g_autofree char *text = NULL;
	g_autofree char *journal = g_build_filename(spec->journal, "journal.jsonl", NULL);
	size_t len;

	g->priv = r;
	if (!fs_read(journal, FILE_MAX, &text, &len, error))
		return false;
	r->events = jsonl_parse(text);
	for (int i = 0; i < FILE__COUNT; i++) {
		g_autofree char *path = g_build_filename(spec->journal, files[i], NULL);

		if (!fs_read(path, FILE_MAX, &r->data[i], &r->len[i], error))
			return false;
	}
	index_memory(r);
	return true;
}

static int64_t replay_now_us(struct guest *g)
{
	return replay_of(g)->now_us;
}

static const uint8_t *take(struct replay *r, int file, size_t *len)
{
	const char *data = r->data[file] + r->at[file];

	*len = MIN(*len, r->len[file] - r->at[file]);
	r->at[file] += *len;
	return (const uint8_t *)data;
}

static void play_status(struct replay *r, const json_t *event, size_t len)
{
	const uint8_t *data = take(r, FILE_STATUS, &len);

	r->delay_us = json_integer_value(json_object_get(event, "delay_us"));
	r->run_us = json_integer_value(json_object_get(event, "run_us"));
	r->paused = json_is_true(json_object_get(event, "paused"));
	memset(&r->page, 0, sizeof(r->page));
	memcpy(&r->page, data, MIN(len, sizeof(r->page)));
}

static bool play_chunk(struct replay *r, const json_t *event, struct guest_event *ret)
{
	size_t len = MAX(json_integer_value(json_object_get(event, "n")), 0);
	const char *stream = word(event, "stream");
	int file = strcmp(stream, streams[FILE_CONSOLE]) == 0 ? FILE_CONSOLE : FILE_WIRE;

	if (strcmp(stream, streams[FILE_STATUS]) == 0) {
		play_status(r, event, len);
		return false;
	}
	ret->kind = file == FILE_CONSOLE ? GUEST_CONSOLE : GUEST_WIRE;
	ret->data = take(r, file, &len);
	ret->len = len;
	return len > 0;
}

/* Does this event of the journal show itself to the session? */
static bool play(struct replay *r, const json_t *event, struct guest_event *ret)
{
	const char *ev = word(event, "ev");

	*ret = (struct guest_event){ .at_us = r->now_us, .message = "" };
	if (strcmp(ev, "chunk") == 0)
		return play_chunk(r, event, ret);
	if (strcmp(ev, "exit") != 0)
		return false;
	ret->kind = GUEST_EXIT;
	ret->how = json_integer_value(json_object_get(event, "how"));
	ret->status = json_integer_value(json_object_get(event, "status"));
	ret->message = word(event, "message");
	return true;
}

static bool replay_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error)
{
	struct replay *r = replay_of(g);
	/* a session that waits 0 ms must see time pass all the same */
	int64_t until_us = r->now_us + MAX(timeout_ms, 1) * 1000LL;

	while (r->next < json_array_size(r->events)) {
		json_t *event = json_array_get(r->events, r->next);
		int64_t at_us = json_integer_value(json_object_get(event, "t"));

		if (at_us > until_us)
			break;
		r->next++;
		r->now_us = MAX(r->now_us, at_us);
		if (play(r, event, ret))
			return true;
	}
	r->now_us = until_us;
	*ret = (struct guest_event){ .kind = GUEST_TICK, .at_us = r->now_us, .message = "" };
	return true;
}

static bool replay_send(struct guest *g, const void *data, size_t len, GError **error)
{
	return true;	/* the recorded guest has already answered */
}

static bool replay_nmi(struct guest *g, GError **error)
{
	return true;
}

static bool replay_read_phys(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error)
{
	memset(buf, 0, len);
	memcpy(buf, &replay_of(g)->page, MIN(len, sizeof(struct wire_status)));
	return true;
}

/* Out of a larger piece that was recorded: klabs cut memory into other pieces. */
static bool read_within(struct replay *r, unsigned cpu, uint64_t addr, void *buf, size_t len)
{
	json_t *event;
	size_t i;

	json_array_foreach(r->events, i, event) {
		uint64_t from = json_integer_value(json_object_get(event, "addr"));
		json_int_t n = json_integer_value(json_object_get(event, "n"));
		g_autofree guchar *bytes = NULL;
		gsize have = 0;

		if (strcmp(word(event, "ev"), "memory") != 0 || n <= 0 || addr < from ||
		    addr - from > (uint64_t)n || len > (uint64_t)n - (addr - from) ||
		    json_integer_value(json_object_get(event, "cpu")) != cpu)
			continue;
		bytes = g_base64_decode(word(event, "bytes"), &have);
		if (have < (uint64_t)n)
			continue;
		memcpy(buf, bytes + (addr - from), len);
		return true;
	}
	return false;
}

static bool replay_read_virt(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
			     GError **error)
{
	g_autofree char *key = memory_key(cpu, addr, len);
	const char *text = next_read(replay_of(g), key);
	g_autofree guchar *bytes = NULL;
	gsize n = 0;

	bytes = text && *text ? g_base64_decode(text, &n) : NULL;
	if ((!bytes || n != len) && read_within(replay_of(g), cpu, addr, buf, len))
		return true;
	if (!bytes || n != len)
		return lab_fail(error, LAB_ERROR_INPUT, "the recording has no memory at %s", key);
	memcpy(buf, bytes, len);
	return true;
}

static void fill_regs(const json_t *cpu, struct guest_regs *ret)
{
	ret->rip = json_integer_value(json_array_get(cpu, 0));
	ret->rsp = json_integer_value(json_array_get(cpu, 1));
	ret->rdi = json_integer_value(json_array_get(cpu, 2));
	ret->rflags = json_integer_value(json_array_get(cpu, 3));
	ret->halted = json_is_true(json_array_get(cpu, 4));
	ret->cpl = json_integer_value(json_array_get(cpu, 5));
	/* absent from older recordings: 0 */
	ret->rbp = json_integer_value(json_array_get(cpu, 6));
	ret->gs_base = json_integer_value(json_array_get(cpu, 7));
	ret->rsi = json_integer_value(json_array_get(cpu, 8));
	ret->rbx = json_integer_value(json_array_get(cpu, 9));
	ret->rdx = json_integer_value(json_array_get(cpu, 10));
	ret->r10 = json_integer_value(json_array_get(cpu, 11));
	ret->r12 = json_integer_value(json_array_get(cpu, 12));
	ret->r13 = json_integer_value(json_array_get(cpu, 13));
	ret->r14 = json_integer_value(json_array_get(cpu, 14));
	ret->r15 = json_integer_value(json_array_get(cpu, 15));
}

/* The recorded samples one after the other. */
static bool replay_regs(struct guest *g, struct guest_regs *ret, unsigned n, GError **error)
{
	struct replay *r = replay_of(g);
	json_t *found = NULL;

	for (size_t i = r->next_regs; i < json_array_size(r->events) && !found; i++) {
		json_t *event = json_array_get(r->events, i);

		if (strcmp(word(event, "ev"), "registers") == 0) {
			found = json_object_get(event, "cpus");
			r->next_regs = i + 1;
		}
	}
	if (!found)
		return lab_fail(error, LAB_ERROR_INPUT, "the recording has no more registers");
	memset(ret, 0, n * sizeof(*ret));
	for (unsigned i = 0; i < n; i++)
		fill_regs(json_array_get(found, i), &ret[i]);
	return true;
}

static bool replay_sched(struct guest *g, struct guest_sched *ret, GError **error)
{
	const struct replay *r = replay_of(g);

	*ret = (struct guest_sched){ .run_us = r->run_us, .delay_us = r->delay_us,
				     .paused = r->paused };
	return true;
}

const struct guest_backend guest_backend_replay = {
	.name = "replay",
	.start = replay_start,
	.next = replay_next,
	.send = replay_send,
	.nmi = replay_nmi,
	.read_phys = replay_read_phys,
	.read_virt = replay_read_virt,
	.regs = replay_regs,
	.sched = replay_sched,
	.now_us = replay_now_us,
	.stop = replay_stop,
};
