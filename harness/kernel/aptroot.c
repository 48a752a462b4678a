// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages through the private apt root. apt does all that matters here: signatures, hashes,
 * mirrors, proxies, retries. What it downloads lands in a temporary folder beside its destination
 * and is renamed when it is whole.
 */
#include "kernel/aptroot.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/apthome.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#define QUERY_TIMEOUT_S 120
#define DOWNLOAD_TIMEOUT_S 1800
#define CLOSURE_MAX 500
#define TMP_PREFIX ".apt-"

void apt_package_clear(struct apt_package *pkg)
{
	g_clear_pointer(&pkg->name, g_free);
	g_clear_pointer(&pkg->version, g_free);
	g_clear_pointer(&pkg->depends, g_free);
	g_clear_pointer(&pkg->note, g_free);
}

/* Names become arguments of apt: nothing that it could take for an option or a pattern. */
static bool check_name(const char *noun, const char *name, const char *more, GError **error)
{
	bool ok = name && g_ascii_isalnum(*name);

	for (const char *p = name; ok && *p; p++)
		ok = g_ascii_isalnum(*p) || strchr(more, *p);
	return ok || lab_fail(error, LAB_ERROR_USAGE, "'%s' is no %s", name ? name : "", noun);
}

static bool check_request(const struct apt_request *req, GError **error)
{
	return check_name("list of suites", req->suites, ",-_./ ", error) &&
	       check_name("package name", req->package, "+-.", error) &&
	       (!req->version || check_name("package version", req->version, "+-.:~", error));
}

static bool open_home(struct apt_home *home, const struct apt_request *req,
		      const struct progress *progress, GError **error)
{
	return check_request(req, error) && apt_home_open(home, progress, error) &&
	       apt_home_add_suites(home, req, progress, error);
}

/* Value of "Field: value" in the first stanza of apt-cache's output, or NULL. */
static char *stanza_field(const char *text, const char *field)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	size_t len = strlen(field);

	for (char **l = lines; *l && **l; l++)
		if (!strncmp(*l, field, len) && (*l)[len] == ':')
			return g_strdup(g_strstrip(*l + len + 1));
	return NULL;
}

static bool parse_package(const char *text, struct apt_package *ret, GError **error)
{
	g_auto(apt_package) pkg = { .name = stanza_field(text, "Package"),
				    .version = stanza_field(text, "Version"),
				    .depends = stanza_field(text, "Depends") };
	g_autofree char *size = stanza_field(text, "Size");

	if (!pkg.name || !pkg.version)
		return lab_fail(error, LAB_ERROR_INFRA,
				"apt-cache said what is no package: '%.200s'", text);
	pkg.size = size ? g_ascii_strtoull(size, NULL, 10) : 0;
	if (!pkg.depends)
		pkg.depends = g_strdup("");
	*ret = pkg;
	pkg = (struct apt_package){ 0 };
	return true;
}

static bool show(struct apt_home *home, const struct apt_request *req, struct apt_package *ret,
		 GError **error)
{
	g_autofree char *what = req->version ? g_strconcat(req->package, "=", req->version, NULL) :
					       g_strdup(req->package);
	const char *const argv[] = { "apt-cache", "show", what, NULL };
	struct apt_call call = { .argv = argv, .timeout_s = QUERY_TIMEOUT_S };
	g_autofree char *output = NULL, *reason = NULL;

	if (!apt_home_run(home, &call, &output, &reason, error))
		return false;
	/* For a version that is not there, apt-cache prints nothing and is content. */
	if (reason || !*g_strchug(output))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s' is not in %s: %s%s%s", what,
				req->suites, reason ? reason : "no such version",
				home->note ? "; " : "", home->note ? home->note : "");
	/* Stanzas come with the highest version first. */
	if (!parse_package(output, ret, error))
		return false;
	ret->note = g_strdup(home->note);
	return true;
}

bool aptroot_show(const struct apt_request *req, const struct progress *progress,
		  struct apt_package *ret, GError **error)
{
	g_auto(apt_home) home = APT_HOME_INIT;

	return open_home(&home, req, progress, error) && show(&home, req, ret, error);
}

/* ---- downloads ---- */

/* What a killed klab left in `dir`; nobody else is here, as we hold apt's lock. */
static void sweep(const char *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_str_has_prefix(name, TMP_PREFIX))
			fs_remove(path, NULL);
	}
}

static char *make_tmp(const char *dir, GError **error)
{
	g_autofree char *tmp = g_build_filename(dir, TMP_PREFIX "XXXXXX", NULL);

	if (!fs_mkdir(dir, error))
		return NULL;
	sweep(dir);
	if (!g_mkdtemp_full(tmp, 0755)) {
		lab_fail_errno(error, "cannot create a folder in '%s'", dir);
		return NULL;
	}
	return g_steal_pointer(&tmp);
}

