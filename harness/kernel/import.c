// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Imports; see import.h. An import is a small file that names an image of the store: it is written
 * when the image is there, and replaced or removed as a whole.
 */
#include "kernel/import.h"

#include "base/fs.h"
#include "kernel/banner.h"
#include "kernel/hold.h"
#include "kernel/identity.h"
#include "kernel/import_read.h"
#include "kernel/store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define RECORD_SCHEMA 1
#define RECORD_MAX (64u << 10)
#define ID_MAX 64
#define ID_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-"

/* --- records ------------------------------------------------------------------------------------
 */

static bool id_is_good(const char *id)
{
	size_t n = strspn(id, ID_CHARS);

	return n && n == strlen(id) && n <= ID_MAX && g_ascii_isalnum(*id);
}

static char *record_path(const char *id, GError **error)
{
	g_autofree char *dir = fs_cache_dir("kernels/imports", error), *name = NULL;

	if (!dir)
		return NULL;
	name = g_strconcat(id, ".json", NULL);
	return g_build_filename(dir, name, NULL);
}

static json_t *record_load(const char *id)
{
	g_autofree char *path = id_is_good(id) ? record_path(id, NULL) : NULL, *text = NULL;
	json_t *record;
	size_t len;

	if (!path || !fs_read(path, RECORD_MAX, &text, &len, NULL))
		return NULL;
	record = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_integer_value(json_object_get(record, "schema")) == RECORD_SCHEMA)
		return record;
	json_decref(record);
	return NULL;
}

