// SPDX-License-Identifier: GPL-2.0-or-later
/* Watches out of rows, builds out of indexes, and what of these is new. See sync.h. */
#include "kernel/sync.h"

#include "base/fs.h"
#include "base/vercmp.h"
#include "conf/matrix_keys.h"
#include "kernel/debdepend.h"
#include "kernel/source.h"

#define STATE_MAX (64u << 20)
#define LOCK_TIMEOUT_S 3600

static void build_free(gpointer data)
{
	struct sync_build *build = data;

	g_free(build->id);
	g_free(build->entry);
	g_free(build->index);
	g_free(build->package);
	g_free(build->version);
	g_free(build->seen);
	kernel_spec_free(build->row);
	g_free(build);
}

static void watch_free(gpointer data)
{
	struct sync_watch *watch = data;

	g_ptr_array_unref(watch->indexes);
	g_free(watch->name);
	g_hash_table_unref(watch->known);
	g_hash_table_unref(watch->places);
	g_free(watch->since);
	g_free(watch->note);
	g_free(watch);
}

void sync_report_free(struct sync_report *sync)
{
	if (!sync)
		return;
	g_ptr_array_unref(sync->builds);
	g_ptr_array_unref(sync->watches);
	g_ptr_array_unref(sync->indexes);
	g_free(sync->now);
	g_free(sync);
}
/* ---- what is watched ---- */

/* "linux-image-6.1.0-18-cloud-amd64" is one build, "linux-image-cloud-amd64" whichever is newest.
 */
static bool names_release(const char *package)
{
	static const char *const prefixes[] = { "linux-image-unsigned-", "linux-image-",
						"linux-binary-" };

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(package, prefixes[i]))
			return g_ascii_isdigit(package[strlen(prefixes[i])]);
	return false;
}

static const struct matrix_family *family_of(const struct matrix *m, const struct kernel_spec *spec)
{
	for (unsigned i = 0; spec->family && i < m->families->len; i++) {
		const struct matrix_family *family = m->families->pdata[i];

		if (!strcmp(family->id, spec->family) && family->first->file == spec->file)
			return family;
	}
	return NULL;
}

/* Does an index lead to it, and may that change? */
static bool is_watched(const struct kernel_spec *spec, const struct matrix_family *family)
{
	bool apt = !strcmp(spec->source, "apt") && spec->suite;
	bool deb = !strcmp(spec->source, "deb") && spec->repo && spec->suite;
	bool rpm = !strcmp(spec->source, "rpm") && spec->repo;

	if (!(apt || deb || rpm) || !spec->package)
		return false;
	if (family)
		return family->package && strlen(family->package) > 0;
	return !spec->family && !spec->version && !spec->sha256 && !names_release(spec->package);
}

static char *watch_name(const struct kernel_spec *spec, const struct matrix_family *family)
{
	const char *const parts[] = { spec->source, spec->repo, spec->suite, spec->component };
	g_autoptr(GString) name = g_string_new(family ? family->package : "newest ");

	g_string_append(name, family ? "" : spec->package);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (parts[i])
			g_string_append_printf(name, " %s", parts[i]);
	return g_string_free(g_steal_pointer(&name), FALSE);
}

static struct sync_index *index_for(struct sync_report *sync, const struct kernel_spec *spec,
				    const char *suite)
{
	struct sync_index *index;

	for (unsigned i = 0; i < sync->indexes->len; i++)
		if (sync_index_serves(sync->indexes->pdata[i], spec, suite))
			return sync->indexes->pdata[i];
	index = sync_index_new(spec, suite);
	g_ptr_array_add(sync->indexes, index);
	return index;
}

/* What its packages' names begin with. */
static void want(struct sync_index *index, const struct sync_watch *watch)
{
	const char *package = watch->family ? watch->family->package : watch->spec->package;
	g_autofree char *prefix = g_strndup(package, strcspn(package, "{"));

	if (!g_ptr_array_find_with_equal_func(index->wanted.prefixes, prefix, g_str_equal, NULL))
		g_ptr_array_add(index->wanted.prefixes, g_steal_pointer(&prefix));
}

