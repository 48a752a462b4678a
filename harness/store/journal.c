// SPDX-License-Identifier: GPL-2.0-or-later
/* Write and read a job's folder. */
#include "store/journal.h"

#include "base/fs.h"
#include "parse/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *name, *file;
	size_t max;
	bool optional;		/* its file is made by its first bytes */
} streams[STREAM__COUNT] = {
	[STREAM_CONSOLE] = { "console", "console.log", JOURNAL_CONSOLE_MAX },
	[STREAM_WIRE] = { "wire", "wire.log", JOURNAL_WIRE_MAX },
	[STREAM_STATUS] = { "status", "status.bin", JOURNAL_STATUS_MAX },
	[STREAM_DELAYS] = { "delays", "delays.log", JOURNAL_DELAYS_MAX, true },
};

struct journal {
	char *dir;
	int events;
	size_t events_len;
	int fd[STREAM__COUNT];
	size_t len[STREAM__COUNT], dropped[STREAM__COUNT];
	GError *broken;		/* of the first record that it could not take */
};

void journal_free(struct journal *j)
{
	if (!j)
		return;
	lab_fd_close(&j->events);
	for (int i = 0; i < STREAM__COUNT; i++)
		lab_fd_close(&j->fd[i]);
	g_clear_error(&j->broken);
	g_free(j->dir);
	g_free(j);
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *s = data;

	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static int open_fresh(const char *dir, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		lab_fail_errno(error, "journal '%s'", path);
	return fd;
}

static bool open_stream(struct journal *j, enum journal_stream stream, GError **error)
{
	if (j->fd[stream] < 0)
		j->fd[stream] = open_fresh(j->dir, streams[stream].file, error);
	return j->fd[stream] >= 0;
}

static bool remove_optional(const char *dir, GError **error)
{
	for (int i = 0; i < STREAM__COUNT; i++) {
		g_autofree char *path = g_build_filename(dir, streams[i].file, NULL);

		if (streams[i].optional && unlink(path) < 0 && errno != ENOENT)
			return lab_fail_errno(error, "journal '%s'", path);
	}
	return true;
}

bool journal_create(const char *dir, struct journal **ret, GError **error)
{
	g_autoptr(journal) j = g_new0(struct journal, 1);

	memset(j->fd, -1, sizeof(j->fd));
	j->dir = g_strdup(dir);
	j->events = open_fresh(dir, "journal.jsonl", error);
	if (j->events < 0)
		return false;
	for (int i = 0; i < STREAM__COUNT; i++)
		if (!streams[i].optional && !open_stream(j, i, error))
			return false;
	if (!remove_optional(dir, error))
		return false;
	if (!journal_event(j, 0, "open", json_pack("{s:s}", "state", "infra/unfinished"), true, error))
		return false;
	*ret = g_steal_pointer(&j);
	return true;
}

static bool is_broken(const struct journal *j, GError **error)
{
	if (j->broken && error && !*error)
		*error = g_error_copy(j->broken);
	return j->broken != NULL;
}

/* Hand the reason on, and keep it for whoever writes next. */
static bool break_off(struct journal *j, GError **error)
{
	is_broken(j, error);
	return false;
}

static bool sync_streams(struct journal *j)
{
	for (int i = 0; i < STREAM__COUNT; i++)
		if (j->fd[i] >= 0 && fdatasync(j->fd[i]) < 0)
			return false;
	return true;
}

static char *format_event(int64_t at_us, const char *ev, json_t *fields)
{
	json_t *record = json_pack("{s:I, s:s}", "t", (json_int_t)at_us, "ev", ev);
	char *text, *line;

	if (fields)
		json_object_update_missing(record, fields);
	json_decref(fields);
	text = json_dumps(record, JSON_COMPACT);
	json_decref(record);
	line = g_strconcat(text ? text : "{}", "\n", NULL);
	free(text);
	return line;
}

bool journal_event(struct journal *j, int64_t at_us, const char *ev, json_t *fields, bool sync,
		   GError **error)
{
	g_autofree char *line = format_event(at_us, ev, fields);
	size_t len = strlen(line);

	if (is_broken(j, error))
		return false;
	j->events_len += len;
	if (j->events_len > JOURNAL_EVENTS_MAX)
		lab_fail(&j->broken, LAB_ERROR_INFRA, "journal is over its limit of %u bytes",
			 JOURNAL_EVENTS_MAX);
	else if ((strcmp(ev, "end") == 0 && !sync_streams(j)) || !write_all(j->events, line, len) ||
		 (sync && fdatasync(j->events) < 0))
		lab_fail_errno(&j->broken, "journal.jsonl");
	return !j->broken || break_off(j, error);
}

bool journal_stream(struct journal *j, int64_t at_us, enum journal_stream stream, const void *data,
		    size_t len, json_t *fields, GError **error)
{
	size_t room = streams[stream].max - j->len[stream];
	size_t kept = MIN(len, room);
	json_t *event = fields ? fields : json_object();

	json_object_set_new(event, "stream", json_string(streams[stream].name));
	json_object_set_new(event, "n", json_integer(kept));
	j->dropped[stream] += len - kept;
	if (j->dropped[stream])
		json_object_set_new(event, "dropped", json_integer(j->dropped[stream]));
	if (!j->broken && kept && open_stream(j, stream, &j->broken) &&
	    !write_all(j->fd[stream], data, kept))
		lab_fail_errno(&j->broken, "%s", streams[stream].file);
	j->len[stream] += kept;
	if (j->broken || (!kept && len && j->dropped[stream] > len)) {
		/* the limit was told before: do not let a flood grow the event list instead */
		json_decref(event);
		return !j->broken || break_off(j, error);
	}
	return journal_event(j, at_us, "chunk", event, false, error);
}

/* --- reading ---------------------------------------------------------------------------------- */

void journal_view_free(struct journal_view *view)
{
	if (!view)
		return;
	json_decref(view->spec);
	json_decref(view->events);
	for (int i = 0; i < STREAM__COUNT; i++)
		g_free(view->data[i]);
	g_free(view->digest);
	g_free(view);
}

static bool read_member(const char *dir, const char *name, size_t max, bool optional, GChecksum *sum,
			char **ret, size_t *ret_len, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *length = NULL;

	if (optional && !g_file_test(path, G_FILE_TEST_EXISTS)) {
		*ret = g_strdup("");
		*ret_len = 0;
		return true;
	}
	if (!fs_read(path, max, ret, ret_len, error))
		return false;
	length = g_strdup_printf("%s %zu\n", name, *ret_len);
	g_checksum_update(sum, (const guchar *)length, -1);
	g_checksum_update(sum, (const guchar *)*ret, *ret_len);
	return true;
}

/* What the events say that the streams hold. */
static void count_chunks(const json_t *events, uint64_t ret[STREAM__COUNT])
{
	json_t *event;
	size_t k;

	memset(ret, 0, STREAM__COUNT * sizeof(*ret));
	json_array_foreach(events, k, event) {
		const char *name = json_string_value(json_object_get(event, "stream"));
		json_int_t n = json_integer_value(json_object_get(event, "n"));

		for (int i = 0; name && i < STREAM__COUNT; i++)
			if (n > 0 && strcmp(name, streams[i].name) == 0)
				ret[i] += MIN((uint64_t)n, (uint64_t)streams[i].max + 1);
	}
}

/* An interrupted job is not finished: --resume runs it again. */
static bool has_end(const json_t *events)
{
	bool finished = false;
	json_t *event;
	size_t i;

	json_array_foreach(events, i, event)
		if (g_strcmp0(json_string_value(json_object_get(event, "ev")), "end") == 0)
			finished = g_strcmp0(json_string_value(json_object_get(event, "end")),
					     "interrupted") != 0;
	return finished;
}

bool journal_load(const char *dir, struct journal_view **ret, GError **error)
{
	g_autoptr(journal_view) view = g_new0(struct journal_view, 1);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *spec = NULL, *events = NULL;
	uint64_t told[STREAM__COUNT];
	size_t len;

	if (!read_member(dir, "spec.json", 1 << 20, false, sum, &spec, &len, error))
		return false;
	view->spec = json_loadb(spec, len, 0, NULL);
	if (!json_is_object(view->spec))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s/spec.json' is no JSON object", dir);
	if (!read_member(dir, "journal.jsonl", JOURNAL_EVENTS_MAX, false, sum, &events, &len, error))
		return false;
	view->events = jsonl_parse(events);
	for (int i = 0; i < STREAM__COUNT; i++)
		if (!read_member(dir, streams[i].file, streams[i].max, streams[i].optional, sum,
				 &view->data[i], &view->len[i], error))
			return false;
	count_chunks(view->events, told);
	for (int i = 0; i < STREAM__COUNT; i++)
		view->torn |= view->len[i] < told[i];
	view->finished = has_end(view->events) && !view->torn;
	view->digest = g_strdup(g_checksum_get_string(sum));
	*ret = g_steal_pointer(&view);
	return true;
}

/* Are the streams as long as they were told to be? */
static bool streams_are_whole(const char *dir, const json_t *events)
{
	uint64_t told[STREAM__COUNT];

	count_chunks(events, told);
	for (int i = 0; i < STREAM__COUNT; i++) {
		g_autofree char *path = g_build_filename(dir, streams[i].file, NULL);
		struct stat st;

		if ((told[i] || !streams[i].optional) &&
		    (stat(path, &st) || (uint64_t)st.st_size < told[i]))
			return false;
	}
	return true;
}

bool journal_is_finished(const char *dir)
{
	g_autofree char *spec = g_build_filename(dir, "spec.json", NULL);
	g_autofree char *path = g_build_filename(dir, "journal.jsonl", NULL);
	g_autofree char *text = NULL;
	json_t *events;
	size_t len;
	bool finished;

	if (!g_file_test(spec, G_FILE_TEST_EXISTS) ||
	    !fs_read(path, JOURNAL_EVENTS_MAX, &text, &len, NULL))
		return false;
	events = jsonl_parse(text);
	finished = has_end(events) && streams_are_whole(dir, events);
	json_decref(events);
	return finished;
}
