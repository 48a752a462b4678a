// SPDX-License-Identifier: GPL-2.0-or-later
/* Dump a domain's memory here or there. See libvirt_dump.h. */
#include "guest/libvirt_dump.h"

#include "guest/libvirt_volume.h"
#include "guest/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Named like an upload that is under way: what a dead klab leaves goes as theirs does. */
#define NO_SHA256 "0000000000000000000000000000000000000000000000000000000000000000"

struct dump {
	virDomainPtr dom;
	char *pool, *path;
	int fd;
};

static void dump_clear(gpointer data)
{
	struct dump *d = data;

	virDomainFree(d->dom);
	g_free(d->pool);
	g_free(d->path);
	lab_fd_close(&d->fd);
}

static bool dump_to(const struct dump *d, const char *path, GError **error)
{
	return virDomainCoreDumpWithFormat(d->dom, path, VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
					   VIR_DUMP_MEMORY_ONLY) == 0 ||
	       lab_fail_libvirt(error, "cannot dump the guest's memory");
}

static bool work_here(virConnectPtr conn, void *box, GError **error)
{
	const struct dump *d = box;

	return dump_to(d, d->path, error);
}

static int sink(virStreamPtr stream, const char *data, size_t len, void *user)
{
	const struct dump *d = user;
	ssize_t n = write(d->fd, data, len);

	return n < 0 && errno == EINTR ? 0 : n;
}

static bool fetch(virConnectPtr conn, virStorageVolPtr vol, struct dump *d, GError **error)
{
	virStreamPtr stream = virStreamNew(conn, 0);
	bool ok = stream && lseek(d->fd, 0, SEEK_SET) == 0 && ftruncate(d->fd, 0) == 0 &&
		  virStorageVolDownload(vol, stream, 0, 0, 0) == 0 &&
		  virStreamRecvAll(stream, sink, d) == 0 && virStreamFinish(stream) == 0;

	if (!ok)
		lab_fail_libvirt(error, "cannot fetch the dump of the guest's memory");
	if (stream)
		virStreamFree(stream);
	return ok;
}

static virStorageVolPtr make_volume(virConnectPtr conn, const char *pool_name)
{
	static unsigned number;
	g_autofree char *xml = g_strdup_printf(
		"<volume><name>klab-" NO_SHA256 "-%s.d%u</name><capacity>4096</capacity>"
		"<target><format type='raw'/></target></volume>", owner_self(), ++number);
	virStoragePoolPtr pool = virStoragePoolLookupByName(conn, pool_name);
	virStorageVolPtr vol = pool ? virStorageVolCreateXML(pool, xml, 0) : NULL;

	if (pool)
		virStoragePoolFree(pool);
	return vol;
}

static bool work_there(virConnectPtr conn, void *box, GError **error)
{
	struct dump *d = box;
	virStorageVolPtr vol = make_volume(conn, d->pool);
	char *path = vol ? virStorageVolGetPath(vol) : NULL;
	bool ok = path ? dump_to(d, path, error) && fetch(conn, vol, d, error) :
			 lab_fail_libvirt(error, "no place for a dump in the storage pool '%s'",
					  d->pool);

	free(path);
	if (vol) {
		virStorageVolDelete(vol, 0);
		virStorageVolFree(vol);
	}
	return ok;
}

bool libvirt_dump(struct libvirt_conn *c, virDomainPtr dom, const char *pool, int fd,
		  int timeout_ms, GError **error)
{
	struct dump *d;
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	bool ok;

	if (mine < 0)
		return lab_fail_errno(error, "a descriptor for the dump");
	virDomainRef(dom);
	d = g_atomic_rc_box_new0(struct dump);
	*d = (struct dump){ .dom = dom, .pool = g_strdup(pool ?: LIBVIRT_POOL), .fd = mine,
			    .path = g_strdup_printf("/proc/%d/fd/%d", getpid(), mine) };
	ok = libvirt_run(c, c->local ? work_here : work_there, d, dump_clear, timeout_ms, error);
	g_atomic_rc_box_release_full(d, dump_clear);
	return ok;
}
