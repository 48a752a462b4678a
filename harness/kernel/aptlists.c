// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Package lists of the private apt root: which mirror has a suite, whether its lists are fresh, and
 * what to tell the user when they cannot be had. A stamp is written only after apt has verified the
 * lists; lists of a suite without a stamp are never used.
 */
#include "kernel/apthome.h"

#include "base/fs.h"
#include "kernel/aptsources.h"

#include <sys/stat.h>
#include <time.h>

#define LISTS_FRESH_S 3600
#define UPDATE_TIMEOUT_S 240
#define SOURCES_FILE_MAX (1u << 20)

struct suites {
	const GPtrArray *sources;	/* of the host: struct apt_source * */
	GString *stanzas;		/* of those that can be asked */
	const struct progress *progress;
};

static bool read_sources(GPtrArray *sources, const char *path, GError **error)
{
	g_autofree char *text = NULL;

	if (!fs_read(path, SOURCES_FILE_MAX, &text, NULL, error))
		return false;
	apt_sources_parse(sources, path, text);
	return true;
}

/* Unreadable files are passed over: others may do. */
static void read_system_sources(GPtrArray *sources)
{
	static const char *const parts = "/etc/apt/sources.list.d";
	g_autoptr(GDir) dir = g_dir_open(parts, 0, NULL);
	const char *name;

	read_sources(sources, "/etc/apt/sources.list", NULL);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(parts, name, NULL);

		if (g_str_has_suffix(name, ".list") || g_str_has_suffix(name, ".sources"))
			read_sources(sources, path, NULL);
	}
}

static bool write_suites(const struct apt_home *home, const char *stanzas, GError **error)
{
	g_autofree char *path = g_build_filename(home->dir, "suites.sources", NULL);

	return fs_write(path, stanzas, strlen(stanzas), error);
}

