// SPDX-License-Identifier: GPL-2.0-or-later
/* See gc_other.h. Who works with a thing holds a lock; whatever cannot be locked here stays. */
#include "kernel/gc_other.h"

#include "base/fs.h"
#include "kernel/download.h"
#include "kernel/download_http.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MAX (64u << 10)
#define SHOWN_MAX 200

/* --- what there is ------------------------------------------------------------------------------
 */

static void measure(const char *path, uint64_t *ret_bytes)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *e;

	while (fts && (e = fts_read(fts)))
		if (e->fts_info != FTS_DP && e->fts_info != FTS_NS && e->fts_info != FTS_ERR)
			*ret_bytes += (uint64_t)e->fts_statp->st_blocks * 512;
	if (fts)
		fts_close(fts);
}

static int64_t changed_s(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mtime;
}

static char *path_of(const struct gc_place *place, const char *name)
{
	return g_build_filename(place->root, name, NULL);
}

/* `label` is taken over; NULL: "?". */
static struct gc_item *add(const struct gc_place *place, GPtrArray *items, enum gc_kind kind,
			   const char *name, char *label)
{
	struct gc_item *item = g_new0(struct gc_item, 1);
	g_autofree char *path = path_of(place, name);

	item->kind = kind;
	item->name = g_strdup(name);
	item->label = label ? label : g_strdup("?");
	item->names = g_strdup("");
	item->used_s = changed_s(path);
	measure(path, &item->bytes);
	g_ptr_array_add(items, item);
	return item;
}

/* First line of a small file, fit to be shown; NULL: there is none. */
static char *first_line(const char *path)
{
	g_autofree char *text = NULL, *line = NULL;

	if (!fs_read(path, SMALL_MAX, &text, NULL, NULL) || !*text || *text == '\n')
		return NULL;
	line = g_strndup(text, MIN(strcspn(text, "\n"), SHOWN_MAX));
	return g_utf8_make_valid(line, -1);
}

/* Without user and password. */
static char *url_of(const char *part)
{
	g_autofree char *path = download_http_meta(part), *text = NULL;
	json_auto_t *meta = NULL;
	const char *url;
	size_t len;

	if (fs_read(path, SMALL_MAX, &text, &len, NULL))
		meta = json_loadb(text, len, 0, NULL);
	url = json_string_value(json_object_get(meta, "url"));
	return url ? download_public(url) : NULL;
}

static void add_download(const struct gc_place *place, const char *name, GPtrArray *items)
{
	g_autofree char *path = path_of(place, name);

	if (g_str_has_suffix(name, ".part"))
		add(place, items, GC_UNFINISHED, name, url_of(path));
	else if (g_str_has_suffix(name, ".index"))
		add(place, items, GC_INDEX, name, g_strdup("package index"));
}

static void add_fetch(const struct gc_place *place, const char *name, GPtrArray *items)
{
	const char *base = strrchr(name, '/') + 1;

	if (strstr(base, GC_TMP_MARK) || !strcmp(base, "download") ||
	    !strcmp(base, "download-build"))
		add(place, items, GC_UNFINISHED, name, g_strdup("begun and not ended"));
}

/* ".../linux/.git/objects" of a repository on this host; of another one where it came from. */
static char *remote_of(const char *dir)
{
	g_autofree char *local = g_build_filename(dir, "repo.git/objects/info/alternates", NULL);
	g_autofree char *head = g_build_filename(dir, "repo.git/FETCH_HEAD", NULL);
	g_autofree char *line = NULL;
	const char *at;

	if ((line = first_line(local))) {
		char *end = g_strrstr(line, "/objects");

		if (end)
			*end = '\0';
		return g_steal_pointer(&line);
	}
	line = first_line(head);
	at = line ? g_strrstr(line, " of ") : NULL;
	return at ? g_strdup(at + strlen(" of ")) : NULL;
}

/* Git renames files here whenever it looks a ref up or checks one out. */
static int64_t repository_used_s(const char *dir)
{
	static const char *const touched[] = { "repo.git", "repo.git/objects/info", "src" };
	int64_t used_s = changed_s(dir);

	for (size_t i = 0; i < G_N_ELEMENTS(touched); i++) {
		g_autofree char *path = g_build_filename(dir, touched[i], NULL);

		used_s = MAX(used_s, changed_s(path));
	}
	return used_s;
}

