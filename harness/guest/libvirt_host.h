/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host of libvirt's can do: what it says of itself, and what a tiny guest shows (the same
 * that engine_accel_works() boots without libvirt). And what klabs that died have left on it.
 */
#ifndef KLAB_GUEST_LIBVIRT_HOST_H
#define KLAB_GUEST_LIBVIRT_HOST_H

#include "guest/engine.h"
#include "guest/libvirt_conn.h"
#include "guest/libvirt_volume.h"

/* libvirt remembers what a QEMU can do. Where it asks QEMU anew at each question it takes so long:
 * it finds its memory wrong as there is a /dev/kvm, and what it learned of it is that it does not
 * work. */
#define LIBVIRT_SLOW_S 1.0

struct libvirt_host {
	char *hostname, *arch;
	char *cpu;     /* its model, as libvirt calls it; or NULL */
	char *driver;  /* "QEMU", "Test", ... */
	char *libvirt; /* "9.0.0": the daemon's */
	unsigned cpus;
	uint64_t free_mib;        /* memory, what caches can give back included; 0: not told */
	double answer_s, again_s; /* that the first look at its QEMU took, and a second one */
	char *emulator;           /* path there; NULL: it has none for x86-64 */
	char *no_emulator;        /* why, or NULL */
	bool qemu, kvm;           /* domain types that it offers */
};
typedef struct libvirt_host libvirt_host;
void libvirt_host_free(struct libvirt_host *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(libvirt_host, libvirt_host_free)

/* LAB_ERROR_UNSUPPORTED: the connection is to another driver of libvirt's. */
bool libvirt_host_check(struct libvirt_conn *c, GError **error);
/* `emulator` is a path on the host, or NULL: what it offers. LAB_ERROR_UNSUPPORTED: it runs no
 * QEMU. */
bool libvirt_host_look(struct libvirt_conn *c, const char *emulator, struct libvirt_host **ret,
		       GError **error);
/* Read capabilities and domain capabilities as libvirt prints them into `ret`. Total: any text. */
void libvirt_host_read_caps(const char *xml, struct libvirt_host *ret);
void libvirt_host_read_domcaps(const char *xml, struct libvirt_host *ret);

struct libvirt_try {
	const struct engine *engine; /* of this machine; on a remote host: its emulator */
	const char *emulator;        /* as of struct guest_spec */
	const char *pool, *accel;
};
/*
 * Boot the tiny guest. NULL: 64-bit code ran there within a few seconds; else why not, the caller
 * frees. *ret_engine (may be NULL) gets what the engine says of itself: a version, and a digest of
 * the host and that in place of its binary's (nobody can hash a file of another machine);
 * *ret_plugins (with it) whether it takes TCG plugins.
 */
char *libvirt_host_try(struct libvirt_conn *c, const struct libvirt_host *host,
		       const struct libvirt_try *how, struct engine **ret_engine,
		       bool *ret_plugins);

struct libvirt_left {
	GPtrArray *removed;   /* of char *: domains of dead klabs */
	GPtrArray *elsewhere; /* domains of klabs on other hosts: they may live */
	unsigned alive;
	struct libvirt_volume_swept volumes;
};
void libvirt_left_clear(struct libvirt_left *left);
#define LIBVIRT_KEEP_VOLUMES -1
/* Destroy domains of klabs that are dead, and sweep the pool of volumes `days` old, unless that is
 * LIBVIRT_KEEP_VOLUMES. */
bool libvirt_host_clean(struct libvirt_conn *c, const char *pool, int days,
			struct libvirt_left *ret, GError **error);

#endif
