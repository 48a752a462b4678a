/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files on a remote host: volumes of a storage pool, named by what they hold, shared by all klabs
 * that use the host.
 *
 *	klab-SHA256-OWNER.N	the bytes (guest/owner.h names who uploaded them)
 *	klab-SHA256-OWNER.N.ok	made once these were read back and had that sha256
 *
 * libvirt cannot rename a volume, so a mark beside it says that it is whole: an upload that was
 *cut, by whatever end, has none and is never used. Names are unique, so two klabs that upload the
 *same at once do not meet; either copy will do. The mark's modification time is that of its last
 *use.
 */
#ifndef KLAB_GUEST_LIBVIRT_VOLUME_H
#define KLAB_GUEST_LIBVIRT_VOLUME_H

#include "base/lab.h"

#include <libvirt/libvirt.h>

#define LIBVIRT_POOL "default"
#define LIBVIRT_VOLUME_DAYS 7 /* unused for so long, a volume is old */

/*
 * Have a local file on the host: *ret_path is where QEMU finds it there, the caller frees. `pool`
 * is NULL for LIBVIRT_POOL; one that was named and is missing is made below
 * /var/lib/libvirt/images, of a system connection. Who uploads also removes what is old. Can take
 * as long as the network does; the connection's keepalive ends it.
 */
bool libvirt_volume_have(virConnectPtr conn, const char *pool, const char *path, char **ret_path,
			 GError **error);

struct libvirt_volume_swept {
	unsigned removed, kept, unfinished; /* whole ones that went and stay; uploads that others
					     * may still be at */
};
/* Remove uploads of dead processes, volumes that are `days` old, and uploads from elsewhere that
 * are a day old. A pool that is not there holds nothing. */
bool libvirt_volume_sweep(virConnectPtr conn, const char *pool, int days,
			  struct libvirt_volume_swept *ret, GError **error);

/* Seconds of the Unix epoch of a volume's last modification out of its XML, 0: it does not say.
 * Total. */
int64_t libvirt_volume_mtime(const char *xml);

#endif