/* Sources are used whenever an object folder of theirs is. What these hold is counted apart. */
static void add_repository(const struct gc_place *place, const char *name, GPtrArray *items)
{
	g_autofree char *dir = path_of(place, name);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	struct gc_item *sources;
	const char *entry;

	if (!d)
		return;
	if (strstr(name, GC_TMP_MARK)) {
		add(place, items, GC_UNFINISHED, name, g_strdup("begun and not ended"));
		return;
	}
	sources = add(place, items, GC_SOURCES, name, remote_of(dir));
	sources->used_s = MAX(sources->used_s, repository_used_s(dir));
	while ((entry = g_dir_read_name(d))) {
		g_autofree char *below = g_build_filename(name, entry, NULL), *release = NULL;
		struct gc_item *objects;

		if (!g_str_has_prefix(entry, "obj-"))
			continue;
		release = g_build_filename(dir, entry, "include/config/kernel.release", NULL);
		objects = add(place, items, GC_OBJECTS, below, first_line(release));
		sources->used_s = MAX(sources->used_s, objects->used_s);
		sources->bytes -= MIN(sources->bytes, objects->bytes);
	}
}

static void add_control(const struct gc_place *place, const char *name, GPtrArray *items)
{
	if (g_str_has_prefix(strrchr(name, '/') + 1, "work-"))
		add(place, items, GC_OBJECTS, name, g_strdup("control kernels"));
}

void gc_other_collect(const struct gc_place *place, GPtrArray *items)
{
	static const struct {
		const char *folder;
		void (*add)(const struct gc_place *, const char *, GPtrArray *);
	} kinds[] = {
		{ "downloads", add_download },
		{ "kernels", add_fetch },
		{ "git", add_repository },
		{ "controls", add_control },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *folder = path_of(place, kinds[i].folder);
		g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
		const char *entry;

		while (dir && (entry = g_dir_read_name(dir))) {
			g_autofree char *name = g_build_filename(kinds[i].folder, entry, NULL);

			kinds[i].add(place, name, items);
		}
	}
}

/* --- removal ------------------------------------------------------------------------------------
 */

/* The lock of who works with it, NULL: those of fetches and builds say it all. */
static char *lock_of(const char *path, const struct gc_item *item)
{
	g_autofree char *dir = g_path_get_dirname(path), *base = g_path_get_basename(path);
	g_autofree char *lock = NULL;

	if (item->kind == GC_SOURCES)
		return g_build_filename(path, "lock", NULL);
	if (item->kind != GC_OBJECTS)
		return g_str_has_suffix(path, ".part") ? g_strdup(path) : NULL;
	if (!g_str_has_prefix(base, "work-"))
		return g_build_filename(dir, "lock", NULL);
	lock = g_strconcat(base + strlen("work-"), ".lock", NULL);
	return g_build_filename(dir, lock, NULL);
}

static bool needs_no_build(const struct gc_item *item)
{
	return item->kind == GC_SOURCES || item->kind == GC_OBJECTS ||
	       g_str_has_suffix(item->name, "download-build");
}

/* Ours until *ret_fd closes. No lock file: nobody has worked there yet. */
static bool is_free(const struct gc_place *place, const char *path, const struct gc_item *item,
		    int *ret_fd)
{
	g_autofree char *lock = lock_of(path, item);

	if (needs_no_build(item) && !place->may_build)
		return false;
	*ret_fd = lock ? open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
	return *ret_fd < 0 || !flock(*ret_fd, LOCK_EX | LOCK_NB);
}

static bool remove_folder(const char *path, GError **error)
{
	g_autofree char *gone = g_strconcat(path, GC_TMP_MARK "gone", NULL);

	if (strstr(path, GC_TMP_MARK))
		return fs_remove(path, error);
	if (!fs_remove(gone, error))
		return false;
	if (rename(path, gone) && errno != ENOENT)
		return lab_fail_errno(error, "cannot remove '%s'", path);
	return fs_remove(gone, error);
}

bool gc_other_remove(const struct gc_place *place, struct gc_item *item, bool dry_run,
		     GError **error)
{
	g_autofree char *path = path_of(place, item->name);
	auto_fd fd = -1;

	if (!is_free(place, path, item, &fd)) {
		item->fate = GC_IN_USE;
		return true;
	}
	if (dry_run)
		return true;
	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return remove_folder(path, error);
	if (g_str_has_suffix(path, ".part")) {
		g_autofree char *meta = download_http_meta(path);

		unlink(meta);
	}
	if (unlink(path) && errno != ENOENT)
		return lab_fail_errno(error, "cannot remove '%s'", path);
	return true;
}
