// SPDX-License-Identifier: GPL-2.0-or-later
/* A bisection's folder: made, opened again, appended to. */
#include "cmd/bisect.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MAX (1u << 20)
#define RANGE_MAX (1u << 30)
#define LOG_MAX (256u << 20)
#define BISECT_SCHEMA 1
#define COMMAND_S 60.0 /* what a command is thought to take, until it is measured */
#define LOCK_WAIT_S 2 /* a killed one's children may hold it until they have died, too */

/* --- the request -------------------------------------------------------------------------------- */

enum field_type { TEXT, LIST, FLAG, NUMBER, BIG, REAL };

/* One table reads it, writes it and frees it. */
static const struct field {
	const char *key;
	enum field_type type;
	size_t at;
} fields[] = {
#define FIELD(name, type) { #name, type, offsetof(struct bisect_request, name) }
	FIELD(git, TEXT),	 FIELD(good, TEXT),	   FIELD(bad, TEXT),
	FIELD(kernels, LIST),	 FIELD(fix, FLAG),	   FIELD(first_parent, FLAG),
	FIELD(check_ends, FLAG), FIELD(verify, FLAG),	   FIELD(unsure, FLAG),
	FIELD(paths, LIST),	   FIELD(suspects, LIST),
	FIELD(command, TEXT),	 FIELD(images, FLAG),	   FIELD(probe, TEXT),
	FIELD(amplify, TEXT),	 FIELD(signature, TEXT),   FIELD(config_fragment, TEXT),
	FIELD(compiler, TEXT),	 FIELD(config, TEXT),	   FIELD(smp, NUMBER),
	FIELD(memory, NUMBER),	 FIELD(duration, NUMBER),  FIELD(jobs, NUMBER),
	FIELD(timeout, NUMBER),	 FIELD(seed, BIG),	   FIELD(confidence, REAL),
	FIELD(build_s, REAL),	 FIELD(boot_s, REAL),	   FIELD(prebuild, TEXT),
	FIELD(connect, TEXT),
#undef FIELD
};

#define AT(req, f, type) ((type *)((char *)(req) + (f)->at))

void bisect_request_clear(struct bisect_request *req)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (fields[i].type == TEXT)
			g_clear_pointer(AT(req, &fields[i], char *), g_free);
		if (fields[i].type == LIST)
			g_clear_pointer(AT(req, &fields[i], char **), g_strfreev);
	}
}

static json_t *list_json(char **list)
{
	json_t *array = json_array();

	for (; *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *field_json(const struct bisect_request *req, const struct field *f)
{
	switch (f->type) {
	case TEXT:
		return *AT(req, f, char *) ? json_string(*AT(req, f, char *)) : NULL;
	case LIST:
		return *AT(req, f, char **) ? list_json(*AT(req, f, char **)) : NULL;
	case FLAG:
		return json_boolean(*AT(req, f, gboolean));
	case NUMBER:
		return json_integer(*AT(req, f, int));
	case BIG:
		return json_integer(*AT(req, f, gint64));
	case REAL:
		return json_real(*AT(req, f, double));
	}
	return NULL;
}

json_t *bisect_request_json(const struct bisect_request *req)
{
	json_t *json = json_pack("{s:i}", "schema", BISECT_SCHEMA);

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		json_t *value = field_json(req, &fields[i]);

		if (value)
			json_object_set_new(json, fields[i].key, value);
	}
	return json;
}

static char **list_of(const json_t *array)
{
	GPtrArray *list = g_ptr_array_new();

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text)
			g_ptr_array_add(list, g_strdup(text));
	}
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

static void read_field(struct bisect_request *req, const struct field *f, const json_t *value)
{
	switch (f->type) {
	case TEXT:
		*AT(req, f, char *) = g_strdup(json_string_value(value));
		break;
	case LIST:
		*AT(req, f, char **) = json_is_array(value) ? list_of(value) : NULL;
		break;
	case FLAG:
		*AT(req, f, gboolean) = json_is_true(value);
		break;
	case NUMBER:
		*AT(req, f, int) = CLAMP(json_integer_value(value), 0, G_MAXINT);
		break;
	case BIG:
		*AT(req, f, gint64) = json_integer_value(value);
		break;
	case REAL:
		*AT(req, f, double) = json_number_value(value);
		break;
	}
}

