/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain that is the same machine as the qemu backend's. Pure: a struct in, text out.
 *
 * The CPU model goes to QEMU as it is, by <qemu:commandline>, where the last -cpu wins: libvirt's
 * own <cpu> knows other names, other versions of the same ones, and adds and removes features by
 * what the host has; verdicts must come from the CPU that was asked for.
 */
#ifndef KLAB_GUEST_LIBVIRT_XML_H
#define KLAB_GUEST_LIBVIRT_XML_H

#include "base/lab.h"

struct libvirt_domain {
	const char *name;
	const char *emulator;	/* NULL: the host's choice */
	const char *kernel, *initrd, *append;
	const char *accel;	/* "tcg" or "kvm" */
	const char *cpu_model;
	const char *plugin;	/* -plugin's argument, or NULL */
	const char *const *extra;	/* more engine arguments, NULL-terminated, or NULL */
	unsigned smp, mem_mib;
};

/* The caller frees it; NULL: *error is set (text that XML cannot hold). */
char *libvirt_xml(const struct libvirt_domain *d, GError **error);

#endif
