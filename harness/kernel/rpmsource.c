// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel source "rpm": a package by its URL or path, or by name out of a repository.
 *
 * With a keyring the repository's metadata must be signed (repomd.xml.asc) or, where it is not, as
 * in CentOS's vault, the package itself, as yum's gpgcheck has it. Else a sha256 vouches, or
 * nothing.
 */
#include "kernel/source.h"

#include "kernel/download.h"
#include "kernel/rpm.h"
#include "kernel/rpmrepo.h"
#include "kernel/rpmrepo_open.h"

#include <glib/gstdio.h>

static const char *const image_globs[] = { "boot/vmlinuz-*", "lib/modules/*/vmlinuz",
					   "usr/lib/modules/*/vmlinuz", NULL };
static const char *const config_globs[] = { "boot/config-*", "lib/modules/*/config",
					    "usr/lib/modules/*/config", NULL };

struct errand {
	const struct kernel_spec *spec;
	const char *tmp_dir;
	const struct progress *progress;
	bool signed_index; /* repomd.xml is: what follows from it needs no other proof */
};

static bool check_spec(const struct kernel_spec *spec, GError **error)
{
	if (!spec->url == !spec->repo)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a kernel of source 'rpm' needs a 'url', or a 'repo'");
	if (spec->repo && !spec->package)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a 'repo' of source 'rpm' needs a 'package'\n"
				"hint: kernel (el7), kernel-core (el8, Fedora), kernel-default "
				"(SUSE)");
	return source_check_verify(spec, error);
}

/* ---- the repository ---- */

static bool find_in_repo(struct errand *e, struct rpm_entry *ret, GError **error)
{
	struct rpm_query query = { e->spec->package, e->spec->version };
	g_autofree char *primary = NULL;

	if (!rpm_repo_open(e->spec, e->tmp_dir, e->progress, &primary, &e->signed_index, error))
		return false;
	return rpm_primary_find(primary, &query, ret, error) ||
	       lab_prefix(error, "'%s'", e->spec->repo);
}

/* ---- the package ---- */

/* Is it the one that was asked for? A signed package may still be another one. */
static bool check_identity(const struct errand *e, const struct rpm_facts *facts,
			   const struct rpm_entry *entry, const char *what, GError **error)
{
	if (e->spec->repo &&
	    (g_strcmp0(facts->name, e->spec->package) || g_strcmp0(facts->version, entry->version)))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is '%s-%s', not '%s-%s'", what,
				facts->name, facts->version, e->spec->package, entry->version);
	if (facts->arch && strcmp(facts->arch, "x86_64"))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is for '%s', not for x86_64", what,
				facts->arch);
	return true;
}

static bool take_files(const char *path, const char *what, struct kernel_found *found,
		       GError **error)
{
	struct deb_file files[] = {
		{ .globs = image_globs, .max = KERNEL_IMAGE_MAX },
		{ .globs = config_globs, .max = KERNEL_CONFIG_MAX },
	};
	bool ok = rpm_read(path, files, 2, error);

	found->image = files[0].data;
	found->image_len = files[0].len;
	found->config = files[1].data;
	if (ok && !found->image)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"package '%s' holds no kernel image\n"
				"hint: it is in kernel (el7), kernel-core (el8, Fedora), "
				"kernel-default (SUSE)",
				what);
	return ok;
}

static bool read_package(const struct errand *e, const char *path, const struct rpm_entry *entry,
			 const char *what, struct kernel_found *found, GError **error)
{
	g_autofree char *quoted = g_strdup_printf("'%s'", what);
	g_auto(rpm_facts) facts = { 0 };

	if (e->spec->keyring && !e->signed_index &&
	    !rpm_verify(path, e->spec->keyring, e->tmp_dir, quoted, error))
		return false;
	if (!rpm_identify(path, &facts, error) || !check_identity(e, &facts, entry, what, error) ||
	    !take_files(path, what, found, error))
		return false;
	found->package = g_steal_pointer(&facts.name);
	found->package_version = g_steal_pointer(&facts.version);
	return true;
}

static bool fetch_package(const struct errand *e, const struct rpm_entry *entry,
			  struct kernel_found *found, GError **error)
{
	const struct kernel_spec *spec = e->spec;
	g_autofree char *path = g_build_filename(e->tmp_dir, "package.rpm", NULL);
	g_autofree char *url =
		spec->url ? g_strdup(spec->url) : download_join(spec->repo, entry->href);
	g_autofree char *what = g_path_get_basename(url);
	struct download d = { .url = url,
			      .path = path,
			      .max = SOURCE_PACKAGE_MAX,
			      .what = what,
			      .hash = spec->sha256 ? spec->sha256 : entry->hash,
			      .progress = e->progress };
	bool ok;

	if (!download_file(&d, error))
		return false;
	ok = read_package(e, path, entry, what, found, error);
	if (!ok)
		source_blame(error, path, url);
	g_unlink(path);
	return ok;
}

static bool fetch(struct errand *e, const struct kernel *have, struct kernel_found *found,
		  GError **error)
{
	g_auto(rpm_entry) entry = { 0 };

	if (e->spec->repo && !find_in_repo(e, &entry, error))
		return false;
	found->unchanged = e->spec->repo && have && !g_strcmp0(have->package, e->spec->package) &&
			   !g_strcmp0(have->package_version, entry.version);
	if (!found->unchanged)
		return fetch_package(e, &entry, found, error);
	found->package = g_strdup(e->spec->package);
	found->package_version = g_steal_pointer(&entry.version);
	return true;
}

static bool rpm_fetch(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error)
{
	struct errand e = { .spec = spec, .tmp_dir = tmp_dir, .progress = progress };
	struct kernel_found found = { 0 };

	if (!check_spec(spec, error))
		return false;
	if (!fetch(&e, have, &found, error)) {
		kernel_found_clear(&found);
		return false;
	}
	*ret = found;
	return true;
}

const struct kernel_source kernel_source_rpm = {
	.name = "rpm",
	.fetch = rpm_fetch,
};
