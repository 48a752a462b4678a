// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Choice and private copy of the engine. A copy is unpacked into a temporary folder and renamed to
 * engine/VERSION when it is whole and its QEMU has answered; copies that no longer answer (the host
 * lost a library that they share) are passed over and replaced.
 */
#include "run/engine_get.h"

#include "base/fs.h"
#include "base/proc.h"
#include "kernel/aptroot.h"

#include <errno.h>
#include <glib/gstdio.h>

#define QEMU_NAME "qemu-system-x86_64"
#define QEMU_PACKAGE "qemu-system-x86"
#define COPY_BINARY "usr/bin/" QEMU_NAME
#define COPY_PREFIX "qemu-"
#define UNPACK_TIMEOUT_S 300
#define LOCK_TIMEOUT_S 1800

static bool is_newer(const struct engine *a, const struct engine *b)
{
	if (!b || a->major != b->major)
		return !b || a->major > b->major;
	return a->minor != b->minor ? a->minor > b->minor : a->micro > b->micro;
}

/* The newest private copy that answers and is sound; NULL: none. */
static struct engine *find_copy(const char *root)
{
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	g_autoptr(engine) found = NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *prefix = g_build_filename(root, name, NULL);
		g_autofree char *binary = g_build_filename(prefix, COPY_BINARY, NULL);
		g_autoptr(engine) e = NULL;

		if (!g_str_has_prefix(name, COPY_PREFIX) ||
		    !engine_probe(binary, prefix, &e, NULL) || !engine_is_sound(e))
			continue;
		if (is_newer(e, found)) {
			g_clear_pointer(&found, engine_free);
			found = g_steal_pointer(&e);
		}
	}
	return g_steal_pointer(&found);
}

/* ---- fetching one ---- */

static char *os_release_get(const char *key)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	size_t len = strlen(key);

	if (!fs_read("/etc/os-release", 64u << 10, &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++)
		if (!strncmp(*l, key, len) && (*l)[len] == '=')
			return g_strstrip(g_strdelimit(g_strdup(*l + len + 1), "\"'", ' '));
	return NULL;
}

/* libc belongs to the host's dynamic loader: another build beside it breaks every program. */
static bool is_hosts_own(const char *deb)
{
	g_autofree char *name = g_path_get_basename(deb);

	return g_str_has_prefix(name, "libc6_") || g_str_has_prefix(name, "libc-bin_");
}

static bool unpack(char **debs, const char *dest, GError **error)
{
	for (char **deb = debs; *deb; deb++) {
		struct proc_spec spec = {
			.argv = (const char *const[]){ "dpkg-deb", "-x", *deb, dest, NULL },
			.timeout_s = UNPACK_TIMEOUT_S,
		};

		if (!is_hosts_own(*deb) && !proc_run(&spec, NULL, NULL, error))
			return lab_prefix(error, "cannot unpack '%s'", *deb);
	}
	return true;
}

static bool download(const char *dir, const struct progress *progress, char ***ret_debs,
		     GError **error)
{
	g_autofree char *codename = os_release_get("VERSION_CODENAME");
	g_autofree char *release = NULL, *suites = NULL;
	struct apt_request req = { .package = QEMU_PACKAGE };

	if (!codename || !*codename)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"/etc/os-release names no VERSION_CODENAME to look for QEMU in");
	release = g_strconcat(codename, "-backports", NULL);
	suites = g_strdup_printf("%s,%s-updates,%s-security,%s", codename, codename, codename,
				 release);
	req.suites = suites;
	return aptroot_download_closure(&req, release, dir, progress, ret_debs, error);
}

