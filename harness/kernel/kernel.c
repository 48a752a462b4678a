// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels at hand: sources bring bytes, the store checks and keeps them, specs lead to them. */
#include "kernel/kernel.h"

#include "base/fs.h"
#include "kernel/download.h"
#include "kernel/gpg.h"
#include "kernel/hold.h"
#include "kernel/source.h"
#include "kernel/store.h"

#define FETCH_LOCK_S 1800
#define BUILD_LOCK_S (4 * 3600)
#define INDEX_FRESH_S 3600	/* as old as package lists get */

static const struct kernel_source *const sources[] = { &kernel_source_apt, &kernel_source_deb,
							&kernel_source_rpm, &kernel_source_git,
							&kernel_source_dir, &kernel_source_file,
							&kernel_source_import };

void kernel_free(struct kernel *k)
{
	if (!k)
		return;
	g_free(k->id);
	g_free(k->source);
	g_free(k->image);
	g_free(k->sha256);
	g_free(k->release);
	g_free(k->version);
	g_free(k->vendor);
	g_free(k->package);
	g_free(k->package_version);
	g_free(k->config);
	g_free(k->note);
	g_free(k->banner);
	json_decref(k->identity);
	g_free(k);
}

void kernel_found_clear(struct kernel_found *found)
{
	g_clear_pointer(&found->image, g_free);
	g_clear_pointer(&found->config, g_free);
	g_clear_pointer(&found->package, g_free);
	g_clear_pointer(&found->package_version, g_free);
	g_clear_pointer(&found->note, g_free);
}

static const struct kernel_source *source_find(const char *name, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
		if (!g_strcmp0(sources[i]->name, name))
			return sources[i];
		g_string_append_printf(names, "%s'%s'", i ? ", " : "", sources[i]->name);
	}
	lab_fail(error, LAB_ERROR_USAGE, "'%s' is no source of kernels: there are %s",
		 name ? name : "", names->str);
	return NULL;
}

bool source_check_verify(const struct kernel_spec *spec, GError **error)
{
	if (spec->keyring)
		return gpg_keyring_there(spec->keyring, error);
	return spec->sha256 || spec->verify_none ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"nothing says how the package is verified\n"
			"hint: give a keyring or a sha256, or write 'verify: none'");
}

void source_blame(GError **error, const char *path, const char *url)
{
	g_autofree char *public = download_public(url);
	g_autoptr(GString) text = g_string_new(error && *error ? (*error)->message : "");

	if (!error || !*error)
		return;
	g_string_replace(text, path, public, 0);
	g_free((*error)->message);
	(*error)->message = g_string_free(g_steal_pointer(&text), FALSE);
}

/* Every report says that nobody vouched for the bytes, whichever way they came. */
static void note_unverified(struct kernel *k, const struct kernel_spec *spec)
{
	const char *text = spec->line ? "not verified: kernels.yaml says verify: none"
				      : "not verified: named on the command line";
	g_autofree char *old = k->note;

	k->note = old ? g_strconcat(text, "; ", old, NULL) : g_strdup(text);
}

static struct kernel *complete(struct kernel *k, const struct kernel_spec *spec)
{
	if (spec->verify_none)
		note_unverified(k, spec);
	k->id = g_strdup(spec->id);
	k->source = g_strdup(spec->source);
	k->vendor = g_strdup(spec->vendor);
	return k;
}

static void replace(char **field, char **with)
{
	g_free(*field);
	*field = g_steal_pointer(with);
}

static void take_names(struct kernel *k, struct kernel_found *found)
{
	replace(&k->package, &found->package);
	replace(&k->package_version, &found->package_version);
	replace(&k->note, &found->note);
}

/* Sources on this host are read afresh: the same bytes lead to the same image in the store. */
static bool fetch_local(const struct kernel_source *source, const struct kernel_spec *spec,
			const struct progress *progress, struct kernel **ret, GError **error)
{
	struct kernel_found found = { 0 };
	bool ok = source->fetch(spec, NULL, NULL, false, progress, &found, error);

	if (ok && !kernel_store_put(&found, ret, error))
		ok = lab_prefix(error, "'%s'", spec->path);
	if (ok)
		take_names(*ret, &found);
	kernel_found_clear(&found);
	return ok;
}

static bool take_found(const struct kernel_spec *spec, struct kernel **have,
		       struct kernel_found *found, struct kernel **ret, GError **error)
{
	g_autoptr(kernel) k = found->unchanged ? g_steal_pointer(have) : NULL;

	if (!k && !kernel_store_put(found, &k, error))
		return found->package ? lab_prefix(error, "'%s' %s", found->package,
						   found->package_version) :
					lab_prefix(error, "'%s'", spec->id);
	take_names(k, found);
	if (!kernel_store_index(spec, k, error))
		return false;
	*ret = g_steal_pointer(&k);
	return true;
}

/* What is cached serves when the source does not answer; the user is told. */
static bool fall_back(struct kernel **have, GError **own, struct kernel **ret, GError **error)
{
	g_auto(GStrv) lines = NULL;
	g_autofree char *why = NULL;

	if (!*have || !g_error_matches(*own, LAB_ERROR, LAB_ERROR_UNAVAILABLE)) {
		g_propagate_error(error, g_steal_pointer(own));
		return false;
	}
	lines = g_strsplit((*own)->message, "\n", 2);
	why = g_strdup_printf("taken from the cache, as %s", lines[0]);
	replace(&(*have)->note, &why);
	*ret = g_steal_pointer(have);
	return true;
}