static void add_indexes(struct sync_report *sync, struct sync_watch *watch)
{
	g_auto(GStrv) suites = g_strsplit(watch->spec->suite ? watch->spec->suite : "", ",", -1);

	if (!*suites) {
		g_ptr_array_add(watch->indexes, index_for(sync, watch->spec, NULL));
		want(watch->indexes->pdata[0], watch);
	}
	for (char **suite = suites; *suite; suite++) {
		struct sync_index *index = index_for(sync, watch->spec, g_strstrip(*suite));

		g_ptr_array_add(watch->indexes, index);
		want(index, watch);
	}
}

static void add_watch(struct sync_report *sync, const struct kernel_spec *spec,
		      const struct matrix_family *family)
{
	struct sync_watch *watch = g_new0(struct sync_watch, 1);

	watch->spec = family ? family->first : spec;
	watch->family = family;
	watch->indexes = g_ptr_array_new();
	watch->name = watch_name(watch->spec, family);
	watch->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	watch->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	add_indexes(sync, watch);
	g_ptr_array_add(sync->watches, watch);
}

static bool add_watches(struct sync_report *sync, const struct matrix *m, GPtrArray *specs,
			GError **error)
{
	g_autoptr(GHashTable) had = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < specs->len; i++) {
		const struct kernel_spec *spec = specs->pdata[i];
		const struct matrix_family *family = family_of(m, spec);

		if (is_watched(family ? family->first : spec, family) &&
		    g_hash_table_add(had, family ? (gpointer)family : (gpointer)spec))
			add_watch(sync, spec, family);
	}
	return sync->watches->len ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"none of these kernels comes out of an index of packages\n"
			"hint: sync reads apt's suites and the repositories of deb and rpm rows");
}

/* ---- reading ---- */

static bool read_indexes(struct sync_report *sync, const struct progress *progress, GError **error)
{
	g_autofree char *root = fs_cache_dir("kernels", error), *tmp = NULL;
	auto_fd lock = -1;

	if (!root || (lock = source_lock(root, false, progress, error)) < 0)
		return false;
	tmp = g_build_filename(root, "download", NULL);
	for (unsigned i = 0; i < sync->indexes->len; i++)
		if (!sync_index_read(sync->indexes->pdata[i], tmp, progress, error))
			return false;
	return true;
}

/* ---- state ---- */

static char *state_path(const char *name)
{
	g_autofree char *sum = fs_sha256_bytes(name, strlen(name));
	g_autofree char *file = g_strdup_printf("%.16s.json", sum);

	return g_build_filename(g_get_user_state_dir(), "klab", "sync", file, NULL);
}

static void read_state(struct sync_watch *watch)
{
	g_autofree char *path = state_path(watch->name), *text = NULL;
	g_autoptr(GError) why = NULL;
	size_t len;

	if (!g_file_test(path, G_FILE_TEST_EXISTS) ||
	    (fs_read(path, STATE_MAX, &text, &len, &why) &&
	     sync_state_parse(watch, text, len, &why)))
		return;
	watch->note = g_strdup_printf("its state '%s' is damaged (%.*s): this counts as its first "
				      "sync",
				      path, (int)strcspn(why->message, "\n"), why->message);
}

int sync_lock(const struct progress *progress, GError **error)
{
	g_autofree char *dir = g_build_filename(g_get_user_state_dir(), "klab", "sync", NULL);
	g_autofree char *path = g_build_filename(dir, "lock", NULL);
	g_autoptr(GError) busy = NULL;
	int fd;

	if (!fs_mkdir(dir, error))
		return -1;
	fd = fs_lock(path, 0, &busy);
	if (fd < 0 && g_error_matches(busy, LAB_ERROR, LAB_ERROR_TIMEOUT)) {
		progress_say(progress, "waiting for another klab that syncs");
		fd = fs_lock(path, LOCK_TIMEOUT_S, error);
	} else if (fd < 0) {
		g_propagate_error(error, g_steal_pointer(&busy));
	}
	return fd;
}

static bool was_read(const struct sync_watch *watch)
{
	for (unsigned i = 0; i < watch->indexes->len; i++)
		if (((struct sync_index *)watch->indexes->pdata[i])->packages)
			return true;
	return false;
}

