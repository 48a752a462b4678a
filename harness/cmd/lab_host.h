/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The half of a lab that --connect brings: a host of libvirt's in place of QEMU started by klab. */
#ifndef KLAB_CMD_LAB_HOST_H
#define KLAB_CMD_LAB_HOST_H

#include "cmd/lab.h"

/* For tables of options: what --connect is, in every command. */
#define LAB_CONNECT_HELP                                                                           \
	"Run guests on a host of libvirt's: a URI as of virsh -c, or a name from hosts: of the "   \
	"kernels file (docs/libvirt.md)"

/*
 * Fill lab->host of lab->host_spec, and of a remote one lab->engine and lab->accel: the engine is
 * what runs there, seen by the tiny guest. Errors are those of libvirt_open();
 * LAB_ERROR_UNSUPPORTED for a host that runs no guest of ours.
 */
bool lab_host_open(struct lab *lab, const struct lab_params *params,
		   const struct progress *progress, GError **error);
/* Make a job one of this lab: its engine, accelerator and host. */
void lab_host_place(const struct lab *lab, struct job *job);
/* Guests at once: what -j asks for, and what the host's max-guests lets it have. */
unsigned lab_host_jobs(const struct lab *lab, unsigned asked);

#endif
