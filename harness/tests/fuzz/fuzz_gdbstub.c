// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz the packets of QEMU's gdb stub: always progress, never beyond the input, and what was taken
 * for a packet can be made again. */
#include "guest/gdbstub.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char payload[GDB_PACKET_MAX], again[GDB_PACKET_MAX];
	enum gdb_parse got;
	size_t used;

	do {
		got = gdb_packet_parse((const char *)data, size, payload, &used);
		if (used > size || (got != GDB_MORE && !used))
			abort();
		if (got == GDB_PACKET && strlen(payload) + 4 == used &&
		    !gdb_packet_make(again, payload))
			abort();
		data += used;
		size -= used;
	} while (got != GDB_MORE);
	return 0;
}
