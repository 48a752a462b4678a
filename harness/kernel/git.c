// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel source "git": a ref of a repository, built here.
 *
 * Below the cache folder "git" each remote has a folder with its repository, one working folder,
 * and folders of objects (build.h): another ref, or another config, costs what differs. What an
 * image was built from stands in its version string as the build host, COMMIT-INPUTS, so that it is
 * known again without a record beside it.
 */
#include "kernel/source.h"

#include "base/fs.h"
#include "kernel/build.h"
#include "kernel/build_config.h"
#include "kernel/compiler.h"
#include "kernel/git_repo.h"
#include "kernel/source_tree.h"

#include <string.h>

#define LOCK_TIMEOUT_S (4 * 3600)
#define PATCH_MAX (16u << 20)
#define COMMIT_DIGITS 12
#define INPUTS_DIGITS 8
#define KEY_DIGITS 16
#define ANONYMOUS "kbisect"
#define ANONYMOUS_DATE "Thu Jan 1 00:00:00 UTC 1970"
#define RECIPE 1 /* raise when kernels of an earlier klab must be built again */

struct order {
	const struct kernel_spec *spec;
	const struct progress *progress;
	char *what;
	char *config; /* the user's fragment, or NULL */
	char *inputs; /* hash of all that is the user's, but the ref */
	char *dir;
	git_repo repo;
	git_ref ref;
	char *host; /* COMMIT-INPUTS */
};

static void order_clear(struct order *o)
{
	g_free(o->what);
	g_free(o->config);
	g_free(o->inputs);
	g_free(o->dir);
	git_repo_clear(&o->repo);
	git_ref_clear(&o->ref);
	g_free(o->host);
}
typedef struct order order;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(order, order_clear)

/* ---- what the user asks for ---- */

static bool add_file(GChecksum *sum, const char *path, size_t max, char **ret_text, GError **error)
{
	g_autofree char *text = NULL;
	size_t len;

	if (!fs_read(path, max, &text, &len, error))
		return false;
	g_checksum_update(sum, (const guchar *)text, len);
	g_checksum_update(sum, (const guchar *)"\0", 1);
	if (ret_text)
		*ret_text = g_steal_pointer(&text);
	return true;
}

static bool read_inputs(const struct kernel_spec *spec, char **ret_config, char **ret_inputs,
			GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *head =
		g_strdup_printf("recipe %d compiler %s config %d\n", RECIPE,
				spec->compiler ? spec->compiler : "", spec->config != NULL);
	g_autofree char *config = NULL;

	g_checksum_update(sum, (const guchar *)head, -1);
	if (spec->config && !add_file(sum, spec->config, BUILD_CONFIG_MAX, &config, error))
		return lab_prefix(error, "config");
	for (char **patch = spec->patches; patch && *patch; patch++)
		if (!add_file(sum, *patch, PATCH_MAX, NULL, error))
			return lab_prefix(error, "patches");
	*ret_inputs = g_strndup(g_checksum_get_string(sum), INPUTS_DIGITS);
	if (ret_config)
		*ret_config = g_steal_pointer(&config);
	return true;
}

static bool has_patches(const struct kernel_spec *spec)
{
	return spec->patches && *spec->patches;
}

static bool have_tools(const struct kernel_spec *spec, GError **error)
{
	unsigned needs = BUILD_NEEDS_GIT;
	g_autofree char *missing = NULL;

	for (char **patch = spec->patches; patch && *patch; patch++)
		needs |=
			g_str_has_suffix(*patch, ".cocci") ? BUILD_NEEDS_SPATCH : BUILD_NEEDS_PATCH;
	missing = build_missing_packages(needs);
	return !missing || lab_fail(error, LAB_ERROR_UNAVAILABLE,
				    "building a kernel needs tools of these packages: %s\n"
				    "hint: apt-get install %s",
				    missing, missing);
}

static bool order_init(struct order *o, GError **error)
{
	if (!o->spec->remote || !o->spec->ref)
		return lab_fail(error, LAB_ERROR_USAGE,
				"a kernel of source 'git' needs a remote and a ref");
	o->what = g_strdup_printf("kernel '%s'", o->spec->id ? o->spec->id : o->spec->ref);
	return read_inputs(o->spec, &o->config, &o->inputs, error) && have_tools(o->spec, error);
}

/* ---- where it is built ---- */

/* One folder for one repository, however it is written. */
static char *remote_dir(const char *remote, GError **error)
{
	g_autofree char *root = fs_cache_dir("git", error), *path = NULL, *sha256 = NULL;

	if (!root || !git_remote_check(remote, &path, error))
		return NULL;
	remote = path ? path : remote;
	sha256 = fs_sha256_bytes(remote, strlen(remote));
	return g_strdup_printf("%s/%.*s", root, KEY_DIGITS, sha256);
}

static int take_lock(const struct order *o, GError **error)
{
	g_autofree char *path = g_build_filename(o->dir, "lock", NULL);
	g_autoptr(GError) busy = NULL;
	int fd = fs_lock(path, 0, &busy);

	if (fd >= 0)
		return fd;
	if (!g_error_matches(busy, LAB_ERROR, LAB_ERROR_TIMEOUT)) {
		g_propagate_error(error, g_steal_pointer(&busy));
		return -1;
	}
	progress_say(o->progress, "%s: another klab builds from this repository, waiting", o->what);
	return fs_lock(path, LOCK_TIMEOUT_S, error);
}

