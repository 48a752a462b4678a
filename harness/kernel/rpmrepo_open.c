// SPDX-License-Identifier: GPL-2.0-or-later
/* repomd.xml with repomd.xml.asc, as dnf asks for them; then primary.xml, by the hash that it
 * gives. */
#include "kernel/rpmrepo_open.h"

#include "base/fs.h"
#include "kernel/download.h"
#include "kernel/gpg.h"
#include "kernel/rpmrepo.h"

#define REPOMD_MAX (4u << 20)
#define PRIMARY_PACKED_MAX (256u << 20)

struct opening {
	const struct kernel_spec *spec;
	const char *tmp_dir;
	const struct progress *progress;
	bool is_signed;
};

static bool get(const struct opening *o, const char *name, char **ret_path, bool *ret_absent,
		GError **error)
{
	g_autofree char *url = download_join(o->spec->repo, name), *base = NULL, *path = NULL;
	struct download d = { .url = url,
			      .max = REPOMD_MAX,
			      .what = name,
			      .progress = o->progress,
			      .ret_absent = ret_absent };

	base = g_path_get_basename(name);
	d.path = path = g_build_filename(o->tmp_dir, base, NULL);
	if (!download_file(&d, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}

/* A repository that signs no metadata leaves the proof to the package. */
static bool verify_index(struct opening *o, const char *repomd, GError **error)
{
	g_autofree char *signature = NULL, *url = download_public(o->spec->repo), *what = NULL;
	struct gpg_check check = { .keyring = o->spec->keyring,
				   .path = repomd,
				   .tmp_dir = o->tmp_dir };
	g_autoptr(GError) own = NULL;
	bool absent;

	if (!get(o, "repodata/repomd.xml.asc", &signature, &absent, &own)) {
		if (absent)
			return true;
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	check.signature = signature;
	check.what = what = g_strdup_printf("'%s/repodata/repomd.xml'", url);
	o->is_signed = gpg_verify(&check, error);
	return o->is_signed;
}

static bool get_primary(struct opening *o, char **ret_path, GError **error)
{
	g_autofree char *repomd = NULL, *text = NULL, *url = NULL;
	g_auto(rpm_entry) primary = { 0 };
	struct download d = { .max = PRIMARY_PACKED_MAX,
			      .what = "list of packages",
			      .progress = o->progress };
	size_t len;

	if (!get(o, "repodata/repomd.xml", &repomd, NULL, error) ||
	    (o->spec->keyring && !verify_index(o, repomd, error)) ||
	    !fs_read(repomd, REPOMD_MAX, &text, &len, error))
		return false;
	if (!rpm_repomd_parse(text, len, &primary, error))
		return lab_prefix(error, "'%s'", o->spec->repo);
	d.url = url = download_join(o->spec->repo, primary.href);
	d.hash = primary.hash;
	return download_kept(&d, ret_path, error);
}

bool rpm_repo_open(const struct kernel_spec *spec, const char *tmp_dir,
		   const struct progress *progress, char **ret_primary, bool *ret_signed,
		   GError **error)
{
	struct opening o = { .spec = spec, .tmp_dir = tmp_dir, .progress = progress };

	if (!get_primary(&o, ret_primary, error))
		return false;
	*ret_signed = o.is_signed;
	return true;
}
