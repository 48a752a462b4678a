// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel source "deb": a Debian package by its URL or path, or by name out of a repository that the
 * user names (Ubuntu's, a vendor's, an old one's archive), without apt and its configuration.
 *
 * What vouches for the bytes is the spec's: the repository's signature, a sha256, or nothing.
 */
#include "kernel/source.h"

#include "kernel/deb.h"
#include "kernel/debdepend.h"
#include "kernel/debrepo_open.h"
#include "kernel/download.h"

#include <glib/gstdio.h>

struct errand {
	const struct kernel_spec *spec;
	const char *tmp_dir;
	const struct progress *progress;
};

static bool check_spec(const struct kernel_spec *spec, GError **error)
{
	if (!spec->url == !spec->repo)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a kernel of source 'deb' needs a 'url', or a 'repo'");
	if (spec->repo && (!spec->suite || !spec->package))
		return lab_fail(error, LAB_ERROR_USAGE,
				"a 'repo' of source 'deb' needs a 'suite' and a 'package'");
	if (spec->url && spec->keyring)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a .deb carries no signature that a keyring could verify\n"
				"hint: give its sha256, or a 'repo' in place of the 'url'");
	return source_check_verify(spec, error);
}

/* Download one package and read the files; it does not stay. */
static bool read_package(const struct errand *e, const struct download *what,
			 struct deb_file *files, unsigned n, struct deb_package *ret_self,
			 GError **error)
{
	g_autofree char *path = g_build_filename(e->tmp_dir, "package.deb", NULL);
	struct download d = *what;
	bool ok;

	d.path = path;
	d.max = SOURCE_PACKAGE_MAX;
	d.progress = e->progress;
	if (!download_file(&d, error))
		return false;
	ok = deb_read(path, files, n, error) &&
	     (!ret_self || deb_identify(path, &ret_self->name, &ret_self->version, error));
	if (!ok)
		source_blame(error, path, d.url);
	g_unlink(path);
	return ok;
}

static bool take_image(struct deb_file *files, struct kernel_found *found, const char *name,
		       GError **error)
{
	found->image = g_steal_pointer(&files[0].data);
	found->image_len = files[0].len;
	found->config = g_steal_pointer(&files[1].data);
	return found->image ||
	       lab_fail(error, LAB_ERROR_UNAVAILABLE, "package '%s' holds no kernel image", name);
}

static void image_files(struct deb_file files[2])
{
	files[0] = (struct deb_file){ .globs = deb_image_globs, .max = KERNEL_IMAGE_MAX };
	files[1] = (struct deb_file){ .globs = deb_config_globs, .max = KERNEL_CONFIG_MAX };
}

/* ---- by URL ---- */

static bool fetch_url(const struct errand *e, struct kernel_found *found, GError **error)
{
	g_autofree char *what = g_path_get_basename(e->spec->url);
	struct download d = { .url = e->spec->url, .hash = e->spec->sha256, .what = what };
	g_auto(deb_package) self = { 0 };
	struct deb_file files[2];
	bool ok;

	image_files(files);
	ok = read_package(e, &d, files, 2, &self, error) && take_image(files, found, what, error);
	g_free(files[0].data);
	g_free(files[1].data);
	if (!ok)
		return false;
	found->package = g_steal_pointer(&self.name);
	found->package_version = g_steal_pointer(&self.version);
	return true;
}

/* ---- by repository ---- */

static bool find(const struct deb_repo *repo, const char *name, const char *version,
		 struct deb_package *ret)
{
	for (unsigned i = 0; i < repo->lists->len; i++) {
		gsize len;
		const char *text = g_bytes_get_data(g_ptr_array_index(repo->lists, i), &len);

		deb_packages_find(text, len, name, version, ret);
	}
	return ret->name != NULL;
}

