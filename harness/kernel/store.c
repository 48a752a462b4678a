// SPDX-License-Identifier: GPL-2.0-or-later
/* Content-addressed images and the index of specs; see store.h for the layout. */
#include "kernel/store.h"

#include "base/fs.h"
#include "kernel/banner.h"
#include "kernel/bzimage.h"
#include "kernel/download.h"
#include "kernel/payload.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INDEX_SCHEMA 1
#define INDEX_MAX (64u << 10)

static char *image_dir(const char *sha256, GError **error)
{
	g_autofree char *root = fs_cache_dir("kernels", error);

	return root ? g_build_filename(root, sha256, NULL) : NULL;
}

/* *ret_known (may be NULL): was it looked for? Images of an earlier klab came without. */
static char *read_banner(const char *dir, bool *ret_known)
{
	g_autofree char *path = g_build_filename(dir, "banner", NULL), *text = NULL;
	bool known = fs_read(path, BANNER_MAX, &text, NULL, NULL);

	if (ret_known)
		*ret_known = known;
	return known && *text ? g_steal_pointer(&text) : NULL;
}

/* Identity out of the image's own header, config from beside it. */
static bool load(const char *dir, const char *sha256, struct kernel **ret, GError **error)
{
	g_autofree char *image = g_build_filename(dir, "bzImage", NULL), *data = NULL;
	g_autofree char *config = g_build_filename(dir, "config", NULL), *sum = NULL;
	g_autoptr(kernel) k = g_new0(struct kernel, 1);
	struct bzimage img;
	size_t len;

	if (!fs_read(image, KERNEL_IMAGE_MAX, &data, &len, error))
		return false;
	sum = fs_sha256_bytes(data, len);
	if (strcmp(sum, sha256))
		return lab_fail(error, LAB_ERROR_INFRA, "'%s' is damaged: its sha256 is '%s'",
				image, sum);
	if (!bzimage_parse(data, len, len, &img, error))
		return lab_prefix(error, "'%s'", image);
	fs_read(config, KERNEL_CONFIG_MAX, &k->config, NULL, NULL);
	k->banner = read_banner(dir, NULL);
	k->image = g_steal_pointer(&image);
	k->sha256 = g_strdup(sha256);
	k->release = g_strdup(img.release);
	k->version = g_strdup(img.version);
	*ret = g_steal_pointer(&k);
	return true;
}

/* Fill a fresh folder and rename it; another process may have been faster, with the same bytes. */
static bool write_folder(const struct kernel_found *found, const struct payload_facts *facts,
			 const char *dir, GError **error)
{
	/* The config within the image cannot be another build's: it wins. */
	const char *config = facts->config ? facts->config : found->config;
	const char *banner = facts->banner ? facts->banner : "";
	g_autofree char *tmp = g_strdup_printf("%s.tmp-XXXXXX", dir);
	g_autofree char *image = NULL, *text = NULL, *words = NULL;
	bool ok;

	if (!g_mkdtemp_full(tmp, 0755))
		return lab_fail_errno(error, "cannot create '%s'", tmp);
	image = g_build_filename(tmp, "bzImage", NULL);
	text = g_build_filename(tmp, "config", NULL);
	words = g_build_filename(tmp, "banner", NULL);
	ok = fs_write(image, found->image, found->image_len, error) &&
	     fs_write(words, banner, strlen(banner), error) &&
	     (!config || fs_write(text, config, strlen(config), error));
	if (ok && rename(tmp, dir) && errno != EEXIST && errno != ENOTEMPTY)
		ok = lab_fail_errno(error, "cannot create '%s'", dir);
	fs_remove(tmp, NULL);
	return ok;
}

static bool admit(const struct kernel_found *found, const char *dir, GError **error)
{
	g_auto(payload_facts) facts = { 0 };
	struct bzimage img;

	return bzimage_parse(found->image, found->image_len, found->image_len, &img, error) &&
	       payload_look(found->image + img.payload_offset, img.payload_len, &facts, error) &&
	       write_folder(found, &facts, dir, error);
}

