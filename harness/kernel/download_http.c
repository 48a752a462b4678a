// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libcurl at work. A part is continued with Range, and with If-Range where the server named the
 * version of the file (a strong ETag, else Last-Modified): a file that changed meanwhile comes as a
 * whole, as it does from a server that knows no ranges.
 */
#include "kernel/download_http.h"

#include "base/fs.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include <sys/stat.h>

#define CONNECT_S 15
#define STALL_S 20
#define TOTAL_S 1800
#define REDIRECTS_MAX 8
#define META_MAX (16u << 10)
#define HEADER_VALUE_MAX 1000
#define SAY_AFTER_US (2 * G_USEC_PER_SEC)
#define SAY_EVERY_US (5 * G_USEC_PER_SEC)
#define MIB (1024.0 * 1024)

struct transfer {
	const struct download *d;
	CURL *curl;
	int fd;
	uint64_t first;        /* bytes of the part when this transfer began */
	uint64_t have;         /* bytes of the part now */
	uint64_t total;        /* bytes of the file, 0: not told */
	char *etag, *modified; /* of the answer, or NULL */
	uint64_t range_first;  /* of the answer */
	bool has_range, began, start_over, refused, stalled;
	unsigned stall_s;
	int64_t heard_us, say_us;
	char *meta;
	GError *error; /* why a callback ended it */
	char reason[CURL_ERROR_SIZE];
};

static void transfer_clear(struct transfer *t)
{
	curl_easy_cleanup(t->curl);
	lab_fd_close(&t->fd);
	g_free(t->etag);
	g_free(t->modified);
	g_free(t->meta);
	g_clear_error(&t->error);
}
typedef struct transfer transfer;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(transfer, transfer_clear)

char *download_http_meta(const char *part)
{
	g_autofree char *stem = g_strndup(part, strlen(part) - strlen(".part"));

	return g_strconcat(stem, ".json", NULL);
}

bool download_range_parse(const char *text, uint64_t *ret_first)
{
	char *end;

	if (g_ascii_strncasecmp(text, "bytes ", 6) || !g_ascii_isdigit(text[6]))
		return false;
	*ret_first = g_ascii_strtoull(text + 6, &end, 10);
	return *end == '-' && g_ascii_isdigit(end[1]);
}

/* ---- what the part is of ---- */

/* NULL: the server named no version of the file, or there is no part. */
static char *read_validator(const struct transfer *t)
{
	g_autofree char *text = NULL;
	json_t *root = NULL;
	char *validator = NULL;
	size_t len;

	if (fs_read(t->meta, META_MAX, &text, &len, NULL))
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (root && !g_strcmp0(json_string_value(json_object_get(root, "url")), t->d->url))
		validator = g_strdup(json_string_value(json_object_get(root, "validator")));
	json_decref(root);
	return validator;
}

static bool write_validator(const struct transfer *t, GError **error)
{
	const char *validator = t->etag && g_str_has_prefix(t->etag, "\"") ? t->etag : t->modified;
	json_t *root = json_pack("{s:s s:s*}", "url", t->d->url, "validator", validator);
	g_autofree char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	/* What is no UTF-8 is no validator either: the next transfer starts over. */
	return fs_write(t->meta, text ? text : "{}", text ? strlen(text) : 2, error);
}

/* ---- callbacks ---- */

static bool header_is(const char *line, size_t len, const char *name, char **ret)
{
	size_t n = strlen(name);

	if (len <= n || len > HEADER_VALUE_MAX || g_ascii_strncasecmp(line, name, n))
		return false;
	g_free(*ret);
	*ret = g_strstrip(g_strndup(line + n, len - n));
	return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t len = size * count;
	g_autofree char *range = NULL;

	t->heard_us = g_get_monotonic_time();
	if (len > 5 && !strncmp(line, "HTTP/", 5)) {
		/* An answer of its own: what a redirect said does not count. */
		g_clear_pointer(&t->etag, g_free);
		g_clear_pointer(&t->modified, g_free);
		t->has_range = false;
	} else if (header_is(line, len, "Content-Range:", &range)) {
		t->has_range = download_range_parse(range, &t->range_first);
	} else if (!header_is(line, len, "ETag:", &t->etag)) {
		header_is(line, len, "Last-Modified:", &t->modified);
	}
	return len;
}