bool bisect_request_parse(const json_t *json, struct bisect_request *ret, GError **error)
{
	json_int_t schema = json_integer_value(json_object_get(json, "schema"));

	*ret = (struct bisect_request){ 0 };
	if (schema != BISECT_SCHEMA)
		return lab_fail(error, LAB_ERROR_INPUT, "written by another klab: schema %d",
				(int)schema);
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		read_field(ret, &fields[i], json_object_get(json, fields[i].key));
	if ((!ret->command && !ret->probe) || ret->jobs < 1 || ret->confidence <= 0 ||
	    ret->confidence >= 1) {
		bisect_request_clear(ret);
		return lab_fail(error, LAB_ERROR_INPUT, "no whole request");
	}
	return true;
}

/* --- the folder --------------------------------------------------------------------------------- */

void bisect_session_free(struct bisect_session *s)
{
	if (!s)
		return;
	bisect_prebuild_stop(s);
	lab_fd_close(&s->log);
	lab_fd_close(&s->lock);
	bisect_state_free(s->state);
	bisect_range_free(s->range);
	lab_free(s->lab);
	bisect_request_clear(&s->req);
	g_free(s->dir);
	g_free(s);
}

void bisect_try_clear(struct bisect_try *t)
{
	g_free(t->title);
	g_free(t->hazard);
	g_free(t->why);
	g_free(t->dir);
	g_free(t->plan);
}

static bool write_json(const char *dir, const char *name, json_t *json, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
	bool ok = fs_write(path, text, strlen(text), error);

	free(text);
	json_decref(json);
	return ok;
}

static json_t *read_json(const char *dir, const char *name, size_t max, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL), *text = NULL;
	json_error_t why;
	json_t *json;
	size_t len;

	if (!fs_read(path, max, &text, &len, error))
		return NULL;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		lab_fail(error, LAB_ERROR_INPUT, "'%s', line %d: %s", path, why.line, why.text);
	return json;
}

static bool take_lock(struct bisect_session *s, GError **error)
{
	g_autofree char *path = g_build_filename(s->dir, "lock", NULL);
	g_autoptr(GError) own = NULL;

	s->lock = fs_lock(path, LOCK_WAIT_S, &own);
	if (s->lock >= 0) {
		futimens(s->lock, NULL); /* since when, for kbisect status */
		return true;
	}
	return lab_fail(error, LAB_ERROR_USAGE, "another kbisect works in '%s'", s->dir);
}

static bool open_log(struct bisect_session *s, GError **error)
{
	g_autofree char *path = g_build_filename(s->dir, "log.jsonl", NULL);

	s->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	return s->log >= 0 || lab_fail_errno(error, "'%s'", path);
}

static struct bisect_session *session_new(const char *dir)
{
	struct bisect_session *s = g_new0(struct bisect_session, 1);

	s->dir = g_canonicalize_filename(dir, NULL);
	s->log = s->lock = -1;
	return s;
}

static json_t *begin_event(const struct bisect_request *req)
{
	return json_pack("{s:s, s:i, s:s, s:f, s:f, s:b, s:b}", "ev", "begin", "schema",
			 BISECT_LOG_SCHEMA, "form", req->command ? "runs" : "time", "run_s",
			 req->duration ? (double)req->duration : COMMAND_S, "confidence", req->confidence,
			 "verify", (int)req->check_ends, "unsure", (int)req->unsure);
}

static void new_state(struct bisect_session *s)
{
	s->state = bisect_state_new(s->range, s->req.build_s, s->req.boot_s);
	s->state->costs.jobs = s->req.command ? 1 : s->req.jobs;
	s->state->costs.unkept = s->req.command && !s->req.images;
}