void kernel_store_learn(struct kernel *k)
{
	g_autofree char *dir = g_path_get_dirname(k->image), *data = NULL, *path = NULL;
	g_auto(payload_facts) facts = { 0 };
	struct bzimage img;
	bool known;
	size_t len;

	g_free(k->banner);
	k->banner = read_banner(dir, &known);
	if (known || !fs_read(k->image, KERNEL_IMAGE_MAX, &data, &len, NULL) ||
	    !bzimage_parse(data, len, len, &img, NULL) ||
	    !payload_look(data + img.payload_offset, img.payload_len, &facts, NULL))
		return;
	path = g_build_filename(dir, "banner", NULL);
	k->banner = g_steal_pointer(&facts.banner);
	fs_write(path, k->banner ? k->banner : "", k->banner ? strlen(k->banner) : 0, NULL);
}

static bool add_config(const struct kernel_found *found, const char *dir, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "config", NULL);

	if (!found->config || g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	return fs_write(path, found->config, strlen(found->config), error);
}

bool kernel_store_put(const struct kernel_found *found, struct kernel **ret, GError **error)
{
	g_autofree char *sha256 = fs_sha256_bytes(found->image, found->image_len);
	g_autofree char *dir = image_dir(sha256, error);

	if (!dir)
		return false;
	if (load(dir, sha256, ret, NULL)) {
		g_clear_pointer(ret, kernel_free);
		return add_config(found, dir, error) && load(dir, sha256, ret, error);
	}
	return fs_remove(dir, error) && admit(found, dir, error) && load(dir, sha256, ret, error);
}

static void add_field(GString *key, const char *name, const char *value)
{
	if (value)
		g_string_append_printf(key, "\n%s=%s", name, value);
}

/* A package on this host that no sha256 pins may be another one tomorrow. */
static void add_file_state(GString *key, const struct kernel_spec *spec)
{
	const char *path = spec->url && !spec->sha256 ? download_local(spec->url) : NULL;
	struct stat st;

	if (path && !stat(path, &st))
		g_string_append_printf(key, "\nfile=%lld.%09ld %lld", (long long)st.st_mtim.tv_sec,
				       st.st_mtim.tv_nsec, (long long)st.st_size);
}

/* All that decides what is fetched and what vouches for it; of apt's specs as it always was. */
static char *index_key(const struct kernel_spec *spec)
{
	g_autofree char *base =
		g_strjoin("\n", spec->source, spec->suite ? spec->suite : "",
			  spec->package ? spec->package : "", spec->version ? spec->version : "",
			  spec->ignore_valid_until ? "expired" : "", NULL);
	GString *key = g_string_new(base);

	add_field(key, "url", spec->url);
	add_field(key, "repo", spec->repo);
	add_field(key, "component", spec->component);
	add_field(key, "keyring", spec->keyring);
	add_field(key, "sha256", spec->sha256);
	add_field(key, "verify", spec->verify_none ? "none" : NULL);
	add_field(key, "remote", spec->remote);
	add_field(key, "ref", spec->ref);
	add_field(key, "config", spec->config);
	add_field(key, "compiler", spec->compiler);
	add_field(key, "anonymous", spec->anonymous ? "yes" : NULL);
	for (char **p = spec->patches; p && *p; p++)
		add_field(key, "patch", *p);
	add_file_state(key, spec);
	return g_string_free(key, FALSE);
}

/* Of the spec, in the folder `sub`. */
static char *spec_path(const struct kernel_spec *spec, const char *sub, GError **error)
{
	g_autofree char *dir = fs_cache_dir(sub, error), *sum = NULL, *name = NULL;
	g_autofree char *key = index_key(spec);

	if (!dir)
		return NULL;
	sum = fs_sha256_bytes(key, strlen(key));
	name = g_strdup_printf("%.32s.json", sum);
	return g_build_filename(dir, name, NULL);
}

static char *index_path(const struct kernel_spec *spec, GError **error)
{
	return spec_path(spec, "kernels/index", error);
}

static char *refusal_path(const struct kernel_spec *spec)
{
	return spec_path(spec, "kernels/refused", NULL);
}

