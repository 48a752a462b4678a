// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * InRelease, else Release with Release.gpg, as apt asks for them; then Packages, by the hash that
 * Release gives. Only text that came out of gpgv is read of a file that signs itself.
 */
#include "kernel/debrepo_open.h"

#include "base/fs.h"
#include "kernel/download.h"
#include "kernel/gpg.h"
#include "kernel/unpack.h"

#include <glib/gstdio.h>
#include <time.h>

#define RELEASE_MAX (16u << 20)
#define PACKED_MAX (128u << 20)
#define LIST_MAX (512u << 20)

struct suite {
	const struct kernel_spec *spec;
	const char *name;
	char *base; /* URL of the folder that Release is in */
	const char *tmp_dir;
	const struct progress *progress;
};

void deb_repo_clear(struct deb_repo *repo)
{
	g_clear_pointer(&repo->lists, g_ptr_array_unref);
	g_clear_pointer(&repo->note, g_free);
}

static bool is_flat(const char *suite)
{
	return g_str_has_suffix(suite, "/");
}

static bool get(const struct suite *suite, const char *name, char **ret_path, bool *ret_absent,
		GError **error)
{
	g_autofree char *url = download_join(suite->base, name);
	g_autofree char *path = g_build_filename(suite->tmp_dir, name, NULL);
	struct download d = { .url = url,
			      .path = path,
			      .max = RELEASE_MAX,
			      .what = name,
			      .progress = suite->progress,
			      .ret_absent = ret_absent };

	if (!download_file(&d, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}

static bool verify(const struct suite *suite, const char *path, const char *signature,
		   const char *out, GError **error)
{
	g_autofree char *url = download_public(suite->base), *what = NULL;
	struct gpg_check check = { .keyring = suite->spec->keyring,
				   .path = path,
				   .signature = signature,
				   .out = out,
				   .tmp_dir = suite->tmp_dir };

	/* gpgv writes over nothing: another suite's is in the way. */
	if (out)
		g_unlink(out);
	check.what = what = g_strdup_printf("'%s/%s'", url, signature ? "Release" : "InRelease");
	return gpg_verify(&check, error);
}

/* *ret_path is text that the keyring vouches for. */
static bool get_signed(const struct suite *suite, char **ret_path, GError **error)
{
	g_autofree char *path = NULL, *signature = NULL;
	g_autofree char *text = g_build_filename(suite->tmp_dir, "Release.verified", NULL);
	g_autoptr(GError) own = NULL;
	bool absent;

	if (get(suite, "InRelease", &path, &absent, &own)) {
		if (!verify(suite, path, NULL, text, error))
			return false;
		*ret_path = g_steal_pointer(&text);
		return true;
	}
	if (!absent) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	if (!get(suite, "Release", &path, NULL, error) ||
	    !get(suite, "Release.gpg", &signature, NULL, error) ||
	    !verify(suite, path, signature, NULL, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}

static bool check_expiry(const struct suite *suite, const struct deb_release *release,
			 GError **error)
{
	g_autoptr(GDateTime) until = NULL;
	g_autofree char *day = NULL;

	if (!release->valid_until || suite->spec->ignore_valid_until ||
	    release->valid_until >= time(NULL))
		return true;
	until = g_date_time_new_from_unix_utc(release->valid_until);
	day = until ? g_date_time_format(until, "%Y-%m-%d") : NULL;
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"the Release file of '%s' expired on %s\n"
			"hint: 'check-valid-until: no' in kernels.yaml accepts it",
			suite->name, day ? day : "a day long ago");
}

static bool get_release(const struct suite *suite, struct deb_release *ret, GError **error)
{
	g_autofree char *path = NULL, *text = NULL;
	size_t len;

	if (!(suite->spec->keyring ? get_signed(suite, &path, error)
				   : get(suite, "Release", &path, NULL, error)))
		return false;
	if (!fs_read(path, RELEASE_MAX, &text, &len, error))
		return false;
	return deb_release_parse(text, len, ret, error) ||
	       lab_prefix(error, "the Release file of '%s'", suite->name);
}

/* By hash first, if the repository has that: then its Release and its lists always fit. */
static bool get_list(const struct suite *suite, const struct deb_release *release,
		     const struct deb_index *index, GBytes **ret, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(index->path), *path = NULL;
	g_autofree char *hashed = g_strdup_printf("%s/by-hash/SHA256/%s", dir, index->sha256);
	g_autofree char *by_hash = download_join(suite->base, hashed);
	g_autofree char *by_name = download_join(suite->base, index->path);
	g_autofree char *what = g_strdup_printf("packages of %s", suite->name);
	struct download d = { .url = release->by_hash ? by_hash : by_name,
			      .hash = index->sha256,
			      .max = PACKED_MAX,
			      .what = what,
			      .progress = suite->progress };

	if (!download_kept(&d, &path, NULL)) {
		d.url = by_name;
		if (!download_kept(&d, &path, error))
			return false;
	}
	return unpack_read(path, LIST_MAX, ret, error);
}

static bool add_suite(const struct suite *suite, struct deb_repo *repo, GError **error)
{
	const char *component = suite->spec->component ? suite->spec->component : "main";
	g_autofree char *dir =
		is_flat(suite->name) ? g_strdup("") : g_strconcat(component, "/binary-amd64", NULL);
	g_auto(deb_release) release = { 0 };
	const struct deb_index *index;
	GBytes *list;

	if (!get_release(suite, &release, error) || !check_expiry(suite, &release, error))
		return false;
	index = deb_release_packages(&release, dir);
	if (!index)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"suite '%s' has no packages of component '%s' for amd64",
				suite->name, component);
	if (!get_list(suite, &release, index, &list, error))
		return false;
	g_ptr_array_add(repo->lists, list);
	return true;
}

static void note(struct deb_repo *repo, const GError *why)
{
	g_autofree char *first = g_strndup(why->message, strcspn(why->message, "\n"));
	g_autofree char *old = repo->note;

	repo->note = old ? g_strconcat(old, "; ", first, NULL) : g_strdup(first);
}

bool deb_repo_open(const struct kernel_spec *spec, const char *tmp_dir,
		   const struct progress *progress, struct deb_repo *ret, GError **error)
{
	g_auto(GStrv) names = g_strsplit(spec->suite, ",", -1);
	g_auto(deb_repo)
		repo = { .lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref) };
	g_autoptr(GError) first = NULL;

	for (char **n = names; *n; n++) {
		g_autofree char *folder =
			is_flat(g_strstrip(*n)) ? g_strdup(*n) : g_strconcat("dists/", *n, NULL);
		g_autofree char *base = download_join(spec->repo, folder);
		struct suite suite = { spec, *n, base, tmp_dir, progress };
		g_autoptr(GError) own = NULL;

		if (add_suite(&suite, &repo, &own))
			continue;
		/* A suite that is not there leaves the others; what is refused ends all. */
		if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE)) {
			g_propagate_error(error, g_steal_pointer(&own));
			return false;
		}
		note(&repo, own);
		if (!first)
			first = g_steal_pointer(&own);
	}
	if (!repo.lists->len) {
		g_propagate_error(error, g_steal_pointer(&first));
		return false;
	}
	*ret = repo;
	repo = (struct deb_repo){ 0 };
	return true;
}