/* A repository on this host (file:) may give links instead of copies. */
static bool move_deb(const char *from, const char *to, GError **error)
{
	g_autofree char *data = NULL;
	struct stat st;
	size_t len;

	if (lstat(from, &st))
		return lab_fail_errno(error, "cannot find '%s'", from);
	if (S_ISLNK(st.st_mode))
		return fs_read(from, 1u << 30, &data, &len, error) &&
		       fs_write(to, data, len, error);
	if (rename(from, to))
		return lab_fail_errno(error, "cannot rename '%s' to '%s'", from, to);
	return true;
}

/* Move all packages from `tmp` to `dir`; *ret_paths gets where they are. */
static bool move_debs(const char *tmp, const char *dir, char ***ret_paths, GError **error)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) d = g_dir_open(tmp, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *from = g_build_filename(tmp, name, NULL);
		g_autofree char *to = g_build_filename(dir, name, NULL);

		if (!g_str_has_suffix(name, ".deb") || paths->len >= CLOSURE_MAX)
			continue;
		if (!move_deb(from, to, error))
			return false;
		g_ptr_array_add(paths, g_steal_pointer(&to));
	}
	if (!paths->len)
		return lab_fail(error, LAB_ERROR_INFRA, "apt downloaded nothing into '%s'", tmp);
	g_ptr_array_add(paths, NULL);
	*ret_paths = (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
	return true;
}

/* Run apt-get with its downloads going to a fresh folder, and move them to `dir`. */
static bool download(struct apt_home *home, const struct apt_call *call, const char *tmp,
		     const char *dir, char ***ret_paths, GError **error)
{
	g_autofree char *reason = NULL;

	if (!apt_home_run(home, call, NULL, &reason, error))
		return false;
	if (reason)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"%s failed: %s\nhint: check the network and run again",
				call->watch->what, reason);
	return move_debs(tmp, dir, ret_paths, error);
}

static bool download_one(struct apt_home *home, const struct apt_package *pkg, const char *tmp,
			 const char *dir, const struct progress *progress, char ***ret_paths,
			 GError **error)
{
	g_autofree char *exact = g_strdup_printf("%s=%s", pkg->name, pkg->version);
	g_autofree char *what = g_strdup_printf("%s: downloading %.1f MB", pkg->name,
						pkg->size / 1e6);
	const char *const argv[] = { "apt-get", "download", "-q", "-o", "APT::Status-Fd=1", exact,
				     NULL };
	struct apt_watch watch = { progress, what, 0 };
	struct apt_call call = { argv, tmp, DOWNLOAD_TIMEOUT_S, &watch };

	progress_say(progress, "%s", what);
	return download(home, &call, tmp, dir, ret_paths, error);
}

bool aptroot_download(const struct apt_request *req, const char *dir,
		      const struct progress *progress, char **ret_path, char **ret_version,
		      GError **error)
{
	g_auto(apt_home) home = APT_HOME_INIT;
	g_auto(apt_package) pkg = { 0 };
	g_autofree char *tmp = NULL;
	g_auto(GStrv) paths = NULL;
	bool ok;

	if (!open_home(&home, req, progress, error) || !show(&home, req, &pkg, error) ||
	    !(tmp = make_tmp(dir, error)))
		return false;
	ok = download_one(&home, &pkg, tmp, dir, progress, &paths, error);
	fs_remove(tmp, NULL);
	if (!ok)
		return false;
	*ret_path = g_strdup(paths[0]);
	if (ret_version)
		*ret_version = g_steal_pointer(&pkg.version);
	return true;
}

bool aptroot_download_closure(const struct apt_request *req, const char *release, const char *dir,
			      const struct progress *progress, char ***ret_paths, GError **error)
{
	g_auto(apt_home) home = APT_HOME_INIT;
	g_autofree char *tmp = NULL, *partial = NULL, *archives = NULL;
	g_autofree char *what = g_strdup_printf("%s and what it needs: downloading", req->package);
	struct apt_watch watch = { progress, what, 0 };
	bool ok;

	if (!check_name("suite", release, "-_./", error) ||
	    !open_home(&home, req, progress, error) || !(tmp = make_tmp(dir, error)))
		return false;
	archives = g_strconcat("Dir::Cache::archives=", tmp, NULL);
	partial = g_build_filename(tmp, "partial", NULL);
	/* What the host has installed counts as there; nothing is installed, so no lock of dpkg. */
	const char *const argv[] = { "apt-get", "install", "--download-only", "--yes", "-q",
				     "--no-install-recommends", "-t", release, "-o",
				     "Dir::State::status=/var/lib/dpkg/status", "-o",
				     "Debug::NoLocking=true", "-o", archives, "-o",
				     "APT::Status-Fd=1", req->package, NULL };
	struct apt_call call = { argv, NULL, DOWNLOAD_TIMEOUT_S, &watch };

	progress_say(progress, "%s", what);
	ok = fs_mkdir(partial, error) && download(&home, &call, tmp, dir, ret_paths, error);
	fs_remove(tmp, NULL);
	return ok;
}