void kernel_store_refuse(const struct kernel_spec *spec, const char *reason)
{
	g_autofree char *path = refusal_path(spec), *words = g_utf8_make_valid(reason, -1);
	json_auto_t *entry =
		json_pack("{s:i s:s s:s}", "schema", INDEX_SCHEMA, "id", spec->id, "reason", words);
	g_autofree char *text = entry ? json_dumps(entry, JSON_INDENT(2)) : NULL;

	if (path && text && strlen(text) <= INDEX_MAX)
		fs_write(path, text, strlen(text), NULL);
}

char *kernel_store_refusal(const struct kernel_spec *spec, int64_t *ret_at_s)
{
	g_autofree char *path = refusal_path(spec), *text = NULL;
	json_auto_t *entry = NULL;
	struct stat st;
	size_t len;

	if (!path || stat(path, &st) || !fs_read(path, INDEX_MAX, &text, &len, NULL))
		return NULL;
	entry = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	*ret_at_s = st.st_mtime;
	return g_strdup(json_string_value(json_object_get(entry, "reason")));
}

bool kernel_store_index(const struct kernel_spec *spec, const struct kernel *k, GError **error)
{
	g_autofree char *path = index_path(spec, error), *text = NULL;
	g_autofree char *refusal = refusal_path(spec);
	json_t *entry;
	bool ok;

	if (!path)
		return false;
	entry = json_pack("{s:i s:s* s:s* s:s* s:s s:s s:s* s:s* s:s*}", "schema", INDEX_SCHEMA,
			  "source", spec->source, "suite", spec->suite, "spec_package",
			  spec->package, "sha256", k->sha256, "release", k->release, "package",
			  k->package, "package_version", k->package_version, "note", k->note);
	if (entry)
		text = json_dumps(entry, JSON_INDENT(2));
	json_decref(entry);
	ok = text ? fs_write(path, text, strlen(text), error)
		  : lab_fail(error, LAB_ERROR_INFRA, "cannot write '%s': a name is not UTF-8",
			     path);
	if (ok && refusal)
		unlink(refusal);
	return ok;
}

uint64_t kernel_store_age_s(const struct kernel_spec *spec)
{
	g_autofree char *path = index_path(spec, NULL);
	struct stat st;
	time_t now = time(NULL);

	return path && !stat(path, &st) && st.st_mtime <= now ? (uint64_t)(now - st.st_mtime) :
								UINT64_MAX;
}

static char *dup_string(const json_t *entry, const char *key)
{
	return g_strdup(json_string_value(json_object_get(entry, key)));
}

static bool is_sha256(const char *text)
{
	return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* NULL: nothing usable, be it absent, of another schema, or damaged. */
static struct kernel *find(const json_t *entry, GError **error)
{
	const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
	g_autofree char *dir = NULL;
	struct kernel *k = NULL;

	if (json_integer_value(json_object_get(entry, "schema")) != INDEX_SCHEMA ||
	    !is_sha256(sha256) || !(dir = image_dir(sha256, error)) || !load(dir, sha256, &k, NULL))
		return NULL;
	k->package = dup_string(entry, "package");
	k->package_version = dup_string(entry, "package_version");
	k->note = dup_string(entry, "note");
	return k;
}

char *kernel_store_sha256(const struct kernel_spec *spec)
{
	g_autofree char *path = index_path(spec, NULL), *text = NULL;
	char *sha256 = NULL;
	json_t *entry;
	size_t len;

	if (!path || !fs_read(path, INDEX_MAX, &text, &len, NULL))
		return NULL;
	entry = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (is_sha256(json_string_value(json_object_get(entry, "sha256"))))
		sha256 = dup_string(entry, "sha256");
	json_decref(entry);
	return sha256;
}

bool kernel_store_find(const struct kernel_spec *spec, struct kernel **ret, GError **error)
{
	g_autofree char *path = index_path(spec, error), *text = NULL;
	g_autoptr(GError) own = NULL;
	size_t len;
	json_t *entry;

	*ret = NULL;
	if (!path)
		return false;
	if (!fs_read(path, INDEX_MAX, &text, &len, NULL))
		return true;
	entry = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	*ret = entry ? find(entry, &own) : NULL;
	json_decref(entry);
	if (!own)
		return true;
	g_propagate_error(error, g_steal_pointer(&own));
	return false;
}