static bool begin_whole(struct transfer *t)
{
	t->first = t->have = 0;
	if (ftruncate(t->fd, 0) || lseek(t->fd, 0, SEEK_SET) < 0)
		return lab_fail_errno(&t->error, "cannot start over with '%s'", t->meta);
	return write_validator(t, &t->error);
}

/* At the first byte: does the answer go on where the part ends? */
static bool begin(struct transfer *t)
{
	curl_off_t length = -1;
	long code = 0;

	t->began = true;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (code == 206 && (!t->has_range || t->range_first != t->first)) {
		t->start_over = true;
		return lab_fail(&t->error, LAB_ERROR_UNAVAILABLE,
				"the server sends other bytes than it was asked for");
	}
	if (code != 206 && !begin_whole(t))
		return false;
	t->total = length > 0 ? t->have + (uint64_t)length : 0;
	return true;
}

static bool too_large(struct transfer *t)
{
	t->refused = true;
	return lab_fail(&t->error, LAB_ERROR_INPUT, "larger than %.0f MiB, which it cannot be",
			t->d->max / MIB);
}

static bool append(struct transfer *t, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(t->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return lab_fail_errno(&t->error, "cannot write what was downloaded");
		data += n;
		len -= n;
		t->have += n;
	}
	return true;
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t len = size * count;

	if (len)
		t->heard_us = g_get_monotonic_time();
	if (!t->began && !begin(t))
		return 0;
	if (MAX(t->total, t->have + len) > t->d->max) {
		too_large(t);
		return 0;
	}
	return append(t, data, len) ? len : 0;
}

static void say(struct transfer *t, int64_t now)
{
	if (now < t->say_us)
		return;
	t->say_us = now + SAY_EVERY_US;
	if (t->total)
		progress_say(t->d->progress, "%s: downloading: %.1f of %.1f MB", t->d->what,
			     t->have / 1e6, t->total / 1e6);
	else
		progress_say(t->d->progress, "%s: downloading: %.1f MB", t->d->what, t->have / 1e6);
}

/* Comes about once a second, also while nothing does. */
static int on_tick(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct transfer *t = user;
	int64_t now = g_get_monotonic_time();

	say(t, now);
	t->stalled = now - t->heard_us > (int64_t)t->stall_s * G_USEC_PER_SEC;
	return t->stalled;
}

/* ---- the transfer ---- */

static unsigned stall_limit(void)
{
	const char *text = g_getenv("KLAB_DOWNLOAD_TIMEOUT");
	uint64_t s = text ? g_ascii_strtoull(text, NULL, 10) : 0;

	return s >= 1 && s <= 3600 ? s : STALL_S;
}

static bool open_part(struct transfer *t, const char *part, GError **error)
{
	struct stat st;

	t->fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->fd < 0 || fstat(t->fd, &st) || lseek(t->fd, 0, SEEK_END) < 0)
		return lab_fail_errno(error, "cannot open '%s'", part);
	/* Held until the transfer ends: kernel/gc.c leaves it alone. */
	if (flock(t->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"another klab downloads it right now\nhint: run it again later");
	t->meta = download_http_meta(part);
	t->first = t->have = st.st_size;
	return true;
}

static void set_limits(struct transfer *t)
{
	/* Who asked for HTTPS gets no HTTP unless the bytes are known beforehand. */
	const char *after =
		g_str_has_prefix(t->d->url, "https:") && !t->d->hash ? "https" : "http,https";

	curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, after);
	curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(t->curl, CURLOPT_TIMEOUT, (long)TOTAL_S);
	curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->curl, CURLOPT_FAILONERROR, 1L);
}

static void set_callbacks(struct transfer *t)
{
	curl_easy_setopt(t->curl, CURLOPT_URL, t->d->url);
	curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "klab/" KLAB_VERSION);
	curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->reason);
	curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_tick);
	curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
}

/* Ask for the rest. Without a validator only a hash can tell that the halves fit. */
static struct curl_slist *ask_for_rest(struct transfer *t)
{
	g_autofree char *validator = read_validator(t), *range = NULL, *line = NULL;
	struct curl_slist *headers = NULL;

