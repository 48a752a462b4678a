// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads user memory from NMIs while every CPU allocates and frees vmalloc areas.
 *
 * A profiler's BPF program does this at each sample. On kernels with 0aef499f3172 and without
 * d319f344561d the copy looks the destination's vmalloc area up under a spin lock; an NMI that
 * lands on the lock's holder never returns. So: the destination is a big array map, which is
 * vmalloc memory, and a worker on each CPU holds that lock as often as it can
 * (lib/vmalloc_churn.h).
 *
 * The bytes that an NMI read in one of our threads must be the bytes that we wrote.
 */
#include "probes/lib/nmi_source.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"
#include "probes/lib/vmalloc_churn.h"
#include "probes/nmi_user_read.h"
#include "nmi_user_read.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum param { PARAM_NMI_HZ, PARAM_INTO };
enum counter { COUNT_READS, COUNT_FAULTS, COUNT_COMPARED, COUNT_WRONG, COUNT_CHURN };

static struct {
	struct nmi_user_read *skel;
	int slots_fd;
	uint64_t *words; /* one page of user memory */
	struct {
		struct vmalloc_churn of;
	} __attribute__((aligned(64))) churn[WIRE_CPUS_MAX];
	uint64_t wrong, compared;
} state;

static void worker(struct probe_run *run, unsigned cpu)
{
	struct vmalloc_churn *churn = &state.churn[cpu].of;

	vmalloc_churn_open(churn);
	while (!probe_stopped(run))
		vmalloc_churn_round(churn, run);
	vmalloc_churn_close(churn);
}

static int arm_slots(const struct probe_run *run)
{
	struct nmi_slot slot = {
		.user_addr = (uintptr_t)state.words,
		.tgid = getpid(),
		.into = probe_param(run, PARAM_INTO, NMI_INTO_ALL),
	};

	for (uint32_t cpu = 0; cpu < NMI_SLOTS; cpu++)
		if (bpf_map_update_elem(state.slots_fd, &cpu, &slot, BPF_ANY))
			return -errno;
	return 0;
}

static enum probe_result words_make(struct probe_run *run)
{
	state.words = user_page_make();
	if (!state.words)
		return probe_error(run, "mmap: %s", strerror(errno));
	for (int i = 0; i < NMI_WORDS; i++)
		state.words[i] = NMI_WORD(i);
	return PROBE_PASS;
}

static enum probe_result program_start(struct probe_run *run)
{
	bool has_ring;
	int err;

	state.skel = nmi_user_read__open();
	if (!state.skel)
		return probe_error(run, "BPF object: %s", strerror(errno));
	has_ring = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	bpf_map__set_autocreate(state.skel->maps.ring, has_ring);
	bpf_program__set_autoload(state.skel->progs.read_user_to_ring, has_ring);
	if (!has_ring)
		run->limits[1] = "no BPF ring buffers: nothing is read into them";
	err = nmi_user_read__load(state.skel);
	if (err)
		return probe_skip(run,
				  "CONFIG_BPF_EVENTS is off or the kernel is older than 4.17: "
				  "loading a raw tracepoint program says '%s'",
				  strerror(-err));
	state.slots_fd = bpf_map__fd(state.skel->maps.slots);
	err = arm_slots(run);
	if (err)
		return probe_error(run, "slots: %s", strerror(-err));
	err = nmi_user_read__attach(state.skel);
	if (err)
		return probe_skip(run, "no raw tracepoint 'nmi_handler': '%s'", strerror(-err));
	return PROBE_PASS;
}

static enum probe_result setup(struct probe_run *run)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	enum probe_result r;
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* BPF memory counts as locked below 5.11 */
	err = vmalloc_churn_setup();
	if (err == -ENOSYS)
		return probe_skip(run, "CONFIG_BPF_SYSCALL is off: bpf(2) says ENOSYS");
	if (err)
		return probe_skip(run, "no BPF maps: bpf(2) says '%s'", strerror(-err));
	r = words_make(run);
	if (r == PROBE_PASS)
		r = program_start(run);
	if (r != PROBE_PASS)
		return r;
	run->rung = access("/sys/kernel/btf/vmlinux", R_OK) ? "bpf" : "bpf+btf";
	nmi_source_start(run);
	if (access("/proc/vmallocinfo", R_OK))
		run->limits[0] = "no /proc/vmallocinfo: its readers do not churn";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t reads = 0, faults = 0, own = 0, wrong = 0, churn = 0;
	struct nmi_slot slot;

	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++) {
		churn += __atomic_load_n(&state.churn[cpu].of.rounds, __ATOMIC_RELAXED);
		if (bpf_map_lookup_elem(state.slots_fd, &cpu, &slot))
			continue;
		reads += slot.reads;
		faults += slot.faults;
		own += slot.own;
		wrong += slot.wrong;
	}
	probe_count(run, COUNT_READS, reads);
	probe_count(run, COUNT_FAULTS, faults);
	probe_count(run, COUNT_COMPARED, own);
	probe_count(run, COUNT_WRONG, wrong);
	probe_count(run, COUNT_CHURN, churn);
	state.compared = own;
	state.wrong = wrong;
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	if (state.wrong)
		return probe_fail(
			run,
			FAIL_CORRUPTION "%llu of %llu reads gave other bytes than were written",
			(unsigned long long)state.wrong, (unsigned long long)state.compared);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	nmi_source_stop();
	nmi_user_read__destroy(state.skel);
}

PROBE(nmi_user_read) = {
	.name = "nmi-user-read",
	.summary = "BPF reads user memory in NMIs while every CPU churns vmalloc areas",
	.hazards = LIST("nmi-user-read-deadlock"),
	.kconfig = LIST("CONFIG_BPF_SYSCALL=y", "CONFIG_BPF_EVENTS=y"),
	.amplify = LIST("find_vmap_area", "__find_vmap_area", "find_vmap_area_exceed_addr*",
			"alloc_vmap_area", "free_vmap_area*", "insert_vmap_area*",
			"check_heap_object", "__check_object_size", "s_show"),
	.counters = LIST("nmi-user-reads", "faults", "compared", "wrong", "churn-rounds"),
	.params = PARAMS(NMI_HZ_PARAM("25"),
			 { "into", "1 stack, 2 per-CPU array, 4 ring buffer, beside an array (7, all)",
			   1, NMI_INTO_ALL }),
	.min_cpus = 1,
	.duration_s = 15,
	.needs_nmi = true,
	/* Each NMI that nobody claims is printed on the console, by every CPU: 200 a second made a
	 * 4-CPU guest print without end and starved its heartbeats for 9 s. */
	.nmi_hz = 25,
	.proves_engine = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