bool sync_record(const struct sync_report *sync, GError **error)
{
	for (unsigned i = 0; i < sync->watches->len; i++) {
		const struct sync_watch *watch = sync->watches->pdata[i];
		g_autofree char *path = state_path(watch->name), *text = NULL;

		if (!was_read(watch))
			continue;
		text = sync_state_text(watch, sync->now);
		if (!fs_write(path, text, strlen(text), error))
			return false;
	}
	return true;
}

/* ---- builds ---- */

static int compare_versions(const struct sync_watch *watch, const char *a, const char *b)
{
	return strcmp(watch->spec->source, "rpm") ? vercmp_dpkg(a, b) : vercmp_rpm(a, b);
}

static bool is_newer(const struct sync_watch *watch, const struct sync_package *a,
		     const struct sync_package *b)
{
	return !b || compare_versions(watch, a->version, b->version) > 0;
}

static const struct sync_package *find_newest(const struct sync_watch *watch, const char *name,
					      const char *version, const struct sync_index **ret)
{
	const struct sync_package *best = NULL;

	for (unsigned i = 0; i < watch->indexes->len; i++) {
		const struct sync_index *index = watch->indexes->pdata[i];

		for (unsigned j = 0; index->packages && j < index->packages->len; j++) {
			const struct sync_package *package = index->packages->pdata[j];

			if (strcmp(package->name, name) ||
			    (version && strcmp(package->version, version)) ||
			    !is_newer(watch, package, best))
				continue;
			best = package;
			*ret = index;
		}
	}
	return best;
}

/* linux-image-cloud-amd64 -> linux-image-6.1.0-18-cloud-amd64; what the latter may lead to is a
 * matter of fetching it. */
static const struct sync_package *follow(const struct sync_watch *watch,
					 const struct sync_index **ret)
{
	const struct sync_package *package = find_newest(watch, watch->spec->package, NULL, ret);

	for (unsigned i = 0; package && i < DEB_FOLLOW_MAX && !names_release(package->name); i++) {
		g_autofree char *next = NULL, *version = NULL;

		if (!deb_next_package(package->depends, package->name, &next, &version))
			return package;
		package = find_newest(watch, next, version, ret);
	}
	return package;
}

/* "linux-image-6.12-cloud-amd64" matches a family as well, and leads to another image. */
static bool is_metapackage(const struct sync_package *package)
{
	g_autofree char *next = NULL, *version = NULL;

	return deb_next_package(package->depends, package->name, &next, &version) &&
	       g_str_has_prefix(next, "linux-image-");
}

/* What was found of a watch: by the package's name, or by name and version where members differ in
 * that alone. */
struct finding {
	const struct sync_package *package;
	const struct sync_index *index;
};

static void find_members(const struct sync_watch *watch, const struct sync_index *index,
			 GHashTable *found)
{
	bool by_version = matrix_family_by_version(watch->family);

	for (unsigned i = 0; index->packages && i < index->packages->len; i++) {
		const struct sync_package *package = index->packages->pdata[i];
		g_autofree char *name =
			matrix_family_name(watch->family, package->name, package->version);
		g_autofree char *key = NULL;
		struct finding *old, *f;

		if (!name || is_metapackage(package))
			continue;
		key = by_version ? g_strconcat(package->name, " ", package->version, NULL)
				 : g_strdup(package->name);
		old = g_hash_table_lookup(found, key);
		if (old && !is_newer(watch, package, old->package))
			continue;
		f = g_new0(struct finding, 1);
		*f = (struct finding){ package, index };
		g_hash_table_insert(found, g_steal_pointer(&key), f);
	}
}

static GHashTable *find_all(const struct sync_watch *watch)
{
	GHashTable *found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const struct sync_package *newest;
	const struct sync_index *index = NULL;

	for (unsigned i = 0; watch->family && i < watch->indexes->len; i++)
		find_members(watch, watch->indexes->pdata[i], found);
	if (!watch->family && (newest = follow(watch, &index))) {
		struct finding *f = g_new0(struct finding, 1);

		*f = (struct finding){ newest, index };
		g_hash_table_insert(found, g_strdup(newest->name), f);
	}
	return found;
}