	if (!t->have || (!validator && !t->d->hash))
		return NULL;
	range = g_strdup_printf("%" G_GUINT64_FORMAT "-", t->have);
	curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
	if (validator) {
		line = g_strconcat("If-Range: ", validator, NULL);
		headers = curl_slist_append(NULL, line);
		curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
	}
	return headers;
}

static char *host_of(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);

	return g_strdup(uri && g_uri_get_host(uri) ? g_uri_get_host(uri) : url);
}

static enum download_end fail_http(struct transfer *t, GError **error)
{
	g_autofree char *url = download_public(t->d->url);
	long code = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
	lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s': HTTP %ld", url, code);
	/* The part is as long as the file, or longer: it is whole, or of another one. */
	if (code == 416 && t->first)
		return t->d->hash ? DOWNLOAD_WHOLE_RESUMED : DOWNLOAD_START_OVER;
	if (t->d->ret_absent)
		*t->d->ret_absent = code == 403 || code == 404 || code == 410;
	return DOWNLOAD_FAILED;
}

static enum download_end fail_cut(struct transfer *t, CURLcode rc, GError **error)
{
	g_autofree char *host = host_of(t->d->url), *why = NULL;
	const char *hint = t->have ? "run it again: it goes on where it was cut"
				   : "check the network and run it again";

	if (t->stalled)
		why = g_strdup_printf("%u s without a byte", t->stall_s);
	else if (t->total)
		why = g_strdup_printf("of %.1f MiB", t->total / MIB);
	else
		why = g_strdup(t->reason);
	if (t->stalled && !t->began)
		lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s' does not answer (%s)\nhint: %s", host,
			 why, hint);
	else
		lab_fail(error, LAB_ERROR_UNAVAILABLE,
			 "'%s' stopped sending after %.1f MiB (%s)\n"
			 "hint: %s",
			 host, t->have / MIB, why, hint);
	return !t->stalled && rc != CURLE_OPERATION_TIMEDOUT && t->have > t->first
		       ? DOWNLOAD_CUT
		       : DOWNLOAD_FAILED;
}

static enum download_end fail(struct transfer *t, CURLcode rc, GError **error)
{
	g_autofree char *url = download_public(t->d->url);

	if (t->error) {
		g_propagate_prefixed_error(error, g_steal_pointer(&t->error), "'%s': ", url);
		return t->refused      ? DOWNLOAD_REFUSED
		       : t->start_over ? DOWNLOAD_START_OVER
				       : DOWNLOAD_FAILED;
	}
	if (rc == CURLE_HTTP_RETURNED_ERROR)
		return fail_http(t, error);
	if (t->stalled || t->began)
		return fail_cut(t, rc, error);
	lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s': %s\nhint: check the network and run it again",
		 url, *t->reason ? t->reason : curl_easy_strerror(rc));
	return DOWNLOAD_FAILED;
}

static enum download_end perform(struct transfer *t, GError **error)
{
	struct curl_slist *headers = ask_for_rest(t);
	CURLcode rc;

	t->heard_us = g_get_monotonic_time();
	t->say_us = t->heard_us + SAY_AFTER_US;
	rc = curl_easy_perform(t->curl);
	curl_slist_free_all(headers);
	if (rc == CURLE_OK && (t->began || begin(t)))
		return t->first ? DOWNLOAD_WHOLE_RESUMED : DOWNLOAD_WHOLE;
	return fail(t, rc, error);
}

enum download_end download_http(const struct download *d, const char *part, GError **error)
{
	static gsize once;
	g_auto(transfer) t = { .d = d, .fd = -1, .stall_s = stall_limit() };

	if (g_once_init_enter(&once)) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		g_once_init_leave(&once, 1);
	}
	t.curl = curl_easy_init();
	if (!t.curl) {
		lab_fail(error, LAB_ERROR_INFRA, "libcurl does not start");
		return DOWNLOAD_FAILED;
	}
	if (!open_part(&t, part, error))
		return DOWNLOAD_FAILED;
	set_limits(&t);
	set_callbacks(&t);
	return perform(&t, error);
}
