// SPDX-License-Identifier: GPL-2.0-or-later
/* What hash maps must hold: see map_hash.h. */
#include "probes/lib/map_hash.h"

#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 200 /* of what another holder of a lock may refuse */

const struct map_kind map_hash = { "hash", MAP_HASH_KEYS, MAP_HASH_MAX, false };
const struct map_kind map_lru = { "LRU hash", MAP_LRU_KEYS, MAP_LRU_MAX, true };

static int seat_arm(int seats_fd, unsigned value_size, uint32_t at, uint64_t *rand)
{
	union {
		struct map_seat seat;
		char bytes[MAP_SEAT_MAX];
	} value = { .bytes = { 0 } };

	if (value_size > sizeof(value))
		return -E2BIG;
	value.seat.armed = 1;
	value.seat.tid = syscall(SYS_gettid);
	value.seat.rand = rand_next(rand) | 1;
	return bpf_map_update_elem(seats_fd, &at, &value, BPF_ANY) ? -errno : 0;
}

int map_seats_arm(int seats_fd, unsigned value_size, unsigned ncpus, uint64_t seed)
{
	uint64_t rand = seed * 2 + 1;
	int err = 0;

	for (uint32_t at = 0; at < MAP_SEAT(ncpus, 0) && !err; at++)
		if (at % MAP_CONTEXTS != MAP_TASK)
			err = seat_arm(seats_fd, value_size, at, &rand);
	return err;
}

int map_seat_arm_task(int seats_fd, unsigned value_size, uint32_t cpu, uint64_t *rand)
{
	return seat_arm(seats_fd, value_size, MAP_SEAT(cpu, MAP_TASK), rand);
}

void map_churn(int fd, const struct map_kind *kind, uint64_t *rand)
{
	uint64_t x = rand_next(rand), key = (x >> 8) % kind->keys;
	struct map_value value = { key, x, ~(key ^ x) };

	if (x % 4)
		bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	else
		bpf_map_delete_elem(fd, &key);
	bpf_map_lookup_elem(fd, &key, &value);
}

static enum probe_result content_judge(struct probe_run *run, int fd, const struct map_kind *kind)
{
	static bool seen[MAP_LRU_KEYS];
	uint64_t key, *at = NULL, n = 0;
	struct map_value v;

	memset(seen, 0, sizeof(seen));
	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		if (key >= kind->keys || seen[key] || ++n > kind->max)
			return probe_fail(run,
					  FAIL_CORRUPTION
					  "%s: key %llu is there twice or was never "
					  "put there, or it is over the limit",
					  kind->name, (unsigned long long)key);
		seen[key] = true;
		if (bpf_map_lookup_elem(fd, &key, &v) || v.key != key ||
		    v.inverse != ~(v.key ^ v.x))
			return probe_fail(run,
					  FAIL_CORRUPTION "%s: the value of key %llu is not whole",
					  kind->name, (unsigned long long)key);
	}
	return PROBE_PASS;
}

/* The kernel did not do it, and may do it the next time: nothing of the map has changed. */
static bool is_busy(int err)
{
	return err == EBUSY || err == EDEADLK || err == ETIMEDOUT || err == EAGAIN;
}

static void all_delete(int fd, const struct map_kind *kind)
{
	for (uint64_t key = 0; key < kind->keys; key++)
		for (int i = 0; i < TRIES && bpf_map_delete_elem(fd, &key) && is_busy(errno); i++)
			sleep_ms(1);
}

static int key_add(int fd, uint64_t key)
{
	struct map_value v = { key, 0, ~key };

	for (int i = 0; i < TRIES; i++) {
		if (!bpf_map_update_elem(fd, &key, &v, BPF_NOEXIST))
			return 0;
		if (!is_busy(errno))
			return -errno;
		sleep_ms(1);
	}
	return -EBUSY;
}

/* E2BIG from an empty map says that elements are neither in it nor on its free list: lost. Any
 * other refusal proves nothing. */
static enum probe_result refill_judge(struct probe_run *run, int fd, const struct map_kind *kind)
{
	uint64_t key;
	int err = 0;

	all_delete(fd, kind);
	for (key = 0; key < kind->max && (!err || kind->evicts); key++)
		err = key_add(fd, key);
	if (err == -E2BIG && !kind->evicts)
		return probe_fail(run,
				  FAIL_CORRUPTION "%s: emptied, it takes %llu of %u elements: the "
						  "others are lost",
				  kind->name, (unsigned long long)key - 1, kind->max);
	if (err && !kind->evicts)
		probe_note("%s: adding a key says '%s'", kind->name, strerror(-err));
	return content_judge(run, fd, kind);
}

enum probe_result map_judge(struct probe_run *run, int fd, const struct map_kind *kind)
{
	enum probe_result r = content_judge(run, fd, kind);

	return r == PROBE_PASS ? refill_judge(run, fd, kind) : r;
}
