// SPDX-License-Identifier: GPL-2.0-or-later
/* See gc.h. */
#include "kernel/gc.h"

#include "base/fs.h"
#include "kernel/bzimage.h"
#include "kernel/gc_other.h"
#include "kernel/import.h"
#include "kernel/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_LIMIT_S 60
#define DAY_S 86400
#define UNFINISHED_S 3600 /* what is half made is somebody's work for so long */
#define INDEX_MAX (64u << 10)

const char *gc_kind_name(enum gc_kind kind)
{
	static const char *const names[] = { "image", "index", "unfinished", "objects", "sources" };

	return names[kind];
}

const char *gc_fate_name(enum gc_fate fate)
{
	static const char *const names[] = { "kept",     "recently used", "default set",
					     "imported", "in use",        "removed" };

	return names[fate];
}

static void item_free(gpointer data)
{
	struct gc_item *item = data;

	g_free(item->name);
	g_free(item->label);
	g_free(item->names);
	g_free(item);
}

/* --- sizes --------------------------------------------------------------------------------------
 */

bool gc_parse_size(const char *text, uint64_t *ret, GError **error)
{
	static const char units[] = "KMGT";
	char *end;
	double n = g_ascii_strtod(text, &end);
	const char *unit = end > text && *end ? strchr(units, g_ascii_toupper(*end)) : NULL;

	if (unit) {
		n *= pow(1024, unit - units + 1);
		end += 1 + (end[1] == 'i');
		end += g_ascii_toupper(*end) == 'B';
	}
	if (end == text || *end || !isfinite(n) || n < 0 || n > 1e15)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is no size\n"
				"hint: 5G, 500M, or a number of bytes",
				text);
	*ret = n;
	return true;
}

/* --- choice -------------------------------------------------------------------------------------
 */

/* What is unfinished first, then by age; of one repository the objects before the sources. */
static int compare_items(gconstpointer a, gconstpointer b)
{
	const struct gc_item *x = *(struct gc_item *const *)a, *y = *(struct gc_item *const *)b;
	bool first = x->kind == GC_UNFINISHED, second = y->kind == GC_UNFINISHED;

	if (first != second)
		return first ? -1 : 1;
	if (x->used_s != y->used_s)
		return x->used_s < y->used_s ? -1 : 1;
	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);
}

/* What keeps it, whatever room there is, or GC_REMOVED; GC_KEPT: nothing does either. */
static enum gc_fate bond(const struct gc_item *item, const struct gc_params *params, int64_t now_s)
{
	int64_t age_s = now_s - item->used_s;

	if (item->kind == GC_UNFINISHED)
		return age_s < UNFINISHED_S ? GC_RECENT : GC_REMOVED;
	if (item->is_default && !params->all)
		return GC_DEFAULT;
	if (item->is_import && !params->all)
		return GC_IMPORTED;
	if (params->keep_days >= 0 && age_s < (int64_t)params->keep_days * DAY_S)
		return GC_RECENT;
	return GC_KEPT;
}

void gc_choose(GPtrArray *items, const struct gc_params *params, int64_t now_s)
{
	bool by_age = params->max_bytes == UINT64_MAX && params->keep_days >= 0;
	uint64_t total = 0;

	g_ptr_array_sort(items, compare_items);
	for (guint i = 0; i < items->len; i++)
		total += ((struct gc_item *)items->pdata[i])->bytes;
	for (guint i = 0; i < items->len; i++) {
		struct gc_item *item = items->pdata[i];

		item->fate = bond(item, params, now_s);
		if (item->fate == GC_KEPT && (by_age || total > params->max_bytes))
			item->fate = GC_REMOVED;
		if (item->fate == GC_REMOVED)
			total -= item->bytes;
	}
}

/* --- what there is ------------------------------------------------------------------------------
 */

struct collection {
	char *root, *symbols; /* folders */
	struct gc_place place;
	GPtrArray *items;
	GHashTable *by_sha256; /* of images, borrowed */
};

