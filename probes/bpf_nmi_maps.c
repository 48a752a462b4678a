// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uses BPF maps in NMIs, interrupts and tasks at once, and by system calls beside them.
 *
 * A map's lock that an NMI finds taken below it must not be waited for: queue and stack maps did
 * (a34a9f1a19af), and the free lists of stack maps (39d8f0d1026a). Queues' boxes are big, so that
 * the lock is held long. In NMIs hash maps are only looked at; updating them there is bpf-nmi-hash,
 * which most kernels do not stand. Afterwards each map must hold what it may hold:
 *
 *	hash, LRU	each key once, values whole; emptied, the hash can be filled to its limit
 *	per-CPU		the hits that each context of each CPU counted itself
 *	queue, stack	each box that was pushed is popped once, whole
 *	ring buffer	each record that was sent arrives once, in order
 *	stacks		kernel addresses; build ids of the one program that runs here
 */
#include "probes/bpf_nmi_maps.h"
#include "bpf_nmi_maps.skel.h"
#include "probes/lib/build_id.h"
#include "probes/lib/bpf_load.h"
#include "probes/lib/map_contexts.h"
#include "probes/lib/nmi_source.h"
#include "probes/lib/map_hash.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST 8 /* renames a round; each runs the programs of the task context */
#define SETS 3
#define STACK_DEPTH 16
#define TRIES 200 /* of what another holder of a lock may refuse */

enum counter { COUNT_NMI, COUNT_IRQ, COUNT_TASK, COUNT_REFUSED, COUNT_RECORDS, COUNT_STACKS };

struct seat {
	struct maps_fifo_count fifo[MAPS_FIFOS]; /* by system call */
	struct maps_box box;
	uint64_t boxes;
} __attribute__((aligned(64)));

static struct {
	struct bpf_nmi_maps *skel;
	bool has_fifos, has_ring;
	struct map_contexts contexts[SETS];
	struct ring_buffer *ring;
	unsigned ncpus;
	struct seat *seat;                            /* by CPU */
	uint64_t number[WIRE_CPUS_MAX][MAP_CONTEXTS]; /* last record */
	uint64_t records, records_wrong;
} state;

static struct maps_seat seat_read(uint32_t cpu, enum map_context context)
{
	uint32_t at = MAP_SEAT(cpu, context);
	struct maps_seat s = { 0 };

	bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.seats), &at, &s);
	return s;
}

/* Those that were refused too: they came to the lock. */
static uint64_t seat_ops(const struct maps_seat *s)
{
	return s->on.hash_ok + s->on.hash_refused + s->on.lru_ok + s->on.lru_refused + s->looks +
	       s->percpu_hash + s->boxes + s->ring_sent + s->ring_full;
}

/* What tasks do by system call. */

static void fifo_count_pop(struct maps_fifo_count *n, const struct maps_box *box)
{
	n->popped++;
	n->pop_sum += box->id;
	n->torn += box->last != ~box->id;
}

static void fifo_churn(int fd, struct maps_fifo_count *n, struct seat *seat, uint32_t cpu,
		       uint64_t *rand)
{
	struct maps_box *box = &seat->box;

	box->id = (uint64_t)(MAP_SEAT(MAP_CPUS, 0) + cpu) << 40 | ++seat->boxes;
	box->last = ~box->id;
	if (!bpf_map_update_elem(fd, NULL, box, BPF_ANY)) {
		n->pushed++;
		n->push_sum += box->id;
	} else {
		n->refused++;
	}
	if (rand_next(rand) % 2 && !bpf_map_lookup_and_delete_elem(fd, NULL, box))
		fifo_count_pop(n, box);
}

static int fifo_fd(enum maps_fifo fifo)
{
	return bpf_map__fd(fifo == MAPS_QUEUE ? state.skel->maps.queue : state.skel->maps.stack);
}

static void syscalls_churn(struct seat *seat, uint32_t cpu, uint64_t *rand)
{
	map_churn(bpf_map__fd(state.skel->maps.hash), &map_hash, rand);
	map_churn(bpf_map__fd(state.skel->maps.lru), &map_lru, rand);
	for (int f = 0; state.has_fifos && f < MAPS_FIFOS; f++)
		fifo_churn(fifo_fd(f), &seat->fifo[f], seat, cpu, rand);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	uint64_t rand = (run->seed + cpu) * 2 + 1;
	struct seat *seat = &state.seat[cpu];

	if (map_seat_arm_task(bpf_map__fd(state.skel->maps.seats), sizeof(struct maps_seat), cpu,
			      &rand))
		return;
	while (!probe_stopped(run)) {
		for (int i = 0; i < BURST; i++) {
			map_task_enter();
			syscalls_churn(seat, cpu, &rand);
		}
		map_nap(&rand);
	}
}