static const char *hint_for(const char *reason)
{
	static const struct {
		const char *word, *hint;
	} hints[] = {
		{ "expired",
		  "its mirror is frozen or behind; 'check-valid-until: no' in kernels.yaml "
		  "accepts that (the signature is still checked)" },
		{ "NO_PUBKEY",
		  "install the keyring that signs this suite (debian-archive-keyring)" },
		{ "not signed", "the mirror must serve a signed InRelease" },
		{ "404", "the mirror has dropped this suite; name one that has it in a file of apt "
			 "sources, KLAB_APT_SOURCES=FILE" },
		{ "does not have a Release",
		  "the mirror has dropped this suite; name one that has it "
		  "in a file of apt sources, KLAB_APT_SOURCES=FILE" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(hints); i++)
		if (strstr(reason, hints[i].word))
			return hints[i].hint;
	return "check the network and the mirrors in /etc/apt; kernels that are cached still run";
}

static bool is_fresh(const char *stamp)
{
	struct stat st;

	return !stat(stamp, &st) && time(NULL) - st.st_mtime < LISTS_FRESH_S &&
	       st.st_mtime <= time(NULL);
}

/* Lists of today are as good as new; older ones are worth a note that stays with the kernel. */
static void note_old_lists(struct apt_home *home, const char *suite, const char *stamp,
			   const char *reason, const struct progress *progress)
{
	g_autofree char *text = NULL;
	struct stat st;
	long days = stat(stamp, &st) ? 0 : (long)(time(NULL) - st.st_mtime) / (24 * 3600);

	progress_say(progress, "package lists of %s: not updated: %s", suite, reason);
	g_free(home->stale);
	home->stale = g_strdup_printf("suite '%s': %s", suite, reason);
	if (days < 1)
		return;
	text = g_strdup_printf("the package lists of '%s' are %ld days old: %s", suite, days,
			       reason);
	apt_home_note(home, text);
}

/* Seconds since 1970 of "Sat, 28 Nov 2026 14:00:00 UTC"; 0 if it is something else. */
static time_t parse_date(const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	char month[4] = "";
	const char *at;

	if (sscanf(text, " %*3s, %2d %3s %4d %2d:%2d:%2d", &tm.tm_mday, month, &tm.tm_year,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return 0;
	at = strstr(months, month);
	tm.tm_year -= 1900;
	tm.tm_mon = at ? (at - months) / 3 : 0;
	return at ? timegm(&tm) : 0;
}

static void note_release(struct apt_home *home, const char *suite, const char *path)
{
	static const char field[] = "\nValid-Until:";
	g_autofree char *text = NULL, *note = NULL;
	g_auto(GStrv) lines = NULL;
	const char *at;
	time_t until;

	if (!fs_read(path, 16u << 20, &text, NULL, NULL) || !(at = strstr(text, field)))
		return;
	lines = g_strsplit(at + strlen(field), "\n", 2);
	until = parse_date(lines[0]);
	if (!until || until > time(NULL))
		return;
	note = g_strdup_printf("Release of '%s' expired on %s and was accepted as kernels.yaml asks"
			       " (its signature was checked)", suite, g_strstrip(lines[0]));
	apt_home_note(home, note);
}

/* Say so only if the Release at hand really has expired. */
static void note_expired(struct apt_home *home, const char *suite)
{
	g_autofree char *lists = g_build_filename(home->dir, "lists", NULL);
	g_autofree char *signed_name = g_strdup_printf("_dists_%s_InRelease", suite);
	g_autofree char *plain_name = g_strdup_printf("_dists_%s_Release", suite);
	g_autoptr(GDir) dir = g_dir_open(lists, 0, NULL);
	const char *name;

	g_strdelimit(signed_name, "/", '_');
	g_strdelimit(plain_name, "/", '_');
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(lists, name, NULL);

		if (g_str_has_suffix(name, signed_name) || g_str_has_suffix(name, plain_name))
			note_release(home, suite, path);
	}
}

static bool update_suite(struct apt_home *home, const char *suite, const char *stanza,
			 const char *stamp, const struct progress *progress, GError **error)
{
	static const char *const argv[] = { "apt-get", "update", "-q", "--error-on=any", "-o",
					    "APT::Status-Fd=1", NULL };
	g_autofree char *what = g_strdup_printf("package lists of %s", suite), *reason = NULL;
	struct apt_watch watch = { progress, what, 0 };
	struct apt_call call = { .argv = argv, .timeout_s = UPDATE_TIMEOUT_S, .watch = &watch };

	progress_say(progress, "%s: updating", what);
	if (!write_suites(home, stanza, error) || !apt_home_run(home, &call, NULL, &reason, error))
		return false;
	if (!reason)
		return fs_write(stamp, stanza, strlen(stanza), error);
	if (!g_file_test(stamp, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "suite '%s': %s\nhint: %s", suite,
				reason, hint_for(reason));
	note_old_lists(home, suite, stamp, reason, progress);
	return true;
}

/* The host's sources, or those that the user named instead. */
static GPtrArray *host_sources(GError **error)
{
	g_autoptr(GPtrArray) sources =
		g_ptr_array_new_with_free_func((GDestroyNotify)apt_source_free);
	const char *path = g_getenv("KLAB_APT_SOURCES");

	if (!path || !*path)
		read_system_sources(sources);
	else if (!read_sources(sources, path, error)) {
		lab_prefix(error, "KLAB_APT_SOURCES");
		return NULL;
	}
	return g_steal_pointer(&sources);
}

static bool find_source(const GPtrArray *sources, const char *suite, struct apt_source **ret,
			GError **error)
{
	return apt_sources_find(sources, suite, ret) ||
	       lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"suite '%s': no entry of this host's apt sources leads to it\n"
			"hint: name a file of apt sources that does, KLAB_APT_SOURCES=FILE", suite);
}

bool aptroot_check(const char *suite, char **ret_uri, GError **error)
{
	static const char *const tools[] = { "apt-get", "apt-cache", "apt-config", "dpkg-deb" };
	g_autoptr(GPtrArray) sources = host_sources(error);
	struct apt_source *source = NULL;

	for (size_t i = 0; sources && i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *path = g_find_program_in_path(tools[i]);

		if (!path)
			return lab_fail(error, LAB_ERROR_UNAVAILABLE,
					"'%s' is not installed\nhint: without apt, kernels can be "
					"given as file:PATH and QEMU as --qemu PATH", tools[i]);
	}
	if (!sources || !find_source(sources, suite, &source, error))
		return false;
	*ret_uri = g_strdup(source->uri);
	apt_source_free(source);
	return true;
}

/* Add the suite's stanza to `stanzas` once its lists are at hand. */
static bool add_suite(struct apt_home *home, const struct apt_request *req, const char *suite,
		      struct suites *to, GError **error)
{
	struct apt_source *source = NULL;
	g_autofree char *stanza = NULL, *sum = NULL, *name = NULL, *stamp = NULL;

	if (!find_source(to->sources, suite, &source, error))
		return false;
	stanza = apt_source_format(source, !req->ignore_valid_until);
	apt_source_free(source);
	/* The stamp goes with the stanza: another mirror or another rule has lists of its own. */
	sum = fs_sha256_bytes(stanza, strlen(stanza));
	name = g_strdup_printf("%s-%.16s", suite, sum);
	g_strdelimit(name, "/", '_');
	stamp = g_build_filename(home->dir, "stamps", name, NULL);
	if (req->as_is && !g_file_test(stamp, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "suite '%s': no package lists",
				suite);
	if (!req->as_is && (req->refresh || !is_fresh(stamp)) &&
	    !update_suite(home, suite, stanza, stamp, to->progress, error))
		return false;
	if (req->ignore_valid_until)
		note_expired(home, suite);
	g_string_append_printf(to->stanzas, "%s\n", stanza);
	return true;
}

/* One suite that is gone does not spoil the others; *first keeps the reason. */
static bool try_suite(struct apt_home *home, const struct apt_request *req, const char *suite,
		      struct suites *to, GError **first, GError **error)
{
	g_autoptr(GError) own = NULL;
	g_auto(GStrv) lines = NULL;

	if (add_suite(home, req, suite, to, &own))
		return true;
	if (!g_error_matches(own, LAB_ERROR, LAB_ERROR_UNAVAILABLE)) {
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	lines = g_strsplit(own->message, "\n", 2);
	apt_home_note(home, lines[0]);
	if (!*first)
		*first = g_steal_pointer(&own);
	return true;
}

bool apt_home_add_suites(struct apt_home *home, const struct apt_request *req,
			 const struct progress *progress, GError **error)
{
	g_autoptr(GPtrArray) sources = host_sources(error);
	g_autoptr(GString) stanzas = g_string_new(NULL);
	g_auto(GStrv) suites = g_strsplit(req->suites, ",", -1);
	struct suites to = { sources, stanzas, progress };
	g_autoptr(GError) first = NULL;

	if (!sources)
		return false;
	for (char **s = suites; *s; s++)
		if (!try_suite(home, req, g_strstrip(*s), &to, &first, error))
			return false;
	if (stanzas->len)
		return write_suites(home, stanzas->str, error);
	g_propagate_error(error, g_steal_pointer(&first));
	return false;
}
