// SPDX-License-Identifier: GPL-2.0-or-later
/* Upload once, verify, reuse, collect. See libvirt_volume.h. */
#include "guest/libvirt_volume.h"

#include "base/fs.h"
#include "guest/libvirt_conn.h"
#include "guest/owner.h"

#include <libvirt/virterror.h>
#include <string.h>

#define CHUNK (256u << 10) /* what one message of libvirt's carries */
#define FILE_MAX (UINT64_C(4) << 30)
#define PREFIX "klab-"
#define MARK ".ok"
#define SHA256_LEN 64
#define POOL_HOME "/var/lib/libvirt/images"
#define TOUCH_S (24 * 3600)   /* a mark is touched no more often */
#define FOREIGN_S (24 * 3600) /* nobody uploads for so long */

typedef struct _virStoragePool storage_pool;
typedef struct _virStorageVol storage_vol;
typedef struct _virStream stream;

static void storage_pool_drop(storage_pool *pool)
{
	virStoragePoolFree(pool);
}
static void storage_vol_drop(storage_vol *vol)
{
	virStorageVolFree(vol);
}
static void stream_drop(stream *st)
{
	virStreamFree(st);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(storage_pool, storage_pool_drop)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(storage_vol, storage_vol_drop)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stream, stream_drop)

/* A local file and what it is called there. Names are kept here: each call of libvirt's, if only
 * for a name, forgets what the last one complained of. */
struct upload {
	virConnectPtr conn;
	virStoragePoolPtr pool;
	const char *pool_name, *path;
	GMappedFile *file;
	const uint8_t *data;
	size_t len;
	char *sha256, *prefix; /* "klab-SHA256" */
};

static void upload_clear(struct upload *u)
{
	if (u->pool)
		storage_pool_drop(u->pool);
	if (u->file)
		g_mapped_file_unref(u->file);
	g_free(u->sha256);
	g_free(u->prefix);
}

/* --- the pool -------------------------------------------------------------------------------- */

static bool is_system(virConnectPtr conn)
{
	char *uri = virConnectGetURI(conn);
	bool ret = uri && strstr(uri, "/system");

	free(uri);
	return ret;
}

static bool fail_no_pool(const char *name, bool named, GError **error)
{
	return lab_fail(error, LAB_ERROR_UNAVAILABLE,
			"the host has no storage pool '%s'\n"
			"hint: virsh -c URI pool-create-as %s dir --target DIR makes one%s",
			name, name, named ? "" : ", 'pool:' of a host in 'hosts:' names another");
}

/* What the user asked for by name is made; it goes when the daemon does, its files stay. */
static virStoragePoolPtr make_pool(virConnectPtr conn, const char *name, GError **error)
{
	g_autofree char *xml =
		g_markup_printf_escaped("<pool type='dir'><name>%s</name><target><path>" POOL_HOME
					"/%s</path></target></pool>",
					name, name);
	g_autoptr(GError) why = NULL;
	virStoragePoolPtr pool =
		virStoragePoolCreateXML(conn, xml, VIR_STORAGE_POOL_CREATE_WITH_BUILD);

	if (pool)
		return pool;
	lab_fail_libvirt(&why, "storage pool '%s' cannot be made in '" POOL_HOME "'", name);
	pool = virStoragePoolLookupByName(conn, name); /* another klab was quicker? */
	if (!pool)
		g_propagate_error(error, g_steal_pointer(&why));
	return pool;
}

static virStoragePoolPtr open_pool(virConnectPtr conn, const char *named, GError **error)
{
	const char *name = named ? named : LIBVIRT_POOL;
	g_autoptr(storage_pool) pool = virStoragePoolLookupByName(conn, name);

	if (!pool && virGetLastErrorCode() != VIR_ERR_NO_STORAGE_POOL) {
		lab_fail_libvirt(error, "storage pool '%s'", name);
		return NULL;
	}
	if (!pool && (!named || !is_system(conn))) {
		fail_no_pool(name, named != NULL, error);
		return NULL;
	}
	if (!pool)
		return make_pool(conn, name, error);
	if (virStoragePoolIsActive(pool) == 0 && virStoragePoolCreate(pool, 0)) {
		lab_fail_libvirt(error, "storage pool '%s' cannot be started", name);
		return NULL;
	}
	return g_steal_pointer(&pool);
}

/* --- volumes --------------------------------------------------------------------------------- */

int64_t libvirt_volume_mtime(const char *xml)
{
	const char *at = strstr(xml, "<mtime>");

	return at ? MAX(g_ascii_strtoll(at + strlen("<mtime>"), NULL, 10), 0) : 0;
}