static const char *text_of(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

static bool is_sha256(const char *text)
{
	return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

char *import_sha256(const char *id)
{
	json_auto_t *record = record_load(id);
	const char *sha256 = text_of(record, "sha256");

	return is_sha256(sha256) ? g_strdup(sha256) : NULL;
}

static int compare_ids(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **import_ids(void)
{
	g_autofree char *path = fs_cache_dir("kernels/imports", NULL);
	g_autoptr(GDir) dir = path ? g_dir_open(path, 0, NULL) : NULL;
	GPtrArray *ids = g_ptr_array_new();
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *id = g_str_has_suffix(name, ".json")
					      ? g_strndup(name, strlen(name) - 5)
					      : g_strdup("");
		json_auto_t *record = record_load(id);

		if (record)
			g_ptr_array_add(ids, g_steal_pointer(&id));
	}
	g_ptr_array_sort(ids, compare_ids);
	g_ptr_array_add(ids, NULL);
	return (char **)g_ptr_array_free(ids, FALSE);
}

bool import_forget(const char *id, GError **error)
{
	g_autofree char *path = id_is_good(id) ? record_path(id, error) : NULL;

	if (path && !unlink(path))
		return true;
	if (path && errno != ENOENT)
		return lab_fail_errno(error, "cannot remove '%s'", path);
	return lab_fail(error, LAB_ERROR_USAGE,
			"there is no import '%s'\n"
			"hint: klab kernels list shows imports and where they came from",
			id);
}

/* --- as kernels ---------------------------------------------------------------------------------
 */

bool import_add_to(struct matrix *m, GError **error)
{
	g_auto(GStrv) ids = import_ids();

	for (char **id = ids; *id; id++) {
		json_auto_t *record = record_load(*id);
		struct kernel_spec *spec;

		if (!record || matrix_find(m, *id))
			continue;
		spec = g_new0(struct kernel_spec, 1);
		spec->id = g_strdup(*id);
		spec->source = g_strdup("import");
		spec->path = g_strdup(text_of(record, "file"));
		spec->vendor = g_strdup(text_of(record, "vendor"));
		g_ptr_array_add(m->kernels, spec);
		g_hash_table_insert(m->by_id, spec->id, spec);
	}
	return true;
}

static bool import_fetch(const struct kernel_spec *spec, const struct kernel *have,
			 const char *tmp_dir, bool refresh, const struct progress *progress,
			 struct kernel_found *ret, GError **error)
{
	json_auto_t *record = record_load(spec->id);
	g_autofree char *root = fs_cache_dir("kernels", error), *image = NULL;
	const char *sha256 = text_of(record, "sha256");
	struct kernel_found found = { 0 };

	if (!root)
		return false;
	if (is_sha256(sha256))
		image = g_build_filename(root, sha256, "bzImage", NULL);
	if (!image || !fs_read(image, KERNEL_IMAGE_MAX, &found.image, &found.image_len, NULL))
		return lab_fail(
			error, LAB_ERROR_UNAVAILABLE,
			"the image of import '%s' is gone\nhint: import it again, from '%s'",
			spec->id, spec->path ? spec->path : "its file");
	found.package = g_strdup(text_of(record, "package"));
	found.package_version = g_strdup(text_of(record, "package_version"));
	found.note =
		g_strdup_printf("not verified: imported from '%s'", spec->path ? spec->path : "?");
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_import = {
	.name = "import",
	.local = true,
	.fetch = import_fetch,
};

/* --- importing ----------------------------------------------------------------------------------
 */

struct importing {
	const struct import_piece *piece;
	const struct import_piece *vmlinux; /* of the same build, or NULL */
	char *id;
	struct kernel *kernel; /* in the store */
};

static void importing_free(gpointer data)
{
	struct importing *x = data;

	g_free(x->id);
	kernel_free(x->kernel);
	g_free(x);
}

static void piece_free(gpointer data)
{
	import_piece_free(data);
}

static char *id_of_release(const char *release)
{
	char *id = g_strndup(release, ID_MAX);

	g_strcanon(id, ID_CHARS, '-');
	if (!g_ascii_isalnum(*id))
		*id = 'k';
	return id;
}

/* An id may not mean two things; the same thing twice is fine. */
static bool check_id(const struct importing *x, const struct matrix *matrix, GError **error)
{
	const struct kernel_spec *spec = matrix ? matrix_find(matrix, x->id) : NULL;
	g_autofree char *sha256 = import_sha256(x->id);

	if (spec && g_strcmp0(spec->source, "import"))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is the id of another kernel already\n"
				"hint: --id NAME calls the import something else",
				x->id);
	if (sha256 && strcmp(sha256, x->kernel->sha256))
		return lab_fail(
			error, LAB_ERROR_USAGE,
			"'%s' is the id of another import already\n"
			"hint: --id NAME calls this one something else, klab kernels forget %s "
			"makes room",
			x->id, x->id);
	return true;
}

static bool check_twins(const GPtrArray *all, GError **error)
{
	for (guint i = 0; i < all->len; i++)
		for (guint j = 0; j < i; j++) {
			const struct importing *a = all->pdata[i], *b = all->pdata[j];

			if (!strcmp(a->id, b->id) && strcmp(a->kernel->sha256, b->kernel->sha256))
				return lab_fail(error, LAB_ERROR_USAGE,
						"'%s' and '%s' are different kernels of release "
						"'%s'\nhint: import one at a time, with --id NAME",
						b->piece->path, a->piece->path, a->id);
		}
	return true;
}

/* A config names upstream's release in a comment, "# Linux/x86 6.1.76 Kernel Configuration", where
 * the kernel may call itself 6.1.0-18-amd64: the branch must agree. */
static bool config_fits(const char *config, const char *release)
{
	const char *at = strstr(config, "# Linux/x86"), *minor = strchr(release, '.');
	size_t n = minor ? minor + 1 + strspn(minor + 1, "0123456789") - release : 0;

	at = at ? strchr(at + 2, ' ') : NULL;
	return at && n && !strncmp(at + 1, release, n) && !g_ascii_isdigit(at[1 + n]);
}

static bool join_vmlinux(const struct import_piece *piece, GPtrArray *all, GError **error)
{
	for (guint i = 0; i < all->len; i++) {
		struct importing *x = all->pdata[i];

		if (banner_fits(piece->banner, x->kernel->release, x->kernel->version)) {
			x->vmlinux = piece;
			return true;
		}
	}
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' is an uncompressed kernel: klab boots the bzImage of its build%s\n"
			"hint: import arch/x86/boot/bzImage, or vmlinuz, beside it; it is '%.80s'",
			piece->path,
			piece->pvh ? " (its PVH entry is not used)"
				   : ", and this one has no PVH entry that QEMU could start it by",
			piece->banner);
}

static bool join_config(const struct import_piece *piece, GPtrArray *all, GError **error)
{
	struct importing *only = all->len == 1 ? all->pdata[0] : NULL;
	struct kernel_found found = { 0 };
	bool ok;

	if (!only || !config_fits(piece->found.config, only->kernel->release))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is a config, but not that of %s\n"
				"hint: import one kernel and its own config at a time",
				piece->path,
				only ? only->kernel->release : "one kernel that comes with it");
	if (only->kernel->config)
		return true;
	found = only->piece->found; /* borrowed */
	found.config = piece->found.config;
	g_clear_pointer(&only->kernel, kernel_free);
	ok = kernel_store_put(&found, &only->kernel, error);
	return ok;
}

