// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel source "apt": an image out of a package of any suite of the distribution.
 *
 * A metapackage is followed to the package that carries the image: linux-image-cloud-amd64 ->
 * linux-image-VER, and in newer suites, where that one is empty, -> linux-binary-VER. The config is
 * beside the image, or (split packages again) in linux-base-VER.
 */
#include "kernel/source.h"

#include "kernel/aptroot.h"
#include "kernel/deb.h"
#include "kernel/debdepend.h"

#include <glib/gstdio.h>

/* The first request of a fetch brings the lists up to date, the others see the same lists. */
static struct apt_request request_for(const struct kernel_spec *spec, const char *package,
				      const char *version)
{
	return (struct apt_request){ .suites = spec->suite, .package = package, .version = version,
				     .ignore_valid_until = spec->ignore_valid_until,
				     .as_is = true };
}

/* Follow the spec's package to the one that carries the image. */
static bool resolve(const struct kernel_spec *spec, bool refresh, const struct progress *progress,
		    struct apt_package *ret, GError **error)
{
	g_autofree char *package = g_strdup(spec->package), *version = g_strdup(spec->version);
	g_autofree char *note = NULL;

	for (unsigned i = 0; i < DEB_FOLLOW_MAX; i++) {
		struct apt_request req = request_for(spec, package, version);
		g_auto(apt_package) pkg = { 0 };
		char *next = NULL, *next_version = NULL;

		req.refresh = refresh;
		req.as_is = i > 0;
		if (!aptroot_show(&req, progress, &pkg, error))
			return false;
		if (i == 0)
			note = g_steal_pointer(&pkg.note);
		if (!deb_next_package(pkg.depends, pkg.name, &next, &next_version)) {
			*ret = pkg;
			g_free(ret->note);
			ret->note = g_steal_pointer(&note);
			pkg = (struct apt_package){ 0 };
			return true;
		}
		g_free(package);
		g_free(version);
		package = next;
		version = next_version;
	}
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"package '%s' leads through more than %u packages to no kernel",
			spec->package, DEB_FOLLOW_MAX);
}

static bool read_package(const struct kernel_spec *spec, const char *package, const char *version,
			 const char *tmp_dir, const struct progress *progress,
			 struct deb_file *files, unsigned n, GError **error)
{
	struct apt_request req = request_for(spec, package, version);
	g_autofree char *path = NULL;
	bool ok;

	if (!aptroot_download(&req, tmp_dir, progress, &path, NULL, error))
		return false;
	ok = deb_read(path, files, n, error);
	g_unlink(path);
	return ok;
}

/* A config that cannot be had is no reason to do without the kernel. */
static char *read_split_config(const struct kernel_spec *spec, const struct apt_package *pkg,
			       const char *tmp_dir, const struct progress *progress)
{
	struct deb_file config = { .globs = deb_config_globs, .max = KERNEL_CONFIG_MAX };
	g_autofree char *package = NULL, *version = NULL;

	if (deb_config_package(pkg->depends, &package, &version))
		read_package(spec, package, version, tmp_dir, progress, &config, 1, NULL);
	return config.data;
}

static bool fetch_package(const struct kernel_spec *spec, const struct apt_package *pkg,
			  const char *tmp_dir, const struct progress *progress,
			  struct kernel_found *found, GError **error)
{
	struct deb_file files[] = {
		{ .globs = deb_image_globs, .max = KERNEL_IMAGE_MAX },
		{ .globs = deb_config_globs, .max = KERNEL_CONFIG_MAX },
	};
	bool ok = read_package(spec, pkg->name, pkg->version, tmp_dir, progress, files, 2, error);

	found->image = files[0].data;
	found->image_len = files[0].len;
	found->config = files[1].data;
	if (!ok)
		return false;
	if (!found->image)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"package '%s' %s holds no kernel image", pkg->name, pkg->version);
	if (!found->config)
		found->config = read_split_config(spec, pkg, tmp_dir, progress);
	return true;
}

static bool apt_fetch(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error)
{
	g_auto(apt_package) pkg = { 0 };
	struct kernel_found found = { 0 };

	if (!spec->suite || !spec->package)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a kernel of source 'apt' needs a suite and a package");
	if (!resolve(spec, refresh, progress, &pkg, error))
		return false;
	found.package = g_strdup(pkg.name);
	found.package_version = g_strdup(pkg.version);
	found.note = g_strdup(pkg.note);
	found.unchanged = have && !g_strcmp0(have->package, pkg.name) &&
			  !g_strcmp0(have->package_version, pkg.version);
	if (!found.unchanged && !fetch_package(spec, &pkg, tmp_dir, progress, &found, error)) {
		kernel_found_clear(&found);
		return false;
	}
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_apt = {
	.name = "apt",
	.fetch = apt_fetch,
};