/* Follow the spec's package to the one that carries the image. */
static bool resolve(const struct errand *e, const struct deb_repo *repo, struct deb_package *ret,
		    GError **error)
{
	g_autofree char *name = g_strdup(e->spec->package), *version = g_strdup(e->spec->version);

	for (unsigned i = 0; i < DEB_FOLLOW_MAX; i++) {
		g_auto(deb_package) pkg = { 0 };
		char *next = NULL, *next_version = NULL;

		if (!find(repo, name, version, &pkg))
			return lab_fail(error, LAB_ERROR_UNAVAILABLE,
					"'%s%s%s' is not in %s of '%s'", name, version ? "=" : "",
					version ? version : "", e->spec->suite, e->spec->repo);
		if (!deb_next_package(pkg.depends, pkg.name, &next, &next_version)) {
			*ret = pkg;
			pkg = (struct deb_package){ 0 };
			return true;
		}
		g_free(name);
		g_free(version);
		name = next;
		version = next_version;
	}
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"package '%s' leads through more than %u packages to no kernel",
			e->spec->package, DEB_FOLLOW_MAX);
}

static bool read_listed(const struct errand *e, const struct deb_package *pkg, const char *sha256,
			struct deb_file *files, unsigned n, GError **error)
{
	g_autofree char *url = download_join(e->spec->repo, pkg->filename);
	struct download d = { .url = url, .hash = sha256, .what = pkg->name };

	return read_package(e, &d, files, n, NULL, error);
}

/* A config that cannot be had is no reason to do without the kernel. */
static void read_split_config(const struct errand *e, const struct deb_repo *repo,
			      const struct deb_package *image, struct kernel_found *found)
{
	struct deb_file config = { .globs = deb_config_globs, .max = KERNEL_CONFIG_MAX };
	g_autofree char *name = NULL, *version = NULL;
	g_auto(deb_package) pkg = { 0 };

	/* A sha256 in the spec vouches for the image's package alone. */
	if ((e->spec->keyring || e->spec->verify_none) &&
	    deb_config_package(image->depends, &name, &version) && find(repo, name, version, &pkg))
		read_listed(e, &pkg, pkg.sha256, &config, 1, NULL);
	found->config = config.data;
}

static bool fetch_listed(const struct errand *e, const struct deb_repo *repo,
			 const struct deb_package *pkg, struct kernel_found *found, GError **error)
{
	const char *sha256 = e->spec->sha256 ? e->spec->sha256 : pkg->sha256;
	struct deb_file files[2];
	bool ok;

	image_files(files);
	ok = read_listed(e, pkg, sha256, files, 2, error) &&
	     take_image(files, found, pkg->name, error);
	g_free(files[0].data);
	g_free(files[1].data);
	if (ok && !found->config)
		read_split_config(e, repo, pkg, found);
	return ok;
}

static bool fetch_repo(const struct errand *e, const struct kernel *have,
		       struct kernel_found *found, GError **error)
{
	g_auto(deb_repo) repo = { 0 };
	g_auto(deb_package) pkg = { 0 };

	if (!deb_repo_open(e->spec, e->tmp_dir, e->progress, &repo, error) ||
	    !resolve(e, &repo, &pkg, error))
		return false;
	found->unchanged = have && !g_strcmp0(have->package, pkg.name) &&
			   !g_strcmp0(have->package_version, pkg.version);
	if (!found->unchanged && !fetch_listed(e, &repo, &pkg, found, error))
		return false;
	found->package = g_steal_pointer(&pkg.name);
	found->package_version = g_steal_pointer(&pkg.version);
	found->note = g_steal_pointer(&repo.note);
	return true;
}

static bool deb_fetch(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error)
{
	struct errand e = { spec, tmp_dir, progress };
	struct kernel_found found = { 0 };

	if (!check_spec(spec, error))
		return false;
	if (!(spec->url ? fetch_url(&e, &found, error) : fetch_repo(&e, have, &found, error))) {
		kernel_found_clear(&found);
		return false;
	}
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_deb = {
	.name = "deb",
	.fetch = deb_fetch,
};