static bool store_one(const struct import_piece *piece, const char *id, GPtrArray *all,
		      const struct progress *progress, GError **error)
{
	struct importing *x = g_new0(struct importing, 1);

	g_ptr_array_add(all, x);
	x->piece = piece;
	progress_say(progress, "%s: unpacking and checking", piece->path);
	if (!kernel_store_put(&piece->found, &x->kernel, error))
		return lab_prefix(error, "'%s'", piece->path);
	kernel_hold(x->kernel->image);
	x->id = id ? g_strdup(id) : id_of_release(x->kernel->release);
	x->kernel->id = g_strdup(x->id);
	return true;
}

static bool record_write(const struct importing *x, GError **error)
{
	g_autofree char *path = record_path(x->id, error), *text = NULL, *day = NULL;
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	const struct kernel_found *found = &x->piece->found;
	struct ktb_kernel ktb;
	bool known = kernel_identity_ktb(x->kernel, &ktb) && strcmp(ktb.vendor, "mainline") &&
		     strcmp(ktb.vendor, "other");
	json_auto_t *record = NULL;

	if (!path)
		return false;
	day = g_date_time_format(now, "%Y-%m-%d");
	record = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s}", "schema",
			   RECORD_SCHEMA, "sha256", x->kernel->sha256, "release",
			   x->kernel->release, "file", x->piece->path, "file_sha256",
			   x->piece->sha256, "package", found->package, "package_version",
			   found->package_version, "vendor", known ? ktb.vendor : NULL, "vmlinux",
			   x->vmlinux ? x->vmlinux->path : NULL, "imported", day);
	text = record ? json_dumps(record, JSON_INDENT(2)) : NULL;
	return text ? fs_write(path, text, strlen(text), error)
		    : lab_fail(error, LAB_ERROR_INPUT, "'%s': a name is not UTF-8", x->piece->path);
}

static bool read_all(const char *const *files, GPtrArray *pieces, GError **error)
{
	for (; *files; files++) {
		struct import_piece *piece;

		if (!import_read(*files, &piece, error))
			return false;
		g_ptr_array_add(pieces, piece);
	}
	return true;
}

static bool store_all(GPtrArray *pieces, const char *id, GPtrArray *all,
		      const struct progress *progress, GError **error)
{
	for (guint i = 0; i < pieces->len; i++) {
		const struct import_piece *piece = pieces->pdata[i];

		if (piece->kind == IMPORT_IMAGE && !store_one(piece, id, all, progress, error))
			return false;
	}
	if (id && all->len > 1)
		return lab_fail(error, LAB_ERROR_USAGE, "--id names one kernel, and these are %u",
				all->len);
	for (guint i = 0; i < pieces->len; i++) {
		const struct import_piece *piece = pieces->pdata[i];

		if ((piece->kind == IMPORT_VMLINUX && !join_vmlinux(piece, all, error)) ||
		    (piece->kind == IMPORT_CONFIG && !join_config(piece, all, error)))
			return false;
	}
	return true;
}

/* All ids are checked before the first record is written. */
static bool record_all(const GPtrArray *all, const struct matrix *matrix, GError **error)
{
	if (!check_twins(all, error))
		return false;
	for (guint i = 0; i < all->len; i++)
		if (!check_id(all->pdata[i], matrix, error))
			return false;
	for (guint i = 0; i < all->len; i++)
		if (!record_write(all->pdata[i], error))
			return false;
	return true;
}

static void kernel_free_one(gpointer data)
{
	kernel_free(data);
}

static GPtrArray *kernels_of(const GPtrArray *all)
{
	GPtrArray *kernels = g_ptr_array_new_with_free_func(kernel_free_one);

	for (guint i = 0; i < all->len; i++) {
		struct importing *x = all->pdata[i];

		x->kernel->package = g_strdup(x->piece->found.package);
		x->kernel->package_version = g_strdup(x->piece->found.package_version);
		x->kernel->source = g_strdup("import");
		g_free(x->kernel->id);
		x->kernel->id = g_strdup(x->id);
		g_ptr_array_add(kernels, g_steal_pointer(&x->kernel));
	}
	return kernels;
}

bool import_files(const char *const *files, const char *id, const struct matrix *matrix,
		  const struct progress *progress, GPtrArray **ret, GError **error)
{
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(piece_free);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(importing_free);

	if (id && !id_is_good(id))
		return lab_fail(
			error, LAB_ERROR_USAGE,
			"'%s' is no id\n"
			"hint: letters, digits and . _ + - only, at most %u, a letter or digit "
			"first",
			id, ID_MAX);
	if (!read_all(files, pieces, error) || !store_all(pieces, id, all, progress, error) ||
	    !record_all(all, matrix, error))
		return false;
	*ret = kernels_of(all);
	return true;
}
