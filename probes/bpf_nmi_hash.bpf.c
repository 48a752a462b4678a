// SPDX-License-Identifier: GPL-2.0
/*
 * Programs in tasks, interrupts and NMIs that update one hash map. No globals, no CO-RE, no loops:
 * they load from 4.17 on.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "probes/lib/map_hash.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAP_CPUS *MAP_CONTEXTS);
	__type(key, __u32);
	__type(value, struct map_seat);
} seats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAP_HASH_MAX);
	__type(key, __u64);
	__type(value, struct map_value);
} hash SEC(".maps");

static __always_inline int update(enum map_context context)
{
	__u32 at = MAP_SEAT(bpf_get_smp_processor_id(), context);
	struct map_seat *s = map_seat_turn(bpf_map_lookup_elem(&seats, &at), context);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < MAP_HASH_OPS; i++)
		map_hash_update(&hash, s, s->rand >> 12 * i);
	return 0;
}

SEC("raw_tp/task_rename") int task_hash(void *ctx)
{
	return update(MAP_TASK);
}

SEC("perf_event") int irq_hash(void *ctx)
{
	return update(MAP_IRQ);
}

SEC("raw_tp/nmi_handler") int nmi_hash(void *ctx)
{
	return update(MAP_NMI);
}

char _license[] SEC("license") = "GPL";
