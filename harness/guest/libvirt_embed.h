/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libvirt's embed mode needs around it. The driver runs inside this process, so that nobody is
 * left to destroy its domains when the process is killed: a guard process does it then, and removes
 * the driver's folder however this process ends.
 *
 * The driver runs as an unprivileged one even where we are root: it then wants no system user, no
 * cgroups and no D-Bus, and its QEMUs run as we do. What it learns of a QEMU (seconds of probing)
 * is kept in klab's cache between processes.
 */
#ifndef KLAB_GUEST_LIBVIRT_EMBED_H
#define KLAB_GUEST_LIBVIRT_EMBED_H

#include "base/lab.h"

#include <sys/types.h>

/* The folder of `root=` in a URI of embed mode; NULL without one. Pure; the caller frees it. */
char *embed_dir_of(const char *uri);
/*
 * This process's driver folder, made below the URI's (at the first call; libvirt knows only one a
 * process), with its guard. NULL: *error is set. Main thread only.
 */
const char *embed_prepare(const char *uri, GError **error);
/*
 * From the first connection's opening to the last one's end: adopt what libvirt starts. Its engines
 * are daemons; as their reaper we learn how they ended, at once. Not for longer: then orphans are
 * init's again.
 */
void embed_adopt(bool on);
/* Around virConnectOpen(), on the thread that calls it. */
void embed_enter(void);
void embed_leave(void);
/* The process of a domain of ours; 0: there is none. */
pid_t embed_pid(const char *domain);
/* Has it ended, and how (of waitpid)? */
bool embed_ended(pid_t pid, int *ret_status);
/* We are the reaper of libvirt's QEMUs, the ones that it only asks for their capabilities too: let
 * them go. libvirt waits for that inside its calls. */
void embed_reap(void);

#endif