/* Seconds since a volume was written; -1: nobody says. */
static int64_t age_of(virStorageVolPtr vol)
{
	char *xml = virStorageVolGetXMLDesc(vol, 0);
	int64_t at = xml ? libvirt_volume_mtime(xml) : 0;

	free(xml);
	return at ? MAX(g_get_real_time() / G_USEC_PER_SEC - at, 0) : -1;
}

static virStorageVolPtr create(virStoragePoolPtr pool, const char *name, size_t len)
{
	g_autofree char *xml = g_markup_printf_escaped(
		"<volume><name>%s</name><capacity unit='bytes'>%zu</capacity>"
		"<allocation unit='bytes'>0</allocation><target><format type='raw'/>"
		"<permissions><mode>0644</mode></permissions></target></volume>",
		name, len);

	return virStorageVolCreateXML(pool, xml, 0);
}

static bool send_bytes(virStorageVolPtr vol, virStreamPtr st, const uint8_t *data, size_t len)
{
	if (virStorageVolUpload(vol, st, 0, len, 0))
		return false;
	for (size_t done = 0; done < len;) {
		int n = virStreamSend(st, (const char *)data + done, MIN(CHUNK, len - done));

		if (n < 0)
			return false;
		done += n;
	}
	return !virStreamFinish(st); /* the host has written all of it */
}

static bool write_volume(virConnectPtr conn, virStorageVolPtr vol, const uint8_t *data, size_t len,
			 GError **error)
{
	g_autoptr(stream) st = virStreamNew(conn, 0);
	g_autoptr(GError) why = NULL;

	if (st && send_bytes(vol, st, data, len))
		return true;
	lab_fail_libvirt(&why, "writing its volume");
	/* of a line that broke libvirt knows no cause */
	if (virConnectIsAlive(conn) == 1)
		g_propagate_error(error, g_steal_pointer(&why));
	else
		lab_fail(error, LAB_ERROR_INFRA, "the connection to the host was lost");
	if (st)
		virStreamAbort(st);
	return false;
}

/* The sha256 of what the host gives back; NULL: *error is set. */
static char *read_back(virConnectPtr conn, virStorageVolPtr vol, size_t len, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autoptr(stream) st = virStreamNew(conn, 0);
	g_autofree char *buf = g_malloc(CHUNK);
	size_t got = 0;
	int n;

	n = !st || virStorageVolDownload(vol, st, 0, len, 0) ? -1 : 1;
	while (n > 0 && got <= len && (n = virStreamRecv(st, buf, CHUNK)) > 0) {
		g_checksum_update(sum, (const guchar *)buf, n);
		got += n;
	}
	if (!n && !virStreamFinish(st))
		return g_strdup(g_checksum_get_string(sum));
	if (n <= 0)
		lab_fail_libvirt(error, "reading its volume");
	else
		lab_fail(error, LAB_ERROR_INFRA, "the volume has more bytes than were sent");
	if (st)
		virStreamAbort(st);
	return NULL;
}

/* --- looking for a whole one ----------------------------------------------------------------- */

/* Of struct char *: names of all volumes of the pool that begin with `prefix`; NULL: a virError. */
static GPtrArray *list_names(virStoragePoolPtr pool, const char *prefix)
{
	virStorageVolPtr *vols = NULL;
	int n = virStoragePoolListAllVolumes(pool, &vols, 0);
	GPtrArray *names = n < 0 ? NULL : g_ptr_array_new_with_free_func(g_free);

	for (int i = 0; i < n; i++) {
		const char *name = virStorageVolGetName(vols[i]);

		if (name && g_str_has_prefix(name, prefix))
			g_ptr_array_add(names, g_strdup(name));
		virStorageVolFree(vols[i]);
	}
	free(vols);
	return names;
}

static bool has_size(virStorageVolPtr vol, size_t len)
{
	virStorageVolInfo info;

	return !virStorageVolGetInfo(vol, &info) && info.capacity == len;
}

/* Note that it is used, so that nobody collects it; false: it was collected meanwhile. */
static bool touch(virConnectPtr conn, virStorageVolPtr mark)
{
	int64_t age_s = age_of(mark);

	return (age_s >= 0 && age_s < TOUCH_S) ||
	       write_volume(conn, mark, (const uint8_t *)"\n", 1, NULL);
}

