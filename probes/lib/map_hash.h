/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash maps that programs in tasks, interrupts and NMIs update at once: what they count, what they
 * do (the part for BPF programs), and what the maps must hold afterwards (the part for probes).
 * A seat is written by one context of one CPU.
 */
#ifndef KLAB_PROBE_MAP_HASH_H
#define KLAB_PROBE_MAP_HASH_H

#include <linux/types.h>

#define MAP_CPUS 128
#define MAP_HASH_KEYS 16 /* distinct keys; the map holds half of them: few locks, often met */
#define MAP_HASH_MAX 8
#define MAP_HASH_OPS 4 /* each time that a program runs */
#define MAP_LRU_KEYS 1024
#define MAP_LRU_MAX 256

enum map_context { MAP_TASK, MAP_IRQ, MAP_NMI, MAP_CONTEXTS };

#define MAP_SEAT(cpu, context) ((cpu)*MAP_CONTEXTS + (context))

/* Shows whether it is whole. */
struct map_value {
	__u64 key, x, inverse; /* inverse: ~(key ^ x) */
};

struct map_seat {
	__u64 tid; /* of the worker: in MAP_TASK nobody else's calls count */
	__u64 armed, rand;
	__u64 rounds;
	__u64 hash_ok, hash_refused, lru_ok, lru_refused;
};

#ifdef __bpf__

/* The seat's next turn; NULL where it is not armed, or another task is here. */
static __always_inline struct map_seat *map_seat_turn(struct map_seat *s, enum map_context context)
{
	if (!s || !s->armed)
		return 0;
	if (context == MAP_TASK && s->tid != (__u32)bpf_get_current_pid_tgid())
		return 0;
	/* xorshift64* without its multiplication: any spread of keys will do */
	s->rand ^= s->rand >> 12;
	s->rand ^= s->rand << 25;
	s->rand ^= s->rand >> 27;
	s->rounds++;
	return s;
}

static __always_inline void map_hash_update(void *hash, struct map_seat *s, __u64 rand)
{
	__u64 key = rand % MAP_HASH_KEYS;
	struct map_value value = { key, rand, ~(key ^ rand) };
	long err;

	if (rand & 0x300)
		err = bpf_map_update_elem(hash, &key, &value, BPF_ANY);
	else
		err = bpf_map_delete_elem(hash, &key);
	if (err)
		s->hash_refused++;
	else
		s->hash_ok++;
}

static __always_inline void map_lru_update(void *lru, struct map_seat *s)
{
	__u64 key = (s->rand >> 8) % MAP_LRU_KEYS;
	struct map_value value = { key, s->rand, ~(key ^ s->rand) };

	if (bpf_map_update_elem(lru, &key, &value, BPF_ANY))
		s->lru_refused++;
	else
		s->lru_ok++;
}

#else

#include "probes/lib/probe.h"

#include <stdint.h>

struct map_kind {
	const char *name; /* as a verdict calls it */
	unsigned keys, max;
	bool evicts; /* may forget, and may refuse */
};

extern const struct map_kind map_hash, map_lru;

/* Seats are the first fields of a map's values, at most MAP_SEAT_MAX bytes each. Those of
 * interrupts and NMIs are armed before programs are attached, for a program must not run in the
 * midst of it; a task's by that task. They return 0 or a negative errno. */
#define MAP_SEAT_MAX 512
int map_seats_arm(int seats_fd, unsigned value_size, unsigned ncpus, uint64_t seed);
int map_seat_arm_task(int seats_fd, unsigned value_size, uint32_t cpu, uint64_t *rand);

/* One update or deletion by system call, and a look. */
void map_churn(int fd, const struct map_kind *kind, uint64_t *rand);

/* For check(), when nothing updates the map any more. Each key is there once, with a value that is
 * whole; emptied, the map takes all that it took in the beginning. */
enum probe_result map_judge(struct probe_run *run, int fd, const struct map_kind *kind);

#endif
#endif
