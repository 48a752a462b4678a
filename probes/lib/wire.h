/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guest and host say to each other: the one header that both sides include.
 *
 * Records travel over the second UART (ttyS1), one a line, both ways:
 *
 *	@SEQ CRC TYPE PAYLOAD\n
 *
 * SEQ counts from 1 per sender in decimal, CRC is 8 hex digits of the CRC-32 (IEEE 802.3, as zlib's
 * crc32()) of the bytes "SEQ TYPE PAYLOAD", TYPE is [a-z]+, PAYLOAD is printable ASCII and may be
 * empty: JSON for the types marked so, text for the others. A line that fails any of this is
 * counted as torn and dropped; a gap in SEQ is counted as lost.
 *
 *	guest -> host
 *	hello	JSON {"wire":1,"release":S,"version":S,"proc_version":S,"cpus":N,"mem_kib":N,
 *		"status_phys":"0xHEX" ("0x0": find the page by its nonce),"kallsyms":B,"btf":B,
 *		"bpf":B,"pmu":B,"taint":N,"config":{"CONFIG_X":"y",...} (absent without IKCONFIG)}
 *		Sent again every 3 s, at most 5 times, until the host says anything
 *	moved	JSON {"status_phys":"0xHEX"}: the kernel moved the status page
 *	begin	JSON {"probe":S,"rung":S,"nmi_source":"host"|"pmu"|"none","counters":[S,...],
 *		"limits":[S,...]}: the probe is set up and its workers start
 *	ktap	one line of KTAP
 *	note	free text
 *	symbols	base64 of one chunk of the symbol stream (see below)
 *	end	JSON {"probe":S,"result":"pass"|"fail"|"skip"|"error","reason":S,
 *		"exposure":{"NAME":N,...},"taint":N}: the probe's process is gone, the agent is
 *		idle. The reason of a "fail" begins with "corruption: ", "lost-events: ",
 *		"killed-task: " or "hung-task: ". Exposure names every counter of `begin`
 *	out	base64 of what the command wrote to its stdout, or to its terminal
 *	err	base64 of what it wrote to its stderr
 *	took	decimal: bytes of `in` that the command took, all in all
 *	exit	JSON {"code":N}, or {"signal":N}, or {"errno":N,"error":S}: could not be executed.
 *		All of its output has been sent; bye follows
 *	bye	empty: the guest powers off next
 *
 *	host -> guest
 *	start	JSON {"probe":S,"duration_ms":N,"seed":N}
 *	stop	empty: end the running probe early
 *	symbols	empty: send the kernel's text symbols
 *	run	JSON {"argv":[S,...],"env":["NAME=VALUE",...],"tty":B,"rows":N,"cols":N}: execute a
 *		command, once; on a terminal of its own if tty and if the kernel has ptys
 *	in	base64 for its stdin, empty: the end of it. At most WIRE_INPUT_WINDOW bytes ahead of
 *		the last `took`
 *	size	JSON {"rows":N,"cols":N}: the terminal's
 *	bye	empty: power off
 *
 * The symbol stream is a zlib stream of lines "HEXADDR NAME\n", text symbols of the kernel image
 * only (types t T w W from _stext to _etext; no modules, no "__pfx_" padding), sorted by address. A
 * `symbols` record with payload "." ends it; it comes alone where the kernel has no kallsyms.
 *
 * Heartbeats do not travel over the UART: its transmit interrupt sits on one CPU and freezes with
 * it. They are in the status page, which the host reads from guest memory by physical address.
 */
#ifndef KLAB_WIRE_H
#define KLAB_WIRE_H

#include <stdint.h>

#define WIRE_VERSION 1
#define WIRE_LINE_MAX 8192	/* bytes of a record, newline included */
#define WIRE_INPUT_WINDOW 4096
#define WIRE_STATUS_MAGIC 0x3142414c4b455257ull
#define WIRE_STATUS_SIZE 4096
#define WIRE_CPUS_MAX 128
#define WIRE_COUNTERS_MAX 16
#define WIRE_NONCE_LEN 16

/* Phases of the guest, in the order in which they come. */
enum wire_phase {
	WIRE_PHASE_BOOT,
	WIRE_PHASE_IDLE,
	WIRE_PHASE_SETUP,
	WIRE_PHASE_RUN,
	WIRE_PHASE_CHECK,
	WIRE_PHASE__COUNT
};

struct wire_cpu {
	uint64_t beats;		/* one every WIRE_BEAT_MS by a thread pinned to this CPU */
	uint64_t last_ns;	/* the guest's CLOCK_MONOTONIC at the last beat; 0: the thread has
				 * left this CPU, as it is parked */
};

/*
 * The status page: one locked, page-aligned page. Every field is written with a single aligned
 * store; the reader may see fields of different moments, never half a field. Little endian.
 */
struct wire_status {
	uint64_t magic;
	uint32_t version;	/* WIRE_VERSION */
	uint32_t ncpus;		/* entries of cpu[] in use, 1..WIRE_CPUS_MAX */
	uint8_t nonce[WIRE_NONCE_LEN];	/* from klab.nonce=HEX on the command line */
	uint32_t phase;		/* enum wire_phase */
	uint32_t reserved;
	uint64_t parked[WIRE_CPUS_MAX / 64];	/* CPUs that a probe took offline on purpose */
	uint64_t now_ns;	/* the agent's CLOCK_MONOTONIC at its last round */
	uint64_t counters[WIRE_COUNTERS_MAX];	/* named by the `begin` record; [0] is the exposure */
	struct wire_cpu cpu[WIRE_CPUS_MAX];
};

#define WIRE_BEAT_MS 50

_Static_assert(sizeof(struct wire_status) <= WIRE_STATUS_SIZE, "the status page is one page");

#endif
