/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's gdb stub, as far as setting registers of a stopped guest goes: how the lab provokes faults
 * in a kernel that it cannot change. The stub is reached over a descriptor that is handed to QEMU
 * through its monitor: no port, no socket file.
 *
 * Packets are "$PAYLOAD#CS" (GDB manual, appendix "Remote Serial Protocol"), acknowledged by '+'.
 */
#ifndef KLAB_GUEST_GDBSTUB_H
#define KLAB_GUEST_GDBSTUB_H

#include "guest/guest.h"
#include "guest/qmp.h"

#define GDB_PACKET_MAX 4096	/* bytes of a packet, frame included */

enum gdb_parse { GDB_MORE, GDB_PACKET, GDB_GARBAGE };

/*
 * The first packet in buf[0..len): acknowledgements and noise before '$' are skipped. GDB_PACKET: its
 * payload is copied to `ret` (GDB_PACKET_MAX bytes, NUL-terminated), *ret_used bytes are done with.
 * GDB_GARBAGE: a packet of a wrong checksum or beyond the limit, *ret_used likewise. Else GDB_MORE.
 */
enum gdb_parse gdb_packet_parse(const char *buf, size_t len, char *ret, size_t *ret_used);
/* Frame a payload; returns the length, 0 when it does not fit into GDB_PACKET_MAX. */
size_t gdb_packet_make(char *buf, const char *payload);

struct gdb {
	int fd;			/* connected to a stub; borrowed */
	int timeout_ms;		/* for each answer */
	char in[GDB_PACKET_MAX];
	size_t len;
};
/* Send a packet, return the answer in `ret` (GDB_PACKET_MAX bytes). */
bool gdb_ask(struct gdb *gdb, const char *payload, char *ret, GError **error);
/* Set the registers and let the guest go on. */
bool gdb_set_cpus(struct gdb *gdb, const struct guest_cpu_set *sets, unsigned n, GError **error);
/* Connect to the stub of the QEMU behind this monitor, set, let go on. */
bool gdbstub_set_cpus(struct qmp *qmp, const struct guest_cpu_set *sets, unsigned n, int timeout_ms,
		      GError **error);

#endif
