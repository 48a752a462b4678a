// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One file: what is there of it already, the transfer, the check, the rename. How a transfer goes
 * on at the wire is download_http.c's.
 */
#include "kernel/download.h"

#include "base/fs.h"
#include "kernel/download_http.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <time.h>

#define KEPT_S (7 * 24 * 3600)
#define CHUNK (1u << 20)
#define ATTEMPTS 20 /* each but the last brought bytes, as wget(1) tries */
#define START_OVERS 2

const char *download_local(const char *url)
{
	if (g_str_has_prefix(url, "file:"))
		return url + (g_str_has_prefix(url, "file://") ? 7 : 5);
	return strstr(url, "://") ? NULL : url;
}

char *download_join(const char *base, const char *name)
{
	size_t len = strlen(base);

	while (len > 1 && base[len - 1] == '/')
		len--;
	return g_strdup_printf("%.*s/%s", (int)len, base, name);
}

char *download_public(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);

	if (!uri || !g_uri_get_userinfo(uri))
		return g_utf8_make_valid(url, -1);
	return g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO);
}

bool download_name_ok(const char *name)
{
	g_auto(GStrv) parts = NULL;

	if (!name || !*name || *name == '/' || strlen(name) > 1000)
		return false;
	for (const char *p = name; *p; p++)
		if (!g_ascii_isgraph(*p) || strchr("\\?#\"<>", *p))
			return false;
	parts = g_strsplit(name, "/", -1);
	for (char **p = parts; *p; p++)
		if (!strcmp(*p, ".."))
			return false;
	return !strstr(name, "://");
}

/* What nobody came back for. */
static void sweep(const char *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	time_t now = time(NULL);
	const char *name;
	struct stat st;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (!stat(path, &st) && S_ISREG(st.st_mode) && now - st.st_mtime > KEPT_S)
			g_unlink(path);
	}
}

bool download_hash_ok(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return (len == 64 || len == 128) && strspn(text, "0123456789abcdef") == len;
}

static char *sum_of(const char *path, GChecksumType type, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(type);
	g_autofree guint8 *chunk = g_malloc(CHUNK);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && (n = read(fd, chunk, CHUNK)) > 0)
		g_checksum_update(sum, chunk, n);
	if (n < 0) {
		lab_fail_errno(error, "cannot read '%s'", path);
		return NULL;
	}
	return g_strdup(g_checksum_get_string(sum));
}

static bool check_hash(const struct download *d, const char *path, GError **error)
{
	bool is_256 = d->hash && strlen(d->hash) == 64;
	g_autofree char *sum = NULL, *url = NULL;

	if (!d->hash)
		return true;
	sum = sum_of(path, is_256 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA512, error);
	if (!sum || !strcmp(sum, d->hash))
		return sum != NULL;
	url = download_public(d->url);
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' is not what it should be: its %s is '%s', not '%s'", url,
			is_256 ? "sha256" : "sha512", sum, d->hash);
}

static bool copy_local(const struct download *d, const char *from, GError **error)
{
	g_autofree char *data = NULL;
	struct stat st;
	size_t len;

	if (stat(from, &st)) {
		if (d->ret_absent)
			*d->ret_absent = errno == ENOENT;
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s': %s", from, g_strerror(errno));
	}
	if (!S_ISREG(st.st_mode))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': not a regular file", from);
	if (!fs_read(from, d->max, &data, &len, error) || !fs_write(d->path, data, len, error))
		return false;
	if (check_hash(d, d->path, error))
		return true;
	g_unlink(d->path);
	return false;
}

/* The key tells apart what is to be verified differently: a part never serves another file. */
static char *part_path(const struct download *d, const char *dir)
{
	g_autofree char *key = g_strjoin("\n", d->url, d->hash ? d->hash : "", NULL);
	g_autofree char *sum = fs_sha256_bytes(key, strlen(key));
	g_autofree char *name = g_strdup_printf("%.32s.part", sum);

	return g_build_filename(dir, name, NULL);
}

static void drop(const char *part)
{
	g_autofree char *meta = download_http_meta(part);

	g_unlink(part);
	g_unlink(meta);
}

/* Nothing came: there is nothing to go on with. */
static void drop_empty(const char *part)
{
	struct stat st;

	if (!stat(part, &st) && !st.st_size)
		drop(part);
}

/* It is whole: make it last, and give it its name. */
static bool finish(const struct download *d, const char *part, GError **error)
{
	auto_fd fd = open(part, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return lab_fail_errno(error, "cannot keep '%s'", part);
	if (rename(part, d->path))
		return lab_fail_errno(error, "cannot rename '%s' to '%s'", part, d->path);
	drop(part);
	return true;
}

static bool fetch(const struct download *d, const char *part, GError **error)
{
	unsigned start_overs = 0;

	for (unsigned attempt = 1;; attempt++) {
		g_autoptr(GError) own = NULL;
		enum download_end end = download_http(d, part, &own);
		bool resumed = end == DOWNLOAD_WHOLE_RESUMED;

		if (end == DOWNLOAD_WHOLE || resumed) {
			if (check_hash(d, part, &own))
				return finish(d, part, error);
			drop(part);
			/* The first half may have been another file's. */
			end = resumed ? DOWNLOAD_START_OVER : DOWNLOAD_REFUSED;
		}
		if (end == DOWNLOAD_START_OVER || end == DOWNLOAD_REFUSED)
			drop(part);
		start_overs += end == DOWNLOAD_START_OVER;
		if (end >= DOWNLOAD_REFUSED || attempt == ATTEMPTS || start_overs > START_OVERS) {
			drop_empty(part);
			g_propagate_error(error, g_steal_pointer(&own));
			return false;
		}
	}
}

bool download_file(const struct download *d, GError **error)
{
	g_autofree char *dir = NULL, *part = NULL;

	g_return_val_if_fail(d->max < G_MAXUINT - (2u << 20), false);
	if (d->ret_absent)
		*d->ret_absent = false;
	if (download_local(d->url))
		return copy_local(d, download_local(d->url), error);
	dir = fs_cache_dir("downloads", error);
	if (!dir)
		return false;
	sweep(dir);
	part = part_path(d, dir);
	return fetch(d, part, error);
}

bool download_kept(const struct download *d, char **ret_path, GError **error)
{
	g_autofree char *dir = fs_cache_dir("downloads", error), *name = NULL, *path = NULL;
	struct download to = *d;

	if (!dir)
		return false;
	name = g_strconcat(d->hash, ".index", NULL);
	to.path = path = g_build_filename(dir, name, NULL);
	if (!check_hash(d, path, NULL) && !download_file(&to, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}
