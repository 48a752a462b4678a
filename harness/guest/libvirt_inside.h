/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into a domain of libvirt's: memory, registers, scheduling. In embed mode QEMU runs as
 * we do and writes what it is asked for into memory of ours; elsewhere everything comes over the
 * connection, at most LIBVIRT_PEEK_MAX bytes a call.
 */
#ifndef KLAB_GUEST_LIBVIRT_INSIDE_H
#define KLAB_GUEST_LIBVIRT_INSIDE_H

#include "guest/guest.h"
#include "guest/libvirt_conn.h"
#include "guest/qmp.h"
#include "guest/vcpus.h"

#define LIBVIRT_PEEK_MAX 65536	/* libvirt's own limit of a message's memory */

struct libvirt_inside {
	struct libvirt_conn *conn;	/* borrowed */
	virDomainPtr dom;		/* owned by whoever made it */
	struct qmp qmp;
	struct vcpus vcpus;
	int memfd;			/* embed: what QEMU saves, through /proc/PID/fd; else -1 */
	bool paused;			/* by us: memory stands still */
	GHashTable *pages;		/* address | vCPU -> bytes of a page, while it does */
};

void libvirt_inside_init(struct libvirt_inside *in, struct libvirt_conn *conn, virDomainPtr dom);
/* Find the vCPUs of a started domain. */
bool libvirt_inside_learn(struct libvirt_inside *in, unsigned smp, GError **error);
void libvirt_inside_clear(struct libvirt_inside *in);	/* accepts one that was never started */

bool libvirt_inside_nmi(struct libvirt_inside *in, GError **error);
bool libvirt_inside_pause(struct libvirt_inside *in, bool paused, GError **error);
/* It was let go on by somebody else (gdb's server). */
void libvirt_inside_goes_on(struct libvirt_inside *in);
bool libvirt_inside_phys(struct libvirt_inside *in, uint64_t addr, void *buf, size_t len,
			 GError **error);
bool libvirt_inside_virt(struct libvirt_inside *in, unsigned cpu, uint64_t addr, void *buf,
			 size_t len, GError **error);
bool libvirt_inside_regs(struct libvirt_inside *in, struct guest_regs *ret, unsigned n,
			 GError **error);
bool libvirt_inside_sched(struct libvirt_inside *in, struct guest_sched *ret, GError **error);

/* "gpa: 0x1234" of the monitor's gva2gpa; false: the address is not mapped, or no answer. Total. */
bool libvirt_gpa_parse(const char *text, uint64_t *ret);

#endif