int source_lock(const char *root, bool builds, const struct progress *progress, GError **error)
{
	g_autofree char *path = g_build_filename(root, builds ? "lock-build" : "lock", NULL);
	g_autoptr(GError) busy = NULL;
	int fd = fs_lock(path, 0, &busy);

	if (fd < 0 && g_error_matches(busy, LAB_ERROR, LAB_ERROR_TIMEOUT)) {
		progress_say(progress, "waiting for another klab that %s kernels",
			     builds ? "builds" : "fetches");
		fd = fs_lock(path, builds ? BUILD_LOCK_S : FETCH_LOCK_S, error);
	} else if (fd < 0) {
		g_propagate_error(error, g_steal_pointer(&busy));
	}
	return fd;
}

/* What the index leads to, unless it is no more what the spec asks for. */
static bool find_current(const struct kernel_source *source, const struct kernel_spec *spec,
			 struct kernel **ret, GError **error)
{
	if (!kernel_store_find(spec, ret, error))
		return false;
	if (*ret && source->is_current && !source->is_current(spec, *ret))
		g_clear_pointer(ret, kernel_free);
	return true;
}

/* What the spec names does not change: there is nothing newer to ask for. */
static bool is_pinned(const struct kernel_spec *spec)
{
	return spec->version || spec->sha256 || spec->url;
}

static bool fetch_remote(const struct kernel_source *source, const struct kernel_spec *spec,
			 enum kernel_age age, const struct progress *progress, struct kernel **ret,
			 GError **error)
{
	g_autofree char *root = fs_cache_dir("kernels", error), *tmp = NULL;
	struct kernel_found found = { 0 };
	g_autoptr(kernel) have = NULL;
	g_autoptr(GError) own = NULL;
	auto_fd lock = -1;
	bool ok;

	if (!root)
		return false;
	tmp = g_build_filename(root, source->builds ? "download-build" : "download", NULL);
	/* One fetch at a time: a second klab finds what the first one cached. */
	if ((lock = source_lock(root, source->builds, progress, error)) < 0 ||
	    !find_current(source, spec, &have, error))
		return false;
	if (have && (age == KERNEL_CACHED ||
		     (age == KERNEL_NEWEST &&
		      (is_pinned(spec) || kernel_store_age_s(spec) < INDEX_FRESH_S)))) {
		*ret = g_steal_pointer(&have);
		return true;
	}
	if (!fs_remove(tmp, error) || !fs_mkdir(tmp, error))
		return false;
	ok = source->fetch(spec, have, tmp, age == KERNEL_REFRESHED, progress, &found, &own);
	fs_remove(tmp, NULL);
	if (!ok)
		return fall_back(&have, &own, ret, error);
	ok = take_found(spec, &have, &found, ret, error);
	kernel_found_clear(&found);
	return ok;
}

/* The reason stays with what a file names, for who lists it later. */
static void note_refused(const struct kernel_spec *spec, const GError *why)
{
	if (spec->line && (g_error_matches(why, LAB_ERROR, LAB_ERROR_UNAVAILABLE) ||
			   g_error_matches(why, LAB_ERROR, LAB_ERROR_INPUT)))
		kernel_store_refuse(spec, why->message);
}

char *kernel_refusal(const struct kernel_spec *spec, int64_t *ret_at_s)
{
	const struct kernel_source *source = source_find(spec->source, NULL);
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) why = NULL;

	if (!source || !source->local)
		return source ? kernel_store_refusal(spec, ret_at_s) : NULL;
	*ret_at_s = g_get_real_time() / G_USEC_PER_SEC;
	return fetch_local(source, spec, NULL, &k, &why) ? NULL : g_strdup(why->message);
}

bool kernel_pull(const struct kernel_spec *spec, enum kernel_age age,
		 const struct progress *progress, struct kernel **ret, GError **error)
{
	const struct kernel_source *source = source_find(spec->source, error);
	g_autoptr(GError) own = NULL;
	struct kernel *k = NULL;
	bool ok;

	if (!source)
		return false;
	ok = source->local ? fetch_local(source, spec, progress, &k, &own) :
			     fetch_remote(source, spec, age, progress, &k, &own);
	if (!ok) {
		if (!source->local)
			note_refused(spec, own);
		g_propagate_error(error, g_steal_pointer(&own));
		return false;
	}
	if (!kernel_hold(k->image)) {
		kernel_free(k);
		return lab_fail(error, LAB_ERROR_INFRA,
				"the image was collected meanwhile\nhint: run it again");
	}
	kernel_store_learn(k);
	*ret = complete(k, spec);
	return true;
}

bool kernel_fetch(const struct kernel_spec *spec, const struct progress *progress,
		  struct kernel **ret, GError **error)
{
	struct kernel *k = NULL;

	/* Before the lock: a run must not wait for another one's download. */
	if (!kernel_cached(spec, &k, error))
		return false;
	if (k && !kernel_hold(k->image))
		g_clear_pointer(&k, kernel_free);
	if (!k)
		return kernel_pull(spec, KERNEL_CACHED, progress, ret, error);
	kernel_store_learn(k);
	*ret = k;
	return true;
}

bool kernel_cached(const struct kernel_spec *spec, struct kernel **ret, GError **error)
{
	const struct kernel_source *source = source_find(spec->source, error);

	*ret = NULL;
	if (!source)
		return false;
	if (source->local)
		fetch_local(source, spec, NULL, ret, NULL);
	else if (!find_current(source, spec, ret, error))
		return false;
	if (*ret)
		complete(*ret, spec);
	return true;
}

char *kernel_config_get(const struct kernel *k, const char *option)
{
	size_t len = strlen(option);
	char *value;

	for (const char *line = k->config; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, option, len) || line[len] != '=')
			continue;
		line += len + 1;
		value = g_strstrip(g_strndup(line, strcspn(line, "\n")));
		if (*value != '"')
			return value;
		g_strdelimit(value, "\"", ' ');
		return g_strstrip(value);
	}
	return NULL;
}