static int record_take(void *ctx, void *data, size_t size)
{
	const struct maps_record *r = data;

	state.records++;
	if (size < sizeof(*r) || r->inverse != ~r->number || r->cpu >= state.ncpus ||
	    r->context >= MAP_CONTEXTS) {
		state.records_wrong++;
		return 0;
	}
	if (r->number != state.number[r->cpu][r->context] + 1)
		state.records_wrong++;
	state.number[r->cpu][r->context] = r->number;
	return 0;
}

struct program_set {
	struct map_programs programs;
	bool has;
};

static void sets_list(struct program_set sets[SETS])
{
	struct bpf_nmi_maps *skel = state.skel;

	sets[0] = (struct program_set){
		{ skel->progs.task_old, skel->progs.irq_old, skel->progs.nmi_old }, true
	};
	sets[1] = (struct program_set){ { skel->progs.task_fifos, skel->progs.irq_fifos,
					  skel->progs.nmi_fifos },
					state.has_fifos };
	sets[2] = (struct program_set){ { skel->progs.task_ring, skel->progs.irq_ring,
					  skel->progs.nmi_ring },
					state.has_ring };
}

static enum probe_result programs_attach(struct probe_run *run)
{
	struct program_set sets[SETS];

	sets_list(sets);
	for (int i = 0; i < SETS; i++) {
		int err = 0;

		if (sets[i].has)
			err = map_contexts_attach(&state.contexts[i], &sets[i].programs,
						  run->ncpus);
		if (err)
			return probe_skip(run, "no raw tracepoint 'nmi_handler': '%s'",
					  strerror(-err));
	}
	if (!state.contexts[0].task || !state.contexts[0].irq[0])
		run->limits[0] = "no programs in tasks or in interrupts: system calls meet NMIs";
	return PROBE_PASS;
}

/* What the kernel does not have must not be asked for: libbpf loads all or nothing. */
static int skeleton_load(void)
{
	struct program_set sets[SETS];
	struct bpf_nmi_maps *skel = bpf_nmi_maps__open();

	if (!skel)
		return -errno;
	state.skel = skel;
	state.has_fifos = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_QUEUE, NULL) == 1;
	state.has_ring = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	bpf_map__set_autocreate(skel->maps.queue, state.has_fifos);
	bpf_map__set_autocreate(skel->maps.stack, state.has_fifos);
	bpf_map__set_autocreate(skel->maps.ring, state.has_ring);
	bpf_map__set_max_entries(skel->maps.boxes, MAP_SEAT(state.ncpus, 0));
	sets_list(sets);
	for (int i = 0; i < SETS; i++) {
		bpf_program__set_autoload(sets[i].programs.task, sets[i].has);
		bpf_program__set_autoload(sets[i].programs.irq, sets[i].has);
		bpf_program__set_autoload(sets[i].programs.nmi, sets[i].has);
	}
	return bpf_nmi_maps__load(skel);
}

static enum probe_result programs_load(struct probe_run *run)
{
	int err;

	bpf_load_prepare();
	err = skeleton_load();
	return err ? bpf_load_skip(run, err) : PROBE_PASS;
}

static int percpu_make(void)
{
	int n = libbpf_num_possible_cpus();
	struct maps_percpu *zero = n > 0 ? calloc(n, sizeof(*zero)) : NULL;
	uint64_t key = 1;
	int err;

	if (!zero)
		return -ENOMEM;
	err = bpf_map_update_elem(bpf_map__fd(state.skel->maps.percpu_hash), &key, zero, BPF_ANY);
	free(zero);
	return err;
}

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r;

	state.ncpus = run->ncpus;
	state.seat = calloc(run->ncpus, sizeof(*state.seat));
	if (!state.seat)
		return probe_error(run, "no memory");
	r = programs_load(run);
	if (r != PROBE_PASS)
		return r;
	if (map_seats_arm(bpf_map__fd(state.skel->maps.seats), sizeof(struct maps_seat), run->ncpus,
			  run->seed))
		return probe_error(run, "seats: %s", strerror(errno));
	if (percpu_make())
		return probe_error(run, "per-CPU hash: %s", strerror(errno));
	if (state.has_ring)
		state.ring = ring_buffer__new(bpf_map__fd(state.skel->maps.ring), record_take, NULL,
					      NULL);
	if (state.has_ring && !state.ring)
		return probe_error(run, "ring buffer: %s", strerror(errno));
	if (!state.has_fifos)
		run->limits[1] = "no queue and stack maps: the kernel is older than 4.20";
	if (!state.has_ring)
		run->limits[2] = "no ring buffer: the kernel is older than 5.8";
	run->rung = access("/sys/kernel/btf/vmlinux", R_OK) ? "bpf" : "bpf+btf";
	nmi_source_start(run);
	return programs_attach(run);
}

