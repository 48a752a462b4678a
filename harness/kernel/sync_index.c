// SPDX-License-Identifier: GPL-2.0-or-later
/* What apt, Debian repositories and rpm repositories say there is. See sync_index.h. */
#include "kernel/sync_index.h"

#include "base/fs.h"
#include "conf/matrix_keys.h"
#include "kernel/apthome.h"
#include "kernel/deb.h"
#include "kernel/debrepo_open.h"
#include "kernel/download.h"
#include "kernel/rpmrepo.h"
#include "kernel/rpmrepo_open.h"
#include "kernel/unpack.h"

#define LIST_MAX (512u << 20)
#define STANZA_MAX (64u << 10)
#define QUERY_TIMEOUT_S 120

void sync_package_free(struct sync_package *package)
{
	g_free(package->name);
	g_free(package->version);
	g_free(package->depends);
	g_free(package);
}

void sync_index_free(struct sync_index *index)
{
	if (!index)
		return;
	g_free(index->at.suite);
	g_ptr_array_unref(index->wanted.prefixes);
	g_free(index->name);
	if (index->packages)
		g_ptr_array_unref(index->packages);
	g_free(index->reason);
	g_free(index->note);
	g_free(index);
}

static char *index_name(const struct kernel_spec *spec, const char *suite)
{
	g_autofree char *repo = spec->repo ? download_public(spec->repo) : NULL;

	if (!repo)
		return g_strdup(suite);
	return suite ? g_strdup_printf("%s of %s", suite, repo) : g_steal_pointer(&repo);
}

struct sync_index *sync_index_new(const struct kernel_spec *spec, const char *suite)
{
	struct sync_index *index = g_new0(struct sync_index, 1);

	index->at = (struct kernel_spec){ .source = spec->source,
					  .suite = g_strdup(suite),
					  .repo = spec->repo,
					  .component = spec->component,
					  .keyring = spec->keyring,
					  .verify_none = spec->verify_none,
					  .ignore_valid_until = spec->ignore_valid_until };
	index->wanted.prefixes = g_ptr_array_new_with_free_func(g_free);
	index->name = index_name(spec, suite);
	return index;
}

bool sync_index_serves(const struct sync_index *index, const struct kernel_spec *spec,
		       const char *suite)
{
	const struct kernel_spec *at = &index->at;

	return !strcmp(at->source, spec->source) && !g_strcmp0(at->suite, suite) &&
	       !g_strcmp0(at->repo, spec->repo) && !g_strcmp0(at->component, spec->component) &&
	       !g_strcmp0(at->keyring, spec->keyring) &&
	       at->ignore_valid_until == spec->ignore_valid_until;
}

/* ---- packages ---- */

