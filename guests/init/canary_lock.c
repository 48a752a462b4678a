// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A deadlock that the kernel allows by design where it has fexit programs: two programs at the end
 * of _raw_spin_lock_irqsave, each of which pushes to one queue map, for which the kernel takes the
 * map's lock by that function. The first program runs over some lock, takes the map's, and by that
 * runs the second, which waits for the same lock on the same CPU. One program would do below 5.12;
 * from then on a program does not run over itself. Since about 6.16 maps have locks that find this
 * out.
 */
#include "init.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#define LOCK_FUNCTION "_raw_spin_lock_irqsave"
#define PROGRAMS 2

static int programs[PROGRAMS];

static int program_load(int btf_id, int map)
{
	const struct bpf_insn push[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = BPF_EXIST },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_push_elem },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = btf_id);

	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "canary", "GPL", push,
			     sizeof(push) / sizeof(*push), &opts);
}

enum probe_result canary_lock_prepare(struct probe_run *run)
{
	int btf_id, map;

	libbpf_set_print(NULL);
	map = bpf_map_create(BPF_MAP_TYPE_QUEUE, "canary", 0, sizeof(uint64_t), 4, NULL);
	if (map < 0)
		return probe_skip(run, "no queue map (CONFIG_BPF_SYSCALL, 4.20): '%s'",
				  strerror(errno));
	btf_id = libbpf_find_vmlinux_btf_id(LOCK_FUNCTION, BPF_TRACE_FEXIT);
	if (btf_id <= 0)
		return probe_skip(run, "no '" LOCK_FUNCTION "' in the kernel's BTF "
				       "(CONFIG_DEBUG_INFO_BTF)");
	for (int i = 0; i < PROGRAMS; i++) {
		programs[i] = program_load(btf_id, map);
		if (programs[i] < 0)
			return probe_skip(run, "no fexit programs (5.5, CONFIG_BPF_JIT): '%s'",
					  strerror(errno));
	}
	return PROBE_PASS;
}

/* All was made before: little runs between the two, and nothing after. */
void canary_lock_happen(void)
{
	for (int i = 0; i < PROGRAMS; i++)
		if (bpf_raw_tracepoint_open(NULL, programs[i]) < 0)
			probe_note("no fexit at '" LOCK_FUNCTION "': '%s'", strerror(errno));
}

enum probe_result canary_lock_check(struct probe_run *run)
{
	return probe_skip(run, "no deadlock: the locks of this kernel's maps find one out, or "
			       "nothing could be attached to '" LOCK_FUNCTION "'");
}