static void sample(struct probe_run *run)
{
	uint64_t ops[MAP_CONTEXTS] = { 0 }, refused = 0, stacks = 0;

	if (state.ring)
		ring_buffer__consume(state.ring);
	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++)
		for (int c = 0; c < MAP_CONTEXTS; c++) {
			struct maps_seat s = seat_read(cpu, c);

			ops[c] += seat_ops(&s);
			stacks += s.stacks;
			refused += s.on.hash_refused + s.on.lru_refused + s.fifo[0].refused +
				   s.fifo[1].refused + s.ring_full;
		}
	probe_count(run, COUNT_NMI, ops[MAP_NMI]);
	probe_count(run, COUNT_IRQ, ops[MAP_IRQ]);
	probe_count(run, COUNT_TASK, ops[MAP_TASK]);
	probe_count(run, COUNT_REFUSED, refused);
	probe_count(run, COUNT_RECORDS, state.records);
	probe_count(run, COUNT_STACKS, stacks);
}

static void programs_detach(void)
{
	for (int i = 0; i < SETS; i++)
		map_contexts_detach(&state.contexts[i]);
}

static enum probe_result percpu_judge(struct probe_run *run)
{
	struct maps_percpu *h = calloc(libbpf_num_possible_cpus(), sizeof(*h));
	struct maps_percpu *a = calloc(libbpf_num_possible_cpus(), sizeof(*a));
	enum probe_result r = PROBE_PASS;
	uint64_t key = 1;
	uint32_t zero = 0;

	if (!h || !a || bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.percpu_hash), &key, h) ||
	    bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.percpu_array), &zero, a))
		r = probe_error(run, "per-CPU maps: %s", strerror(errno));
	for (uint32_t cpu = 0; r == PROBE_PASS && cpu < run->ncpus; cpu++)
		for (int c = 0; c < MAP_CONTEXTS; c++) {
			struct maps_seat s = seat_read(cpu, c);

			if (h[cpu].hits[c] != s.percpu_hash || a[cpu].hits[c] != s.percpu_array)
				r = probe_fail(run,
					       FAIL_CORRUPTION
					       "per-CPU maps: CPU %u counted %llu and "
					       "%llu, they hold %llu and %llu",
					       cpu, (unsigned long long)s.percpu_hash,
					       (unsigned long long)s.percpu_array,
					       (unsigned long long)h[cpu].hits[c],
					       (unsigned long long)a[cpu].hits[c]);
		}
	free(h);
	free(a);
	return r;
}

static void fifo_add(struct maps_fifo_count *sum, const struct maps_fifo_count *n)
{
	sum->pushed += n->pushed;
	sum->push_sum += n->push_sum;
	sum->popped += n->popped;
	sum->pop_sum += n->pop_sum;
	sum->torn += n->torn;
}

/* Only an empty one has no more boxes: a lock may be busy. */
static void fifo_drain(enum maps_fifo fifo, struct maps_fifo_count *n, struct maps_box *box)
{
	for (int tries = TRIES; tries;) {
		if (!bpf_map_lookup_and_delete_elem(fifo_fd(fifo), NULL, box))
			fifo_count_pop(n, box);
		else if (errno == ENOENT || !--tries)
			return;
	}
}

static enum probe_result fifo_judge(struct probe_run *run, enum maps_fifo fifo)
{
	struct maps_fifo_count sum = { 0 };
	struct maps_box *box = &state.seat[0].box;

	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++) {
		fifo_add(&sum, &state.seat[cpu].fifo[fifo]);
		for (int c = 0; c < MAP_CONTEXTS; c++) {
			struct maps_seat s = seat_read(cpu, c);

			fifo_add(&sum, &s.fifo[fifo]);
		}
	}
	fifo_drain(fifo, &sum, box);
	if (sum.torn || sum.pushed != sum.popped || sum.push_sum != sum.pop_sum)
		return probe_fail(
			run, FAIL_CORRUPTION "%s: %llu boxes pushed, %llu popped, %llu torn%s",
			fifo == MAPS_QUEUE ? "queue" : "stack", (unsigned long long)sum.pushed,
			(unsigned long long)sum.popped, (unsigned long long)sum.torn,
			sum.push_sum == sum.pop_sum ? "" : ", not the same ones");
	return PROBE_PASS;
}

