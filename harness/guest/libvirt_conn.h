/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to libvirt in which no call hangs: each runs on the connection's own thread and has
 * a deadline. Events (streams, lifecycle) come through GLib's default main context, which whoever
 * waits for them runs on the main thread; a call that takes long runs it, too.
 *
 * A call that misses its deadline is given up together with its connection: the thread may sit in
 * it for ever, so every later call fails at once and the connection is never closed. What a call
 * works on is therefore shared with the thread (a box of g_atomic_rc_box_new0()), never on our
 * stack.
 *
 * Use from the main thread only.
 */
#ifndef KLAB_GUEST_LIBVIRT_CONN_H
#define KLAB_GUEST_LIBVIRT_CONN_H

#include "base/lab.h"

#include <libvirt/libvirt.h>

#define LIBVIRT_OPEN_MS 20000		/* the connection stands, or nobody is there */
#define LIBVIRT_KEEPALIVE_S 3		/* between probes of a silent server... */
#define LIBVIRT_KEEPALIVE_COUNT 3	/* ...and how many may stay without an answer */

struct libvirt_conn {
	virConnectPtr conn;	/* borrowed: for the functions that libvirt_run() runs */
	char *uri;		/* as the user gave it */
	bool local;		/* its QEMU runs on this host: our paths and threads are its own */
	bool embed;		/* the driver runs in our process, with `root` as its folder */
	const char *root;	/* embed: its folder, which goes with this process; else NULL */
	struct libvirt_thread *thread;	/* private */
};
typedef struct libvirt_conn libvirt_conn;

/*
 * Connect to a URI of libvirt, within LIBVIRT_OPEN_MS. "qemu:///embed?root=DIR" opens libvirt's
 * QEMU driver inside this process in a folder of its own below DIR (default: XDG_RUNTIME_DIR, else
 * /tmp); there is one such folder per process, whatever DIR later calls name.
 */
bool libvirt_open(const char *uri, struct libvirt_conn **ret, GError **error);
void libvirt_close(struct libvirt_conn *c);	/* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(libvirt_conn, libvirt_close)

/* Does a URI name this host: no host part, no transport over the network. Pure. */
bool libvirt_is_local(const char *uri);
/* Does it name libvirt's embed mode? Pure. */
bool libvirt_is_embed(const char *uri);

/*
 * Run `work` on the connection's thread and wait for it, at most timeout_ms. `box` comes from
 * g_atomic_rc_box_new0(); the caller keeps its own reference, and whoever drops the last one runs
 * `clear` (may be NULL). A missed deadline is LAB_ERROR_TIMEOUT, a lost connection LAB_ERROR_INFRA.
 */
typedef bool (*libvirt_work)(virConnectPtr conn, void *box, GError **error);
bool libvirt_run(struct libvirt_conn *c, libvirt_work work, void *box, GDestroyNotify clear,
		 int timeout_ms, GError **error);

/* Is the connection gone? Then *error says why, as libvirt_run() would. */
bool libvirt_is_lost(struct libvirt_conn *c, GError **error);

/*
 * Turn this thread's last libvirt error into one sentence "WHAT: ..." with a hint where one is
 * known, LAB_ERROR_INFRA unless it is a full disk or memory (NO_SPACE), a limit (TIMEOUT), or
 * something that the host cannot do (UNSUPPORTED). Call it on the
 * thread that made the call. Returns false.
 */
bool lab_fail_libvirt(GError **error, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