/* The path of the volume that this mark speaks of, if it is as long as it must be; else NULL. */
static char *path_by_mark(const struct upload *u, const char *mark_name)
{
	g_autofree char *name = g_strndup(mark_name, strlen(mark_name) - strlen(MARK));
	g_autoptr(storage_vol) mark = NULL, vol = NULL;
	char *path, *ret = NULL;

	if (owner_of(name, u->prefix) == OWNER_NONE ||
	    !(mark = virStorageVolLookupByName(u->pool, mark_name)) ||
	    !(vol = virStorageVolLookupByName(u->pool, name)) || !has_size(vol, u->len) ||
	    !touch(u->conn, mark))
		return NULL;
	path = virStorageVolGetPath(vol);
	ret = g_strdup(path);
	free(path);
	return ret;
}

static bool find_whole(const struct upload *u, char **ret_path, GError **error)
{
	g_autoptr(GPtrArray) names = list_names(u->pool, u->prefix);

	if (!names)
		return lab_fail_libvirt(error, "volumes of storage pool '%s'", u->pool_name);
	for (guint i = 0; i < names->len && !*ret_path; i++)
		if (g_str_has_suffix(names->pdata[i], MARK))
			*ret_path = path_by_mark(u, names->pdata[i]);
	return true;
}

/* --- upload ---------------------------------------------------------------------------------- */

/* A host whose disk is full says so, or nothing, or that all went well. */
static bool fail_upload(const struct upload *u, GError *why, GError **error)
{
	virStoragePoolInfo info;

	virStoragePoolRefresh(u->pool, 0);
	if (virStoragePoolGetInfo(u->pool, &info) || info.available >= u->len) {
		g_propagate_error(error, why);
		return false;
	}
	g_error_free(why);
	return lab_fail(error, LAB_ERROR_NO_SPACE,
			"pool '%s' has no room for '%s': %llu of %zu bytes are left\n"
			"hint: klab doctor --clean removes files that were not used for %d days",
			u->pool_name, u->path, info.available, u->len, LIBVIRT_VOLUME_DAYS);
}

/* The bytes are there, and they are ours. */
static bool send_and_verify(const struct upload *u, virStorageVolPtr vol, GError **error)
{
	g_autofree char *sha256 = NULL;

	if (!write_volume(u->conn, vol, u->data, u->len, error))
		return lab_prefix(error, "the upload of '%s' was cut", u->path);
	sha256 = read_back(u->conn, vol, u->len, error);
	if (!sha256)
		return lab_prefix(error, "the upload of '%s' cannot be read back", u->path);
	return !strcmp(sha256, u->sha256) ||
	       lab_fail(error, LAB_ERROR_INFRA, "the upload of '%s' arrived with another content",
			u->path);
}

static bool fill_volume(const struct upload *u, virStorageVolPtr vol, const char *name,
			GError **error)
{
	g_autofree char *mark_name = g_strconcat(name, MARK, NULL);
	g_autoptr(storage_vol) mark = NULL;
	GError *why = NULL;

	if (!send_and_verify(u, vol, &why))
		return fail_upload(u, why, error);
	mark = create(u->pool, mark_name, 1);
	return mark ||
	       lab_fail_libvirt(error, "the upload of '%s' cannot be marked as whole", u->path);
}

static bool upload(const struct upload *u, char **ret_path, GError **error)
{
	static gint n;
	g_autofree char *name =
		g_strdup_printf("%s-%s.%d", u->prefix, owner_self(), g_atomic_int_add(&n, 1));
	g_autoptr(storage_vol) vol = create(u->pool, name, u->len);
	char *path;

	if (!vol)
		return lab_fail_libvirt(error, "no volume for '%s' in pool '%s'", u->path,
					u->pool_name);
	if (!fill_volume(u, vol, name, error)) {
		virStorageVolDelete(vol, 0);
		return false;
	}
	path = virStorageVolGetPath(vol);
	*ret_path = g_strdup(path);
	free(path);
	return *ret_path || lab_fail_libvirt(error, "the path of volume '%s'", name);
}

static bool open_file(struct upload *u, GError **error)
{
	g_autoptr(GError) why = NULL;

	u->file = g_mapped_file_new(u->path, FALSE, &why);
	if (!u->file)
		return lab_fail(error, LAB_ERROR_INFRA, "%s", why->message);
	u->data = (const uint8_t *)g_mapped_file_get_contents(u->file);
	u->len = g_mapped_file_get_length(u->file);
	if (!u->len || u->len > FILE_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' has %zu bytes: nothing to upload",
				u->path, u->len);
	u->sha256 = fs_sha256_bytes(u->data, u->len);
	u->prefix = g_strconcat(PREFIX, u->sha256, NULL);
	return true;
}