static enum probe_result ring_judge(struct probe_run *run)
{
	ring_buffer__consume(state.ring);
	if (state.records_wrong)
		return probe_fail(run,
				  FAIL_CORRUPTION "ring buffer: %llu of %llu records are out of "
						  "order or not whole",
				  (unsigned long long)state.records_wrong,
				  (unsigned long long)state.records);
	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++)
		for (int c = 0; c < MAP_CONTEXTS; c++) {
			struct maps_seat s = seat_read(cpu, c);

			if (s.ring_sent != state.number[cpu][c])
				return probe_fail(run,
						  FAIL_LOST_EVENTS
						  "ring buffer: %llu records sent, %llu came",
						  (unsigned long long)s.ring_sent,
						  (unsigned long long)state.number[cpu][c]);
		}
	return PROBE_PASS;
}

static bool frame_is_wrong(const struct bpf_stack_build_id *f)
{
	return f->status == BPF_STACK_BUILD_ID_VALID && !build_id_is_ours(f->build_id);
}

static enum probe_result stacks_judge(struct probe_run *run)
{
	int user = bpf_map__fd(state.skel->maps.user_stacks);
	int kernel = bpf_map__fd(state.skel->maps.kernel_stacks);
	struct bpf_stack_build_id frames[STACK_DEPTH];
	uint64_t ips[STACK_DEPTH];

	for (uint32_t id = 0; id < MAPS_STACKS; id++) {
		if (!bpf_map_lookup_elem(user, &id, frames))
			for (int i = 0; i < STACK_DEPTH; i++)
				if (frame_is_wrong(&frames[i]))
					return probe_fail(run,
							  FAIL_CORRUPTION
							  "user stack %u, frame %d: another "
							  "program's build id",
							  id, i);
		if (!bpf_map_lookup_elem(kernel, &id, ips))
			for (int i = 0; i < STACK_DEPTH && ips[i]; i++)
				if ((int64_t)ips[i] > 0)
					return probe_fail(run,
							  FAIL_CORRUPTION
							  "kernel stack %u, frame %d: 0x%llx is no "
							  "kernel address",
							  id, i, (unsigned long long)ips[i]);
	}
	return PROBE_PASS;
}

static enum probe_result check(struct probe_run *run)
{
	enum probe_result r;

	programs_detach();
	map_settle(run->ncpus);
	sample(run);
	r = percpu_judge(run);
	for (int f = 0; r == PROBE_PASS && state.has_fifos && f < MAPS_FIFOS; f++)
		r = fifo_judge(run, f);
	if (r == PROBE_PASS && state.ring)
		r = ring_judge(run);
	if (r == PROBE_PASS)
		r = stacks_judge(run);
	if (r == PROBE_PASS)
		r = map_judge(run, bpf_map__fd(state.skel->maps.hash), &map_hash);
	return r == PROBE_PASS ? map_judge(run, bpf_map__fd(state.skel->maps.lru), &map_lru) : r;
}

static void teardown(struct probe_run *run)
{
	programs_detach();
	nmi_source_stop();
	ring_buffer__free(state.ring);
	bpf_nmi_maps__destroy(state.skel);
}

PROBE(bpf_nmi_maps) = {
	.name = "bpf-nmi-maps",
	.summary = "BPF maps of many kinds are used in NMIs, interrupts and tasks at once",
	.hazards = LIST("bpf-queue-nmi-deadlock", "bpf-freelist-nmi-deadlock"),
	.kconfig = LIST("CONFIG_BPF_SYSCALL=y", "CONFIG_BPF_EVENTS=y"),
	.amplify = LIST("queue_stack_map_push_elem", "__queue_map_get", "__stack_map_get",
			"__pcpu_freelist_pop", "__pcpu_freelist_push", "___pcpu_freelist_pop*",
			"bpf_lru_pop_free", "bpf_lru_push_free", "__bpf_ringbuf_reserve"),
	.counters = LIST("nmi-map-ops", "irq-map-ops", "task-map-ops", "refused", "records",
			 "stacks"),
	.params = PARAMS(NMI_HZ_PARAM("25")),
	.min_cpus = 1,
	.duration_s = 15,
	.needs_nmi = true,
	.nmi_hz = 25, /* as nmi_user_read.c says */
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