static uint64_t size_of(const char *path)
{
	struct stat st;

	/* blocks: what removing it gives back */
	return stat(path, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static char *release_of(const char *image)
{
	g_autofree char *head = g_malloc0(BZIMAGE_SETUP_MAX);
	auto_fd fd = open(image, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : pread(fd, head, BZIMAGE_SETUP_MAX, 0);
	struct bzimage img;
	struct stat st;

	return len > 0 && !fstat(fd, &st) && bzimage_parse(head, len, st.st_size, &img, NULL)
		       ? g_strdup(img.release)
		       : g_strdup("?");
}

static char *symbols_of(const struct collection *c, const char *sha256)
{
	return g_strdup_printf("%s/%s.txt", c->symbols, sha256);
}

static void add_image(struct collection *c, const char *sha256)
{
	static const char *const parts[] = { "bzImage", "config", "banner", "" };
	struct gc_item *image = g_new0(struct gc_item, 1);
	g_autofree char *path = g_build_filename(c->root, sha256, "bzImage", NULL);
	g_autofree char *symbols = symbols_of(c, sha256);
	struct stat st;

	image->name = g_strdup(sha256);
	image->label = release_of(path);
	image->names = g_strdup("");
	image->used_s = stat(path, &st) ? 0 : st.st_mtime;
	image->bytes = size_of(symbols);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *part = g_build_filename(c->root, sha256, parts[i], NULL);

		image->bytes += size_of(part);
	}
	g_ptr_array_add(c->items, image);
	g_hash_table_insert(c->by_sha256, image->name, image);
}

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static void name_image(struct collection *c, const char *sha256, const char *id, bool is_default,
		       bool is_import)
{
	struct gc_item *image = sha256 ? g_hash_table_lookup(c->by_sha256, sha256) : NULL;
	char *names;

	if (!image)
		return;
	names = *image->names ? g_strjoin(", ", image->names, id, NULL) : g_strdup(id);
	g_free(image->names);
	image->names = names;
	image->is_default |= is_default;
	image->is_import |= is_import;
}

static void name_images(struct collection *c, const struct matrix *m)
{
	g_auto(GStrv) imports = import_ids();

	for (guint i = 0; i < m->kernels->len; i++) {
		const struct kernel_spec *spec = m->kernels->pdata[i];
		g_autofree char *sha256 =
			g_strcmp0(spec->source, "import") ? kernel_store_sha256(spec) : NULL;

		name_image(c, sha256, spec->id, spec->in_default, false);
	}
	for (char **id = imports; *id; id++) {
		g_autofree char *sha256 = import_sha256(*id);

		name_image(c, sha256, *id, false, true);
	}
}

static bool collect(struct collection *c, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(c->root, 0, error);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (is_sha256(name))
			add_image(c, name);
	gc_other_collect(&c->place, c->items);
	return dir != NULL;
}

/* --- removal ------------------------------------------------------------------------------------
 */

/* Does another process hold it? Exclusively locked by us until the descriptor closes. */
static bool is_in_use(const char *image, int *ret_fd)
{
	*ret_fd = open(image, O_RDONLY | O_CLOEXEC);
	return *ret_fd >= 0 && flock(*ret_fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
}

static bool remove_image(const struct collection *c, struct gc_item *image, bool dry_run,
			 GError **error)
{
	g_autofree char *dir = g_build_filename(c->root, image->name, NULL);
	g_autofree char *path = g_build_filename(dir, "bzImage", NULL);
	g_autofree char *gone = g_strconcat(dir, GC_TMP_MARK "gone", NULL);
	g_autofree char *symbols = symbols_of(c, image->name);
	auto_fd fd = -1;

	if (is_in_use(path, &fd)) {
		image->fate = GC_IN_USE;
		return true;
	}
	if (dry_run)
		return true;
	if (!fs_remove(gone, error))
		return false;
	if (rename(dir, gone))
		return lab_fail_errno(error, "cannot remove '%s'", dir);
	unlink(symbols);
	return fs_remove(gone, error);
}

/* Entries whose image is gone would lead nowhere. */
static void remove_index(const struct collection *c)
{
	g_autofree char *root = g_build_filename(c->root, "index", NULL);
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(root, name, NULL), *text = NULL;
		json_auto_t *entry = NULL;
		const char *sha256;
		size_t len;

		if (!fs_read(path, INDEX_MAX, &text, &len, NULL))
			continue;
		entry = json_loadb(text, len, 0, NULL);
		sha256 = json_string_value(json_object_get(entry, "sha256"));
		if (sha256 && is_sha256(sha256)) {
			g_autofree char *image = g_build_filename(c->root, sha256, NULL);

			if (!g_file_test(image, G_FILE_TEST_EXISTS))
				unlink(path);
		}
	}
}

static void forget_imports(const struct collection *c)
{
	g_auto(GStrv) ids = import_ids();

	for (char **id = ids; *id; id++) {
		g_autofree char *sha256 = import_sha256(*id), *image = NULL;

		if (!sha256)
			continue;
		image = g_build_filename(c->root, sha256, NULL);
		if (!g_file_test(image, G_FILE_TEST_EXISTS))
			import_forget(*id, NULL);
	}
}

static bool remove_chosen(const struct collection *c, bool dry_run, GError **error)
{
	bool ok = true;

	for (guint i = 0; i < c->items->len && ok; i++) {
		struct gc_item *item = c->items->pdata[i];

		if (item->fate != GC_REMOVED)
			continue;
		ok = item->kind == GC_IMAGE ? remove_image(c, item, dry_run, error)
					    : gc_other_remove(&c->place, item, dry_run, error);
	}
	if (!dry_run) {
		remove_index(c);
		forget_imports(c);
	}
	return ok;
}

static int take_lock(const char *root, const struct progress *progress, GError **error)
{
	g_autofree char *path = g_build_filename(root, "lock", NULL);
	int fd = fs_lock(path, 0, NULL);

	if (fd >= 0)
		return fd;
	progress_say(progress, "waiting for another klab that fetches kernels");
	return fs_lock(path, LOCK_LIMIT_S, error);
}

/* A build takes hours: it is not waited for, what it may use stays. */
static int take_build_lock(const char *root)
{
	g_autofree char *path = g_build_filename(root, "lock-build", NULL);

	return fs_lock(path, 0, NULL);
}

bool gc_run(const struct gc_params *params, const struct matrix *m, const struct progress *progress,
	    GPtrArray **ret, GError **error)
{
	g_autofree char *root = fs_cache_dir("kernels", error);
	g_autofree char *symbols = root ? fs_cache_dir("symbols", error) : NULL;
	g_autofree char *cache = root ? g_path_get_dirname(root) : NULL;
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(item_free);
	g_autoptr(GHashTable) by_sha256 = g_hash_table_new(g_str_hash, g_str_equal);
	struct collection c = { root, symbols, { cache, false }, items, by_sha256 };
	auto_fd lock = -1, build_lock = -1;

	if (!symbols || (lock = take_lock(root, progress, error)) < 0)
		return false;
	build_lock = take_build_lock(root);
	c.place.may_build = build_lock >= 0;
	if (!collect(&c, error))
		return false;
	name_images(&c, m);
	gc_choose(items, params, time(NULL));
	if (!remove_chosen(&c, params->dry_run, error))
		return false;
	*ret = g_steal_pointer(&items);
	return true;
}