bool libvirt_volume_have(virConnectPtr conn, const char *pool, const char *path, char **ret_path,
			 GError **error)
{
	struct upload u = { .conn = conn, .pool_name = pool ? pool : LIBVIRT_POOL, .path = path };
	g_autofree char *found = NULL;
	bool ok = open_file(&u, error) && (u.pool = open_pool(conn, pool, error)) &&
		  find_whole(&u, &found, error);

	if (ok && !found) {
		struct libvirt_volume_swept swept;

		ok = upload(&u, &found, error);
		if (ok)
			libvirt_volume_sweep(conn, pool, LIBVIRT_VOLUME_DAYS, &swept, NULL);
	}
	upload_clear(&u);
	if (ok)
		*ret_path = g_steal_pointer(&found);
	return ok;
}

/* --- collecting ------------------------------------------------------------------------------ */

struct sweep {
	virStoragePoolPtr pool;
	GHashTable *names; /* all that are klab's */
	int64_t limit_s;
	struct libvirt_volume_swept *ret;
};

/* Gone already is fine: several may sweep at once. */
static void delete_name(const struct sweep *s, const char *name)
{
	g_autoptr(storage_vol) vol = virStorageVolLookupByName(s->pool, name);

	if (vol)
		virStorageVolDelete(vol, 0);
}

/* The mark goes first: what has none is not used. */
static void sweep_mark(const struct sweep *s, const char *mark_name, const char *name)
{
	g_autoptr(storage_vol) mark = virStorageVolLookupByName(s->pool, mark_name);
	int64_t age_s = mark ? age_of(mark) : -1;

	if (g_hash_table_contains(s->names, name) && age_s < s->limit_s) {
		s->ret->kept++;
		return;
	}
	delete_name(s, mark_name);
	delete_name(s, name);
	s->ret->removed++;
}

static void sweep_unmarked(const struct sweep *s, const char *name, enum owner owner)
{
	g_autoptr(storage_vol) vol = virStorageVolLookupByName(s->pool, name);

	if (!vol || owner == OWNER_ALIVE || (owner == OWNER_ELSEWHERE && age_of(vol) < FOREIGN_S)) {
		s->ret->unfinished++;
		return;
	}
	delete_name(s, name);
	s->ret->removed++;
}

static enum owner volume_owner(const char *name)
{
	g_autofree char *prefix = g_strndup(name, strlen(PREFIX) + SHA256_LEN);

	if (strlen(prefix) < strlen(PREFIX) + SHA256_LEN ||
	    strspn(prefix + strlen(PREFIX), G_CSET_DIGITS "abcdef") != SHA256_LEN)
		return OWNER_NONE;
	return owner_of(name, prefix);
}

static void sweep_name(const struct sweep *s, const char *name)
{
	enum owner owner = volume_owner(name);
	g_autofree char *mark = g_strconcat(name, MARK, NULL);
	g_autofree char *stem =
		g_str_has_suffix(name, MARK) ? g_strndup(name, strlen(name) - strlen(MARK)) : NULL;

	if (owner == OWNER_NONE)
		return;
	if (stem)
		sweep_mark(s, name, stem);
	else if (!g_hash_table_contains(s->names, mark))
		sweep_unmarked(s, name, owner);
}

bool libvirt_volume_sweep(virConnectPtr conn, const char *pool, int days,
			  struct libvirt_volume_swept *ret, GError **error)
{
	const char *called = pool ? pool : LIBVIRT_POOL;
	g_autoptr(storage_pool) found = virStoragePoolLookupByName(conn, called);
	g_autoptr(GPtrArray) names = NULL;
	g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
	const struct sweep s = {
		.pool = found, .names = set, .limit_s = days * 86400LL, .ret = ret
	};

	*ret = (struct libvirt_volume_swept){ 0 };
	if (!found && (virGetLastErrorCode() == VIR_ERR_NO_STORAGE_POOL ||
		       virGetLastErrorCode() == VIR_ERR_NO_SUPPORT))
		return true;
	if (found && virStoragePoolIsActive(found) == 0)
		return true;
	if (!found || !(names = list_names(found, PREFIX)))
		return lab_fail_libvirt(error, "storage pool '%s'", called);
	for (guint i = 0; i < names->len; i++)
		g_hash_table_add(set, names->pdata[i]);
	for (guint i = 0; i < names->len; i++)
		sweep_name(&s, names->pdata[i]);
	return true;
}
