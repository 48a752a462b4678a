/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cage of an engine: what a guest that broke out of QEMU would find. QEMU's own seccomp filter,
 * no new privileges, and, where klab is root, a user that owns nothing.
 *
 * That user is a number that no account has, another one for each klab process, so that guests
 * cannot reach each other; nothing needs to be created for it. It cannot read root's folders:
 * images, firmware and libraries are opened by us and named /proc/self/fd/N. It can write nowhere:
 * what QEMU is to write (memory, dumps) and to listen on goes over descriptors too. Credentials change
 * in the child before exec, because a later change would undo PR_SET_PDEATHSIG.
 *
 * Whether an engine bears all that is tried, not guessed from its version: cage_open().
 */
#ifndef KLAB_GUEST_CAGE_H
#define KLAB_GUEST_CAGE_H

#include "base/lab.h"
#include "guest/engine.h"

#include <sys/types.h>

struct cage {
	bool sandbox;		/* -sandbox on,... */
	uid_t uid;		/* and gid; 0: the engine runs as we do */
	gid_t group;		/* also in this group (of /dev/kvm), 0: none */
	char *text;		/* "seccomp, user 61200"; what is missing and why follows */
	bool whole;		/* nothing is missing */
	GArray *fds;		/* of int: what the engine inherits and we close */
};
typedef struct cage cage;
/* An open cage: nothing is held back. */
struct cage *cage_new(void);
void cage_free(struct cage *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cage, cage_free)

/* The tightest cage that this engine starts in; found out once a process. `accel` as in guest_spec.
 * Never NULL; cage->text tells what could not be had. */
struct cage *cage_open(const struct engine *e, const char *accel);

/* How the engine names a file of ours: PATH itself, or /proc/self/fd/N. The caller frees it. */
char *cage_file(struct cage *c, const char *path, GError **error);

struct cage_exec {
	const struct engine *engine;
	char *const *argv;	/* behind the engine's own arguments, NULL-terminated */
	int in, out;		/* its stdin, and stdout with stderr */
	const int *keep;	/* descriptors that stay open, by the same number */
	unsigned n_keep;
};
/* Start the engine; from the main thread only (it dies with that thread). -1: *error is set. */
pid_t cage_spawn(struct cage *c, const struct cage_exec *x, GError **error);

#endif