/* Move the unpacked copy to its name, which ends in the version it gives. */
static bool settle(const char *root, const char *tree, struct engine **ret, GError **error)
{
	g_autofree char *binary = g_build_filename(tree, COPY_BINARY, NULL), *final_binary = NULL;
	g_autofree char *name = NULL, *final = NULL;
	g_autoptr(engine) e = NULL;

	if (!engine_probe(binary, tree, &e, error))
		return false;
	if (!engine_is_sound(e))
		return lab_fail(
			error, LAB_ERROR_UNAVAILABLE,
			"the distribution's newest QEMU is '%s', and verdicts need %u or newer",
			e->version, ENGINE_MAJOR_MIN);
	name = g_strdup_printf(COPY_PREFIX "%u.%u.%u-%.12s", e->major, e->minor, e->micro,
			       e->sha256);
	final = g_build_filename(root, name, NULL);
	if (!fs_remove(final, error))
		return false;
	if (rename(tree, final))
		return lab_fail_errno(error, "cannot rename '%s' to '%s'", tree, final);
	final_binary = g_build_filename(final, COPY_BINARY, NULL);
	return engine_probe(final_binary, final, ret, error);
}

static bool fetch_into(const char *root, const char *tmp, const struct progress *progress,
		       struct engine **ret, GError **error)
{
	g_autofree char *debs_dir = g_build_filename(tmp, "debs", NULL);
	g_autofree char *tree = g_build_filename(tmp, "tree", NULL);
	g_auto(GStrv) debs = NULL;

	if (!fs_mkdir(debs_dir, error) || !fs_mkdir(tree, error) ||
	    !download(debs_dir, progress, &debs, error))
		return false;
	progress_say(progress, "QEMU: unpacking %u packages", g_strv_length(debs));
	return unpack(debs, tree, error) && settle(root, tree, ret, error);
}

static bool fetch_copy(const char *root, const struct progress *progress, struct engine **ret,
		       GError **error)
{
	g_autofree char *lock_path = g_build_filename(root, "lock", NULL);
	g_autofree char *tmp = g_build_filename(root, "unpack", NULL);
	auto_fd lock = fs_lock(lock_path, LOCK_TIMEOUT_S, error);
	bool ok;

	if (lock < 0)
		return false;
	/* Somebody else may have fetched it while we waited. */
	if ((*ret = find_copy(root)))
		return true;
	if (!fs_remove(tmp, error) || !fs_mkdir(tmp, error))
		return false;
	ok = fetch_into(root, tmp, progress, ret, error);
	fs_remove(tmp, NULL);
	return ok;
}

/* ---- choice ---- */

static bool fail_no_qemu(const char *why, GError **error)
{
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"no QEMU %u or newer: %s\n"
			"hint: install qemu-system-x86 from your distribution's backports, or name "
			"one with --qemu PATH", ENGINE_MAJOR_MIN, why);
}

/* The system's QEMU if it is sound; else *ret_why says what it lacks. */
static struct engine *find_system(char **ret_why)
{
	g_autoptr(engine) e = NULL;
	g_autoptr(GError) error = NULL;

	if (!engine_probe(QEMU_NAME, NULL, &e, &error)) {
		*ret_why = g_strdup("the system has none");
		return NULL;
	}
	if (engine_is_sound(e))
		return g_steal_pointer(&e);
	*ret_why = g_strdup_printf("the system's is '%s'", e->version);
	return NULL;
}

bool engine_get(const struct engine_request *req, const struct progress *progress,
		struct engine **ret, GError **error)
{
	const char *named = req->qemu ? req->qemu : g_getenv("KLAB_QEMU");
	g_autofree char *root = NULL, *why = NULL, *reason = NULL;
	g_auto(GStrv) lines = NULL;
	g_autoptr(GError) own = NULL;
	struct engine *e = NULL;

	if (named && *named)
		return engine_probe(named, NULL, ret, error);
	if (!(e = find_system(&why)) && !req->system_only) {
		root = fs_cache_dir("engine", error);
		if (!root)
			return false;
		e = find_copy(root);
	}
	if (!e && (req->offline || req->system_only))
		return fail_no_qemu(why, error);
	if (!e && !fetch_copy(root, progress, &e, &own)) {
		if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE)) {
			g_propagate_error(error, g_steal_pointer(&own));
			return false;
		}
		lines = g_strsplit(own->message, "\n", 2);
		reason = g_strdup_printf("%s, and none could be fetched: %s", why, lines[0]);
		return fail_no_qemu(reason, error);
	}
	*ret = e;
	return true;
}