bool bisect_session_create(const char *dir, struct bisect_request *req, struct bisect_range *range,
			   struct bisect_session **ret, GError **error)
{
	g_autoptr(bisect_session) s = session_new(dir);

	s->req = *req;
	*req = (struct bisect_request){ 0 };
	s->range = range;
	new_state(s);
	if (g_file_test(s->dir, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is there already\nhint: kbisect run --resume goes on with a "
				"bisection", s->dir);
	/* range.json comes last: without it there is no bisection to go on with */
	if (!fs_mkdir(s->dir, error) || !take_lock(s, error) ||
	    !write_json(s->dir, "request.json", bisect_request_json(&s->req), error) ||
	    !open_log(s, error) || !bisect_session_log(s, begin_event(&s->req), error) ||
	    !write_json(s->dir, "range.json", bisect_range_json(range), error))
		return false;
	*ret = g_steal_pointer(&s);
	return true;
}

/* A killed kbisect may have left half a record: what comes next must not be glued to it. */
static bool cut_torn(struct bisect_session *s, const char *log, size_t len, GError **error)
{
	const char *newline = len ? memrchr(log, '\n', len) : NULL;
	off_t whole = newline ? newline + 1 - log : 0;

	return (size_t)whole == len || !ftruncate(s->log, whole) ||
	       lab_fail_errno(error, "'%s/log.jsonl'", s->dir);
}

static bool read_log(struct bisect_session *s, bool writes, GError **error)
{
	g_autofree char *path = g_build_filename(s->dir, "log.jsonl", NULL), *log = NULL;
	size_t len;

	if (!fs_read(path, LOG_MAX, &log, &len, error) ||
	    !bisect_replay(s->state, log, len, error))
		return false;
	if (!s->state->begun)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' has not begun", path);
	return !writes || (open_log(s, error) && cut_torn(s, log, len, error));
}

static bool read_all(struct bisect_session *s, bool writes, GError **error)
{
	json_t *request = read_json(s->dir, "request.json", REQUEST_MAX, error);
	json_t *range = request ? read_json(s->dir, "range.json", RANGE_MAX, error) : NULL;
	bool ok = range && bisect_request_parse(request, &s->req, error) &&
		  bisect_range_parse(range, &s->range, error);

	json_decref(request);
	json_decref(range);
	if (!ok)
		return false;
	new_state(s);
	return read_log(s, writes, error);
}

/* Names of bisections end in the time at which they were begun. */
static char *newest(GError **error)
{
	g_autoptr(GDir) dir = g_dir_open("results", 0, NULL);
	g_autofree char *best = NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_prefix(name, "bisect-") && g_strcmp0(name, best) > 0) {
			g_free(best);
			best = g_strdup(name);
		}
	if (!best)
		lab_fail(error, LAB_ERROR_USAGE, "no bisection in 'results'\nhint: name its folder");
	return best ? g_build_filename("results", best, NULL) : NULL;
}

bool bisect_session_open(const char *dir, bool writes, struct bisect_session **ret, GError **error)
{
	g_autofree char *found = dir ? g_strdup(dir) : newest(error);
	g_autoptr(bisect_session) s = found ? session_new(found) : NULL;

	if (!s)
		return false;
	if (!g_file_test(s->dir, G_FILE_TEST_IS_DIR))
		return lab_fail(error, LAB_ERROR_USAGE, "no bisection's folder '%s'", found);
	if ((writes && !take_lock(s, error)) || !read_all(s, writes, error))
		return lab_prefix(error, "'%s'", found);
	*ret = g_steal_pointer(&s);
	return true;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

bool bisect_session_log(struct bisect_session *s, json_t *json, GError **error)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	bool ok = bisect_apply(s->state, json, error) &&
		  ((write_all(s->log, line, strlen(line)) && !fdatasync(s->log)) ||
		   lab_fail_errno(error, "'%s/log.jsonl'", s->dir));

	free(text);
	json_decref(json);
	return ok;
}
