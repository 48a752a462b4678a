// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Updates a BPF hash map from NMIs while interrupts, tasks and system calls update it too.
 *
 * A program on a raw tracepoint runs in an NMI whatever the NMI found; other kinds are kept off
 * users of maps. The bucket's lock that it finds taken below it must not be waited for: kernels
 * before 5.11 do, and up to 6.14 two CPUs whose NMIs want each other's bucket still do. What a lock
 * does not guard is each CPU's spare element: an NMI that updates another bucket meanwhile takes
 * the same one.
 *
 * Afterwards the map must hold each key once, values whole; emptied, it can be filled to its limit.
 * (What sound kernels stand beside this is in bpf-nmi-maps.)
 */
#include "bpf_nmi_hash.skel.h"
#include "probes/lib/bpf_load.h"
#include "probes/lib/map_contexts.h"
#include "probes/lib/nmi_source.h"
#include "probes/lib/map_hash.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BURST 8 /* renames and system calls a round */

enum counter { COUNT_NMI, COUNT_IRQ, COUNT_TASK, COUNT_REFUSED };

static struct {
	struct bpf_nmi_hash *skel;
	struct map_contexts contexts;
} state;

static void worker(struct probe_run *run, unsigned cpu)
{
	uint64_t rand = (run->seed + cpu) * 2 + 1;
	int seats = bpf_map__fd(state.skel->maps.seats), hash = bpf_map__fd(state.skel->maps.hash);

	if (map_seat_arm_task(seats, sizeof(struct map_seat), cpu, &rand))
		return;
	while (!probe_stopped(run)) {
		for (int i = 0; i < BURST; i++) {
			map_task_enter();
			map_churn(hash, &map_hash, &rand);
		}
		map_nap(&rand);
	}
}

static enum probe_result setup(struct probe_run *run)
{
	int err;

	bpf_load_prepare();
	state.skel = bpf_nmi_hash__open();
	if (!state.skel)
		return probe_error(run, "BPF object: %s", strerror(errno));
	err = bpf_nmi_hash__load(state.skel);
	if (err)
		return bpf_load_skip(run, err);
	run->rung = access("/sys/kernel/btf/vmlinux", R_OK) ? "bpf" : "bpf+btf";
	err = map_seats_arm(bpf_map__fd(state.skel->maps.seats), sizeof(struct map_seat),
			    run->ncpus, run->seed);
	if (err)
		return probe_error(run, "seats: %s", strerror(-err));
	nmi_source_start(run);
	err = map_contexts_attach(&state.contexts,
				  &(struct map_programs){ .task = state.skel->progs.task_hash,
							  .irq = state.skel->progs.irq_hash,
							  .nmi = state.skel->progs.nmi_hash },
				  run->ncpus);
	if (err)
		return probe_skip(run, "no raw tracepoint 'nmi_handler': '%s'", strerror(-err));
	if (!state.contexts.task || !state.contexts.irq[0])
		run->limits[0] = "no programs in tasks or in interrupts: system calls meet NMIs";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t ok[MAP_CONTEXTS] = { 0 }, refused = 0;

	for (uint32_t at = 0; at < MAP_SEAT(run->ncpus, 0); at++) {
		struct map_seat s = { 0 };

		bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.seats), &at, &s);
		ok[at % MAP_CONTEXTS] += s.hash_ok;
		refused += s.hash_refused;
	}
	probe_count(run, COUNT_NMI, ok[MAP_NMI]);
	probe_count(run, COUNT_IRQ, ok[MAP_IRQ]);
	probe_count(run, COUNT_TASK, ok[MAP_TASK]);
	probe_count(run, COUNT_REFUSED, refused);
}

static enum probe_result check(struct probe_run *run)
{
	map_contexts_detach(&state.contexts);
	map_settle(run->ncpus);
	sample(run);
	return map_judge(run, bpf_map__fd(state.skel->maps.hash), &map_hash);
}

static void teardown(struct probe_run *run)
{
	map_contexts_detach(&state.contexts);
	nmi_source_stop();
	bpf_nmi_hash__destroy(state.skel);
}

PROBE(bpf_nmi_hash) = {
	.name = "bpf-nmi-hash",
	.summary = "a BPF hash map is updated from NMIs over tasks and interrupts that update it",
	.hazards = LIST("bpf-hash-nmi-loss", "bpf-hash-nmi-deadlock"),
	.kconfig = LIST("CONFIG_BPF_SYSCALL=y", "CONFIG_BPF_EVENTS=y"),
	/* alloc_htab_elem runs under the bucket's lock. */
	.amplify = LIST("alloc_htab_elem", "__pcpu_freelist_pop", "___pcpu_freelist_pop*",
			"__pcpu_freelist_push"),
	.counters = LIST("nmi-hash-updates", "irq-hash-updates", "task-hash-updates", "refused"),
	.params = PARAMS(NMI_HZ_PARAM("25")),
	.min_cpus = 1,
	.duration_s = 15,
	.needs_nmi = true,
	.nmi_hz = 25, /* as nmi_user_read.c says */
	.by_name = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
