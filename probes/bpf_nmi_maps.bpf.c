// SPDX-License-Identifier: GPL-2.0
/*
 * Programs in tasks, interrupts and NMIs that use the same maps at once. In NMIs they only look at
 * hash maps: see bpf_nmi_hash.c.
 *
 * Three sets, as maps came with kernels: 4.17 hash, LRU, per-CPU, stacks; 4.20 queue and stack; 5.8
 * ring buffer. No globals, no CO-RE, no loops. The programs in NMI and task context are raw
 * tracepoints: the kernel keeps other kinds from running over a user of maps, which is what is
 * wanted here.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf_nmi_maps.h"

#define MAP(name, kind, max, key_type, value_type)                                                 \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, max);                                                          \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

MAP(seats, BPF_MAP_TYPE_ARRAY, MAP_CPUS *MAP_CONTEXTS, __u32, struct maps_seat);
MAP(hash, BPF_MAP_TYPE_HASH, MAP_HASH_MAX, __u64, struct map_value);
MAP(lru, BPF_MAP_TYPE_LRU_HASH, MAP_LRU_MAX, __u64, struct map_value);
MAP(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH, 8, __u64, struct maps_percpu);
MAP(percpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct maps_percpu);
/* Where a queue's boxes are packed: too big for a program's stack. */
MAP(boxes, BPF_MAP_TYPE_ARRAY, 1, __u32, struct maps_box);

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, MAPS_STACKS);
	__uint(map_flags, BPF_F_STACK_BUILD_ID);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 16 * sizeof(struct bpf_stack_build_id));
} user_stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, MAPS_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 16 * sizeof(__u64));
} kernel_stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAPS_BOXES_MAX);
	__uint(value_size, sizeof(struct maps_box));
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, MAPS_BOXES_MAX);
	__uint(value_size, sizeof(struct maps_box));
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} ring SEC(".maps");

static __always_inline struct maps_seat *seat_here(enum map_context context)
{
	__u32 at = MAP_SEAT(bpf_get_smp_processor_id(), context);
	struct maps_seat *s = bpf_map_lookup_elem(&seats, &at);

	return s && map_seat_turn(&s->on, context) ? s : 0;
}

static __always_inline void update_hashes(struct maps_seat *s)
{
#pragma unroll
	for (int i = 0; i < MAP_HASH_OPS; i++)
		map_hash_update(&hash, &s->on, s->on.rand >> 12 * i);
	map_lru_update(&lru, &s->on);
}

/* What is there may be replaced meanwhile: no word of it is judged. */
static __always_inline void look_hashes(struct maps_seat *s)
{
	__u64 key = s->on.rand % MAP_HASH_KEYS;

	bpf_map_lookup_elem(&hash, &key);
	key = (s->on.rand >> 8) % MAP_LRU_KEYS;
	bpf_map_lookup_elem(&lru, &key);
	s->looks++;
}

static __always_inline void update_percpu(struct maps_seat *s, enum map_context context)
{
	__u64 key = 1;
	__u32 zero = 0;
	struct maps_percpu *p = bpf_map_lookup_elem(&percpu_hash, &key);

	if (p) {
		p->hits[context]++;
		s->percpu_hash++;
	}
	p = bpf_map_lookup_elem(&percpu_array, &zero);
	if (p) {
		p->hits[context]++;
		s->percpu_array++;
	}
}

static __always_inline void take_stacks(struct maps_seat *s, void *ctx)
{
	long user, kernel;

	if (s->on.rounds & 3)
		return;
	user = bpf_get_stackid(ctx, &user_stacks, BPF_F_USER_STACK | BPF_F_REUSE_STACKID);
	kernel = bpf_get_stackid(ctx, &kernel_stacks, BPF_F_REUSE_STACKID);
	if (user < 0 && kernel < 0)
		s->stacks_refused++;
	else
		s->stacks++;
}

static __always_inline int update_old(void *ctx, enum map_context context)
{
	struct maps_seat *s = seat_here(context);

	if (!s)
		return 0;
	if (context != MAP_NMI)
		update_hashes(s);
	look_hashes(s);
	update_percpu(s, context);
	take_stacks(s, ctx);
	return 0;
}

/* The kernel zeroes a box that it has nothing for; what it gave must be whole. */
static __always_inline void judge_box(struct maps_fifo_count *n, const struct maps_box *box)
{
	n->popped++;
	n->pop_sum += box->id;
	if (box->last != ~box->id)
		n->torn++;
}

static __always_inline void update_fifo(struct maps_seat *s, struct maps_fifo_count *n, void *map,
					struct maps_box *box, __u32 at)
{
	box->id = ((__u64)at << 40) | ++s->boxes;
	box->last = ~box->id;
	if (bpf_map_push_elem(map, box, 0)) {
		n->refused++;
	} else {
		n->pushed++;
		n->push_sum += box->id;
	}
	if (s->on.rand & 0x1000 && !bpf_map_pop_elem(map, box))
		judge_box(n, box);
}

static __always_inline int update_fifos(enum map_context context)
{
	__u32 at = MAP_SEAT(bpf_get_smp_processor_id(), context);
	struct maps_box *box = bpf_map_lookup_elem(&boxes, &at);
	struct maps_seat *s = seat_here(context);

	if (!s || !box)
		return 0;
	update_fifo(s, &s->fifo[MAPS_QUEUE], &queue, box, at);
	update_fifo(s, &s->fifo[MAPS_STACK], &stack, box, at);
	return 0;
}

static __always_inline int send_record(enum map_context context)
{
	struct maps_seat *s = seat_here(context);
	struct maps_record *r;

	if (!s)
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		s->ring_full++;
		return 0;
	}
	r->cpu = bpf_get_smp_processor_id();
	r->context = context;
	r->number = ++s->ring_sent;
	r->inverse = ~r->number;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

#define PROGRAMS(set, call_task, call_irq, call_nmi)                                               \
	SEC("raw_tp/task_rename") int task_##set(void *ctx)                                        \
	{                                                                                          \
		return call_task;                                                                  \
	}                                                                                          \
	SEC("perf_event") int irq_##set(void *ctx)                                                 \
	{                                                                                          \
		return call_irq;                                                                   \
	}                                                                                          \
	SEC("raw_tp/nmi_handler") int nmi_##set(void *ctx)                                         \
	{                                                                                          \
		return call_nmi;                                                                   \
	}

PROGRAMS(old, update_old(ctx, MAP_TASK), update_old(ctx, MAP_IRQ), update_old(ctx, MAP_NMI))
PROGRAMS(fifos, update_fifos(MAP_TASK), update_fifos(MAP_IRQ), update_fifos(MAP_NMI))
PROGRAMS(ring, send_record(MAP_TASK), send_record(MAP_IRQ), send_record(MAP_NMI))

char _license[] SEC("license") = "GPL";