static bool is_wanted(const struct sync_wanted *wanted, const char *name, size_t len)
{
	static const char *const always[] = { "linux-image-", "linux-binary-" };

	for (size_t i = 0; i < G_N_ELEMENTS(always); i++)
		if (len > strlen(always[i]) && !strncmp(name, always[i], strlen(always[i])))
			return true;
	for (unsigned i = 0; i < wanted->prefixes->len; i++) {
		const char *prefix = wanted->prefixes->pdata[i];

		if (len >= strlen(prefix) && !strncmp(name, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

/* Names and versions end up in files and commands: nothing that does not look like one. */
static void add(GPtrArray *packages, const char *name, const char *version, const char *depends)
{
	struct sync_package *package;

	if (packages->len >= SYNC_PACKAGES_MAX || !name || !version ||
	    !matrix_word_is_good(name, ".+-_") || !matrix_word_is_good(version, ".+-~:^_") ||
	    strlen(name) > 255 || strlen(version) > 255)
		return;
	package = g_new0(struct sync_package, 1);
	package->name = g_strdup(name);
	package->version = g_strdup(version);
	package->depends = g_strdup(depends ? depends : "");
	g_ptr_array_add(packages, package);
}

static void scan_stanza(GPtrArray *packages, const struct sync_wanted *wanted, const char *text,
			size_t len)
{
	static const char first[] = "Package: ";
	g_autofree char *stanza = NULL, *name = NULL, *version = NULL, *depends = NULL;
	const char *line = len > strlen(first) ? memmem(text, len, first, strlen(first)) : NULL;
	const char *end;

	/* Most are another package's: told by a look, without a copy. */
	if (!line || (line > text && line[-1] != '\n') || len > STANZA_MAX)
		return;
	line += strlen(first);
	end = memchr(line, '\n', text + len - line);
	if (!is_wanted(wanted, line, (end ? end : text + len) - line))
		return;
	stanza = g_strndup(text, len);
	name = deb_field(stanza, "Package");
	version = deb_field(stanza, "Version");
	depends = deb_field(stanza, "Depends");
	add(packages, name, version, depends);
}

void sync_index_scan(GPtrArray *packages, const struct sync_wanted *wanted, const char *text,
		     size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memmem(text, end - text, "\n\n", 2);

		scan_stanza(packages, wanted, text, (stop ? stop : end) - text);
		text = stop ? stop + 2 : end;
	}
}

static void scan_bytes(struct sync_index *index, GBytes *list)
{
	gsize len;
	const char *text = g_bytes_get_data(list, &len);

	if (text)
		sync_index_scan(index->packages, &index->wanted, text, len);
}

/* ---- the three kinds ---- */

/* apt brings the lists up to date and verifies them, and says where they are. */
static bool read_apt(struct sync_index *index, const char *tmp_dir, const struct progress *progress,
		     GError **error)
{
	static const char *const argv[] = { "apt-get",     "indextargets",         "--format",
					    "$(FILENAME)", "Created-By: Packages", NULL };
	struct apt_request req = { .suites = index->at.suite,
				   .ignore_valid_until = index->at.ignore_valid_until,
				   .refresh = true };
	struct apt_call call = { .argv = argv, .timeout_s = QUERY_TIMEOUT_S };
	g_autofree char *output = NULL, *reason = NULL;
	g_auto(apt_home) home = APT_HOME_INIT;
	g_auto(GStrv) files = NULL;

	if (!apt_home_open(&home, progress, error) ||
	    !apt_home_add_suites(&home, &req, progress, error) ||
	    !apt_home_run(&home, &call, &output, &reason, error))
		return false;
	if (reason)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "suite '%s': %s", index->at.suite,
				reason);
	/* Lists at hand serve to fetch a kernel by; of what is new they say nothing. */
	if (home.stale)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "%s", home.stale);
	files = g_strsplit(g_strstrip(output), "\n", -1);
	for (char **file = files; *file; file++) {
		g_autoptr(GBytes) list = NULL;

		if (!g_file_test(*file, G_FILE_TEST_EXISTS))
			continue; /* a component without packages for amd64 */
		if (!unpack_read(*file, LIST_MAX, &list, error))
			return false;
		scan_bytes(index, list);
	}
	index->note = g_steal_pointer(&home.note);
	return true;
}

static bool read_deb(struct sync_index *index, const char *tmp_dir, const struct progress *progress,
		     GError **error)
{
	g_auto(deb_repo) repo = { 0 };

	if (!deb_repo_open(&index->at, tmp_dir, progress, &repo, error))
		return false;
	for (unsigned i = 0; i < repo.lists->len; i++)
		scan_bytes(index, repo.lists->pdata[i]);
	index->note = g_strdup(!index->at.keyring ? "not verified: nothing vouches for this index"
						  : repo.note);
	return true;
}

static void visit_rpm(const char *name, const char *version, void *user)
{
	struct sync_index *index = user;

	if (is_wanted(&index->wanted, name, strlen(name)))
		add(index->packages, name, version, NULL);
}

static bool read_rpm(struct sync_index *index, const char *tmp_dir, const struct progress *progress,
		     GError **error)
{
	g_autofree char *primary = NULL;
	bool is_signed;

	if (!rpm_repo_open(&index->at, tmp_dir, progress, &primary, &is_signed, error) ||
	    !rpm_primary_each(primary, visit_rpm, index, error))
		return false;
	if (!is_signed)
		index->note = g_strdup("not verified: this index is not signed; its packages are "
				       "checked one by one");
	return true;
}

bool sync_index_read(struct sync_index *index, const char *tmp_dir, const struct progress *progress,
		     GError **error)
{
	g_autoptr(GError) own = NULL;
	const char *source = index->at.source;
	bool ok;

	if (!fs_remove(tmp_dir, error) || !fs_mkdir(tmp_dir, error))
		return false;
	progress_say(progress, "reading the index of %s", index->name);
	index->packages = g_ptr_array_new_with_free_func((GDestroyNotify)sync_package_free);
	if (!strcmp(source, "apt"))
		ok = read_apt(index, tmp_dir, progress, &own);
	else if (!strcmp(source, "deb"))
		ok = read_deb(index, tmp_dir, progress, &own);
	else
		ok = read_rpm(index, tmp_dir, progress, &own);
	fs_remove(tmp_dir, NULL);
	if (ok)
		return true;
	g_clear_pointer(&index->packages, g_ptr_array_unref);
	if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE) &&
	    !g_error_matches(own, LAB_ERROR, LAB_ERROR_INPUT)) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	index->reason = g_strndup(own->message, strcspn(own->message, "\n"));
	return true;
}