static struct sync_build *make_build(struct sync_report *sync, struct sync_watch *watch,
				     const struct finding *f)
{
	struct sync_build *build = g_new0(struct sync_build, 1);
	g_autofree char *key = g_strconcat(f->package->name, " ", f->package->version, NULL);
	const char *seen = g_hash_table_lookup(watch->known, key);

	build->entry = g_strdup(watch->family ? watch->family->id : watch->spec->id);
	build->source = watch->spec->source;
	build->index = g_strdup(f->index->name);
	build->package = g_strdup(f->package->name);
	build->version = g_strdup(f->package->version);
	build->seen = g_strdup(seen ? seen : sync->now);
	/* An index that could not be read until now has no news either. */
	build->is_new =
		!seen && watch->since && g_hash_table_contains(watch->places, f->index->name);
	if (!seen)
		g_hash_table_insert(watch->known, g_steal_pointer(&key), g_strdup(sync->now));
	return build;
}

/* ---- names ---- */

struct names {
	const struct matrix *m;
	GHashTable *rows;  /* row_key() -> struct kernel_spec *, of the matrix */
	GHashTable *taken; /* ids that this sync gives: of struct sync_build */
};

static bool is_free(const struct names *names, const char *id)
{
	return id && !matrix_find(names->m, id) && !g_hash_table_contains(names->taken, id);
}

/* Rows that name one build, by source, repository, package and version ("" where the package's name
 * tells it). */
static char *row_key(const struct kernel_spec *at, const char *package, const char *version)
{
	return g_strjoin("\n", at->source, at->repo ? at->repo : "", package,
			 names_release(package) || !version ? "" : version, NULL);
}

static GHashTable *rows_of(const struct matrix *m)
{
	GHashTable *rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = 0; i < m->kernels->len; i++) {
		const struct kernel_spec *spec = m->kernels->pdata[i];

		if (spec->package && (spec->version || names_release(spec->package)))
			g_hash_table_insert(rows, row_key(spec, spec->package, spec->version),
					    (gpointer)spec);
	}
	return rows;
}

static char *clean_id(const char *head, const char *version)
{
	const char *colon = strchr(version, ':');
	g_autofree char *id = g_strdup_printf("%s-%s", head, colon ? colon + 1 : version);

	for (char *at = id; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(MATRIX_ID_MORE, *at))
			*at = '-';
	return matrix_id_is_good(id) ? g_steal_pointer(&id) : NULL;
}

static char *choose_id(const struct names *names, const struct sync_watch *watch,
		       const struct sync_build *build)
{
	g_autofree char *name =
		watch->family ? matrix_family_name(watch->family, build->package, build->version)
			      : NULL;
	g_autofree char *id = name ? matrix_family_id(watch->family, name) : NULL;

	if (is_free(names, id))
		return g_steal_pointer(&id);
	g_free(id);
	id = clean_id(build->entry, build->version);
	return is_free(names, id) ? g_steal_pointer(&id) : NULL;
}

static char **family_alias(const struct matrix_family *family)
{
	const char *const alias[] = { family ? family->id : NULL, NULL };

	return family ? g_strdupv((char **)alias) : NULL;
}

/* NULL where nothing in the catalogue could vouch for it. */
static struct kernel_spec *make_row(const struct sync_watch *watch, const struct sync_build *build)
{
	const struct kernel_spec *like = watch->spec;
	struct kernel_spec *row;

	if (!build->id || (strcmp(like->source, "apt") && !like->keyring && !like->verify_none))
		return NULL;
	row = g_new0(struct kernel_spec, 1);
	row->id = g_strdup(build->id);
	row->source = g_strdup(like->source);
	row->vendor = g_strdup(like->vendor);
	row->suite = g_strdup(like->suite);
	row->repo = g_strdup(like->repo);
	row->component = g_strdup(like->component);
	row->keyring = g_strdup(like->keyring);
	row->verify_none = like->verify_none;
	row->ignore_valid_until = like->ignore_valid_until;
	row->package = g_strdup(build->package);
	row->version = names_release(build->package) ? NULL : g_strdup(build->version);
	row->aliases = family_alias(watch->family);
	return row;
}