/* Which commit, and what a kernel made of it is called. */
static bool find_commit(struct order *o, GError **error)
{
	if (!git_repo_open(&o->repo, o->dir, o->spec->remote, o->what, o->progress, error) ||
	    !git_repo_resolve(&o->repo, o->spec->ref, &o->ref, error))
		return false;
	o->host = o->spec->anonymous ?
			  g_strdup_printf(ANONYMOUS "-%s", o->inputs) :
			  g_strdup_printf("%.*s-%s", COMMIT_DIGITS, o->ref.commit, o->inputs);
	return true;
}

static bool prepare_tree(struct order *o, GError **error)
{
	if (!git_repo_fetch(&o->repo, &o->ref, error) ||
	    !git_repo_checkout(&o->repo, o->ref.commit, error))
		return false;
	for (char **patch = o->spec->patches; patch && *patch; patch++) {
		progress_say(o->progress, "%s: patch '%s'", o->what, *patch);
		if (!build_patch(o->repo.work, *patch, o->progress, error))
			return false;
	}
	return true;
}

/* ---- what it is called ---- */

/* "6.2.0" is tagged v6.2, "6.2.1" is v6.2.1; v6.2-rc3 is 6.2.0 and says the rest itself. */
static bool is_release_tag(const char *ref, const char *release)
{
	g_autofree char *version = g_strdup(release);

	if (g_str_has_suffix(version, ".0"))
		version[strlen(version) - 2] = '\0';
	if (*ref != 'v' || !g_str_has_prefix(ref + 1, version))
		return false;
	ref += 1 + strlen(version);
	return !*ref || (g_str_has_prefix(ref, "-rc") && g_ascii_isdigit(ref[3]) &&
			 strspn(ref + 3, "0123456789") == strlen(ref + 3));
}

/* What is not a release as upstream tagged it must not pass for one: "-g" and the commit, "-dirty"
 * with patches, as a kernel's own scripts/setlocalversion has it. *ret is NULL for a release. */
static bool name_version(const struct order *o, char **ret, GError **error)
{
	g_autofree char *release = source_tree_version(o->repo.work, error);

	if (!release)
		return false;
	*ret = NULL;
	if (o->spec->anonymous)
		*ret = g_strdup("-" ANONYMOUS);
	else if (!o->ref.is_tag || has_patches(o->spec) || !is_release_tag(o->spec->ref, release))
		*ret = g_strdup_printf("-g%.*s%s", COMMIT_DIGITS, o->ref.commit,
				       has_patches(o->spec) ? "-dirty" : "");
	return true;
}

static bool build(struct order *o, struct kernel_found *ret, GError **error)
{
	g_autofree char *date = NULL, *version = NULL;
	struct build_spec spec = {
		.dir = o->dir,
		.src = o->repo.work,
		.config_name = o->spec->config,
		.config = o->config,
		.compiler = o->spec->compiler,
		.host = o->host,
		.what = o->what,
		.progress = o->progress,
	};
	struct build_result result = { 0 };

	if (!prepare_tree(o, error) || !name_version(o, &version, error))
		return false;
	date = o->spec->anonymous ? g_strdup(ANONYMOUS_DATE) :
				    git_repo_date(&o->repo, o->ref.commit, error);
	if (!date)
		return false;
	spec.localversion = version;
	spec.timestamp = date;
	if (!build_kernel(&spec, &result, error))
		return false;
	*ret = (struct kernel_found){ .image = result.image,
				      .image_len = result.image_len,
				      .config = result.config,
				      .note = result.note };
	return true;
}

/* Does the version string name this host? */
static bool is_made_on(const struct kernel *k, const char *host)
{
	g_autofree char *at = g_strdup_printf("@%s)", host);

	return strstr(k->version, at) != NULL;
}

static bool fetch_ordered(struct order *o, const struct kernel *have, struct kernel_found *ret,
			  GError **error)
{
	auto_fd lock = -1;

	o->dir = remote_dir(o->spec->remote, error);
	if (!o->dir || !fs_mkdir(o->dir, error) || (lock = take_lock(o, error)) < 0 ||
	    !find_commit(o, error))
		return false;
	if (have && is_made_on(have, o->host)) {
		*ret = (struct kernel_found){ .note = g_strdup(have->note), .unchanged = true };
		return true;
	}
	return build(o, ret, error);
}

static bool git_fetch(const struct kernel_spec *spec, const struct kernel *have,
		      const char *tmp_dir, bool refresh, const struct progress *progress,
		      struct kernel_found *ret, GError **error)
{
	g_auto(order) o = { .spec = spec, .progress = progress };

	return order_init(&o, error) && fetch_ordered(&o, have, ret, error);
}

/* A config or a patch that was edited since makes another kernel, whatever the ref. */
static bool git_is_current(const struct kernel_spec *spec, const struct kernel *have)
{
	g_autofree char *inputs = NULL, *end = NULL;

	if (!read_inputs(spec, NULL, &inputs, NULL))
		return false;
	end = g_strdup_printf("-%s)", inputs);
	return strstr(have->version, end) != NULL;
}

const struct kernel_source kernel_source_git = {
	.name = "git",
	.builds = true,
	.is_current = git_is_current,
	.fetch = git_fetch,
};