static void name_build(const struct names *names, const struct sync_watch *watch,
		       struct sync_build *build)
{
	g_autofree char *key = row_key(watch->spec, build->package, build->version);
	const struct kernel_spec *row = g_hash_table_lookup(names->rows, key);

	build->is_named = row != NULL;
	build->id = row ? g_strdup(row->id) : choose_id(names, watch, build);
	if (build->id)
		g_hash_table_add(names->taken, build->id);
	build->row = row ? NULL : make_row(watch, build);
}

/* ---- all together ---- */

static int compare_builds(gconstpointer a, gconstpointer b)
{
	const struct sync_build *x = *(struct sync_build *const *)a;
	const struct sync_build *y = *(struct sync_build *const *)b;
	int by_version = strcmp(x->source, "rpm") ? vercmp_dpkg(x->version, y->version)
						  : vercmp_rpm(x->version, y->version);

	return by_version ? by_version : strcmp(x->package, y->package);
}

static size_t closeness(const struct sync_watch *watch)
{
	return watch->family ? matrix_family_closeness(watch->family) : 0;
}

/* A build that several watches see is the closest one's: the longest template's. */
struct claim {
	const struct sync_watch *watch;
	struct sync_build *build;
};

static void claim(GHashTable *claims, const struct sync_watch *watch, struct sync_build *build)
{
	char *key = g_strjoin("\n", watch->spec->source, watch->spec->repo ? watch->spec->repo : "",
			      build->package, build->version, NULL);
	struct claim *old = g_hash_table_lookup(claims, key), *mine;

	if (old && closeness(old->watch) >= closeness(watch)) {
		build_free(build);
		g_free(key);
		return;
	}
	if (old)
		build_free(old->build);
	mine = g_new0(struct claim, 1);
	*mine = (struct claim){ watch, build };
	g_hash_table_replace(claims, key, mine);
}

static void look(struct sync_report *sync, struct sync_watch *watch, GHashTable *claims)
{
	g_autoptr(GHashTable) found = NULL;
	GHashTableIter iter;
	gpointer value;

	read_state(watch);
	found = find_all(watch);
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		claim(claims, watch, make_build(sync, watch, value));
	for (unsigned i = 0; i < watch->indexes->len; i++) {
		const struct sync_index *index = watch->indexes->pdata[i];

		if (index->packages)
			g_hash_table_add(watch->places, g_strdup(index->name));
	}
}

static void collect(struct sync_report *sync, const struct names *names, struct sync_watch *watch,
		    GHashTable *claims)
{
	unsigned first = sync->builds->len;
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, claims);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct claim *mine = value;

		if (mine->watch != watch)
			continue;
		watch->n_builds++;
		watch->n_new += mine->build->is_new;
		g_ptr_array_add(sync->builds, mine->build);
	}
	if (sync->builds->len > first)
		qsort(sync->builds->pdata + first, sync->builds->len - first, sizeof(gpointer),
		      compare_builds);
	for (unsigned i = first; i < sync->builds->len; i++)
		name_build(names, watch, sync->builds->pdata[i]);
}

static void look_all(struct sync_report *sync, const struct matrix *m)
{
	g_autoptr(GHashTable) rows = rows_of(m), taken = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) claims =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const struct names names = { m, rows, taken };

	for (unsigned i = 0; i < sync->watches->len; i++)
		look(sync, sync->watches->pdata[i], claims);
	for (unsigned i = 0; i < sync->watches->len; i++)
		collect(sync, &names, sync->watches->pdata[i], claims);
}

bool sync_read(const struct matrix *m, GPtrArray *specs, const struct progress *progress,
	       struct sync_report **ret, GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autoptr(sync_report) sync = g_new0(struct sync_report, 1);

	sync->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)sync_index_free);
	sync->watches = g_ptr_array_new_with_free_func(watch_free);
	sync->builds = g_ptr_array_new_with_free_func(build_free);
	sync->now = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
	if (!add_watches(sync, m, specs, error) || !read_indexes(sync, progress, error))
		return false;
	look_all(sync, m);
	*ret = g_steal_pointer(&sync);
	return true;
}
