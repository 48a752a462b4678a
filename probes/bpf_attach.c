// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attaches and detaches BPF programs of every kind while others of their kind run on all CPUs.
 *
 * Some programs stay for the whole run; each counts the calls that the workers make, and each call
 * must be one run or one miss that the kernel reports. Others come and go: from the return of an
 * attachment to its end, each call of the attaching thread must be one run, no less and no more.
 * Three modes ride along:
 *
 *	an int3 kprobe with a program (5.8 to 5.10 skipped it silently, 548f1191d86c)
 *	a raw tracepoint on lock contention whose program takes a contended lock: it must not enter
 *		itself (05b24ff9b2cf)
 *	kprobes on functions that the way into a trap runs through: refused, or survived
 *
 * Where every instruction is emulated, a program comes only where few others run: stale
 * translations of patched code look like a kernel's fault (see text_poke.c).
 *
 * What stays and is judged at the end is in this file, what comes and goes in lib/attach_come.c,
 *the calls that make them run in lib/attach_calls.c.
 */
#include "probes/bpf_attach.h"
#include "bpf_attach.skel.h"
#include "probes/lib/attach_calls.h"
#include "probes/lib/attach_come.h"
#include "probes/lib/bpf_load.h"
#include "probes/lib/engine.h"
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NAP_US 500
#define NAP_US_EMULATED 4000
#define TICK_US 2000
#define TICK_US_EMULATED 10000
#define SILENT_CALLS 256 /* of an int3, none of which ran its program: it never does */
#define SAMPLE_RATE "10000000\n" /* more faults between two ticks than a CPU can have */

enum counter { COUNT_ATTACHES, COUNT_CALLS, COUNT_REFUSED, COUNT_CONTENDED, COUNT_MISSED };

static struct {
	struct bpf_attach *skel;
	struct attach_slot *slots; /* mapped, or NULL below 5.5 */
	bool has_btf, emulated;
	struct attach_come come;
	struct bpf_link *stay[COME_FENTRY], *contend, *print, *tick[WIRE_CPUS_MAX];
	struct kprobe_site trap;
	struct kprobe_counts before;
	struct attach_seat seat[WIRE_CPUS_MAX];
	uint64_t missed;
	unsigned limits;
} state = { .trap = { .name = "attach" } };

/* Without the map in our memory a look at it is a system call, during which kernels below 5.5 run
 * no program on this CPU; no other thread of ours is there to lose one. */
static struct attach_slot slot_read(uint32_t cpu)
{
	struct attach_slot slot = { 0 };

	if (state.slots)
		return *(volatile struct attach_slot *)&state.slots[cpu];
	bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.slots), &cpu, &slot);
	return slot;
}

static uint64_t slot_runs(uint32_t cpu, enum attach_program which)
{
	return slot_read(cpu).runs[which];
}

static void slot_take(uint32_t cpu)
{
	struct attach_slot slot = { .pgid = attach_pgid,
				    .sid = attach_sid,
				    .tid = syscall(SYS_gettid) };

	if (!state.slots) {
		bpf_map_update_elem(bpf_map__fd(state.skel->maps.slots), &cpu, &slot, BPF_ANY);
		return;
	}
	state.slots[cpu].pgid = slot.pgid;
	state.slots[cpu].sid = slot.sid;
	__atomic_store_n(&state.slots[cpu].tid, slot.tid, __ATOMIC_RELEASE);
}

/* Functions on the way into every trap or interrupt: a probe there that is not refused may trap on
 * its own way in, over and over. The first two run for nohz_full= only, so that their text is cold;
 * others are left alone where every instruction is emulated. */
static void entry_sites_try(struct attach_seat *seat)
{
	static const char *const names[] = { "__rcu_irq_enter_check_tick",
					     "rcu_irq_enter_check_tick",
					     "rcu_nmi_enter",
					     "ct_nmi_enter",
					     "do_int3",
					     "exc_int3" };

	bool refused = true;

	for (int i = 0; i < (state.emulated ? 2 : 6); i++)
		for (size_t offset = 0; offset < 16; offset++) {
			LIBBPF_OPTS(bpf_kprobe_opts, opts, .offset = offset);
			struct bpf_link *link = bpf_program__attach_kprobe_opts(
				state.come.programs[PROGRAM_KPROBE], names[i], &opts);

			if (!link)
				continue;
			refused = false;
			probe_note("a kprobe at %s+%zu is not refused", names[i], offset);
			attach_calls_burst(seat);
			bpf_link__destroy(link);
		}
	if (refused)
		probe_note("kprobes on the way into a trap: refused, or no such functions");
}

static void seat_faults_start(struct attach_seat *seat)
{
	seat->fault_fd = attach_fault_open(false);
	if (seat->fault_fd < 0)
		return;
	if (ioctl(seat->fault_fd, PERF_EVENT_IOC_SET_BPF,
		  bpf_program__fd(state.skel->progs.stay_fault)) ||
	    ioctl(seat->fault_fd, PERF_EVENT_IOC_ENABLE, 0)) {
		close(seat->fault_fd);
		seat->fault_fd = -1;
	}
}

/* The kernel counted the faults itself; the program must have seen them all. */
static void seat_faults_judge(struct attach_seat *seat, uint32_t cpu)
{
	uint64_t count = 0, runs, missed = attach_misses(state.skel->progs.stay_fault);

	if (seat->fault_fd < 0 || ioctl(seat->fault_fd, PERF_EVENT_IOC_DISABLE, 0) ||
	    read(seat->fault_fd, &count, sizeof(count)) != sizeof(count))
		return;
	runs = slot_read(cpu).runs[STAY_FAULT];
	if (runs > count)
		attach_found(FAIL_CORRUPTION "program stay_fault: %llu events, %llu runs",
			     (unsigned long long)count, (unsigned long long)runs);
	if (runs + missed < count || count < seat->calls[CALL_FAULT])
		attach_found(
			FAIL_LOST_EVENTS
			"program stay_fault: %llu faults made, %llu events, %llu runs, %llu misses",
			(unsigned long long)seat->calls[CALL_FAULT], (unsigned long long)count,
			(unsigned long long)runs, (unsigned long long)missed);
	close(seat->fault_fd);
}

static void nested_judge(const struct attach_slot *slot)
{
	if (slot->nested)
		attach_found(FAIL_CORRUPTION "a program that lock:contention_begin runs entered "
					     "itself %llu times in %llu",
			     (unsigned long long)slot->nested,
			     (unsigned long long)slot->contended);
}

/* What is certain at once need not wait for the end: the exposure is what it took. */
static void seat_judge_soon(const struct attach_seat *seat, uint32_t cpu)
{
	struct attach_slot slot = slot_read(cpu);
	struct kprobe_counts now;

	nested_judge(&slot);
	if (!state.stay[STAY_KPROBE] || slot.runs[STAY_KPROBE] ||
	    seat->calls[CALL_GETUID] < SILENT_CALLS)
		return;
	if (!kprobe_site_counts(&state.trap, &now) && now.missed == state.before.missed)
		attach_found(FAIL_LOST_EVENTS "program stay_kprobe: %llu calls, no runs, no "
					      "reported misses",
			     (unsigned long long)seat->calls[CALL_GETUID]);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	uint64_t rand = (run->seed + cpu) * 2 + 1;
	struct attach_seat *seat = &state.seat[cpu];
	struct timespec nap = { 0 };

	slot_take(cpu);
	seat_faults_start(seat);
	if (cpu == 0)
		entry_sites_try(seat);
	while (!probe_stopped(run) && !attach_finding()) {
		attach_calls_burst(seat);
		seat_judge_soon(seat, cpu);
		attach_come_once(&state.come, seat, cpu, &rand);
		nap.tv_nsec = rand_next(&rand) % (state.emulated ? NAP_US_EMULATED : NAP_US) * 1000;
		nanosleep(&nap, NULL);
	}
	seat_faults_judge(seat, cpu);
}

static bool has_function(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_FENTRY) > 0;
}

static bool has_contention(void)
{
	char path[128];

	text_format(path, sizeof(path), "%s/events/lock/contention_begin", tracefs_root() ?: "");
	return access(path, F_OK) == 0;
}

static int skeleton_load(bool tracing)
{
	struct bpf_attach *skel = bpf_attach__open();
	int err;

	if (!skel)
		return -errno;
	state.skel = skel;
	if (kernel_version() >= 5005)
		bpf_map__set_map_flags(skel->maps.slots, BPF_F_MMAPABLE);
	/* A kernel below 5.9 that loads a program which prints fills a screen with a warning. */
	bpf_program__set_autoload(skel->progs.contend, has_contention());
	bpf_program__set_autoload(skel->progs.print, has_contention());
	bpf_program__set_autoload(skel->progs.stay_fentry, tracing);
	bpf_program__set_autoload(skel->progs.stay_fexit, tracing);
	bpf_program__set_autoload(skel->progs.come_fentry, tracing);
	bpf_program__set_autoload(skel->progs.come_fexit, tracing);
	bpf_program__set_autoload(skel->progs.cold_fentry, tracing);
	bpf_program__set_autoload(skel->progs.cold_fexit, tracing);
	err = bpf_attach__load(skel);
	if (!err)
		return 0;
	bpf_attach__destroy(skel);
	state.skel = NULL;
	return err;
}

static enum probe_result programs_load(struct probe_run *run)
{
	int err = -ENOENT;

	state.has_btf = has_function("__x64_sys_getpgid") && has_function("__x64_sys_getsid");
	if (state.has_btf)
		err = skeleton_load(true);
	if (err)
		probe_note("no fentry: %s",
			   state.has_btf ? strerror(-err) : "BTF lacks the functions");
	if (err) {
		state.has_btf = false;
		err = skeleton_load(false);
	}
	return err ? bpf_load_skip(run, err) : PROBE_PASS;
}

static void come_name(void)
{
	struct bpf_program **p = state.come.programs;

	p[PROGRAM_COLD_FENTRY] = state.skel->progs.cold_fentry;
	p[PROGRAM_COLD_FEXIT] = state.skel->progs.cold_fexit;
	p[PROGRAM_HOT_FENTRY] = state.skel->progs.come_fentry;
	p[PROGRAM_HOT_FEXIT] = state.skel->progs.come_fexit;
	p[PROGRAM_KMULTI] = state.skel->progs.come_kmulti;
	p[PROGRAM_KRETMULTI] = state.skel->progs.come_kretmulti;
	p[PROGRAM_KPROBE] = state.skel->progs.come_kprobe;
	p[PROGRAM_TP] = state.skel->progs.come_tp;
	p[PROGRAM_RAW_TP] = state.skel->progs.come_raw_tp;
	p[PROGRAM_FAULT] = state.skel->progs.come_fault;
	state.come.runs = slot_runs;
	state.come.cold_only = state.emulated;
}

static void slots_map(void)
{
	void *p = mmap(NULL, ATTACH_SLOTS * sizeof(struct attach_slot), PROT_READ | PROT_WRITE,
		       MAP_SHARED, bpf_map__fd(state.skel->maps.slots), 0);

	state.slots = p == MAP_FAILED ? NULL : p;
}

/* Each call of getuid must hit the site once. */
static bool trap_accepts(const struct kprobe_site *site)
{
	struct kprobe_counts a, b;

	if (kprobe_site_counts(site, &a))
		return false;
	for (int i = 0; i < ATTACH_BURST; i++)
		syscall(SYS_getuid);
	return !kprobe_site_counts(site, &b) && b.hits - a.hits == ATTACH_BURST;
}

static struct bpf_link *trap_attach(void)
{
	static const char *const symbols[] = { "__x64_sys_getuid", "__do_sys_getuid", "sys_getuid",
					       NULL };

	file_write("/proc/sys/debug/kprobes-optimization", "0\n");
	if (!tracefs_root() || kprobe_site_find(&state.trap, symbols, trap_accepts) ||
	    kprobe_site_counts(&state.trap, &state.before))
		return NULL;
	return bpf_program__attach_tracepoint(state.skel->progs.stay_kprobe, "klab",
					      state.trap.name);
}

static void stay_attach(struct probe_run *run)
{
	const char *names[] = { "__x64_sys_getegid" };
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = names, .cnt = 1);

	if (state.has_btf) {
		state.stay[STAY_FENTRY] = bpf_program__attach(state.skel->progs.stay_fentry);
		state.stay[STAY_FEXIT] = bpf_program__attach(state.skel->progs.stay_fexit);
	}
	state.stay[STAY_KMULTI] =
		bpf_program__attach_kprobe_multi_opts(state.skel->progs.stay_kmulti, NULL, &opts);
	state.stay[STAY_KPROBE] = trap_attach();
	state.stay[STAY_TP] =
		bpf_program__attach_tracepoint(state.skel->progs.stay_tp, "task", HOT_TRACEPOINT);
	state.stay[STAY_RAW_TP] =
		bpf_program__attach_raw_tracepoint(state.skel->progs.stay_raw_tp, HOT_TRACEPOINT);
	if (state.has_btf && !state.stay[STAY_FENTRY])
		probe_note("no fentry: attachment says '%s'", strerror(errno));
	if (state.has_btf && (!state.stay[STAY_FENTRY] || !state.stay[STAY_FEXIT]))
		state.has_btf = false;
	state.contend =
		bpf_program__attach_raw_tracepoint(state.skel->progs.contend, "contention_begin");
	state.print =
		bpf_program__attach_raw_tracepoint(state.skel->progs.print, "bpf_trace_printk");
}

/* The record has four places; the rest becomes notes. */
static void limit(struct probe_run *run, bool is, const char *what)
{
	if (is && state.limits < sizeof(run->limits) / sizeof(*run->limits))
		run->limits[state.limits++] = what;
	else if (is)
		probe_note("%s", what);
}

/* What is off here: it is not tried again, and the record says so. */
static void limits_name(struct probe_run *run)
{
	bool *gone = state.come.gone;

	gone[COME_FENTRY] = gone[COME_FEXIT] = !state.has_btf;
	gone[COME_KMULTI] = gone[COME_KRETMULTI] = !state.stay[STAY_KMULTI];
	gone[COME_TP] = !state.stay[STAY_TP];
	limit(run, !state.stay[STAY_KPROBE],
	      "no int3 kprobe with a program: CONFIG_KPROBE_EVENTS or tracefs is missing, or "
	      "getuid() takes none");
	limit(run, !state.contend,
	      "no program on lock:contention_begin: the kernel is older than 5.19, or has no "
	      "tracefs");
	limit(run, !state.has_btf,
	      "no fentry and fexit: CONFIG_DEBUG_INFO_BTF or CONFIG_BPF_JIT is off, or the kernel "
	      "is older than 5.5");
	limit(run, !state.stay[STAY_KMULTI],
	      "no kprobe.multi: CONFIG_FPROBE is off or the kernel is older than 5.18");
	limit(run, !state.stay[STAY_TP], "no programs on tracepoints: no tracefs");
	limit(run, state.emulated,
	      "emulated: programs come only to functions that nobody else calls");
}

static void ticks_start(struct probe_run *run)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000ull * probe_param(run, 0,
						       state.emulated ? TICK_US_EMULATED : TICK_US),
	};

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		int fd = perf_open(&attr, -1, cpu);

		if (fd < 0)
			return;
		state.tick[cpu] = bpf_program__attach_perf_event(state.skel->progs.tick, fd);
		if (!state.tick[cpu])
			close(fd);
	}
}

/* A kernel that thinks sampling too dear throttles it: events are counted then, but run no program.
 * The second file, at 0, keeps it from thinking, and from changing the first. */
static void throttle_off(void)
{
	file_write("/proc/sys/kernel/perf_event_max_sample_rate", SAMPLE_RATE);
	file_write("/proc/sys/kernel/perf_cpu_time_max_percent", "0\n");
}

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r;
	int err = attach_calls_init(state.seat, run->ncpus);

	if (err)
		return probe_error(run, "mmap: %s", strerror(-err));
	bpf_load_prepare();
	state.emulated = engine_emulates();
	r = programs_load(run);
	if (r != PROBE_PASS)
		return r;
	slots_map();
	come_name();
	throttle_off();
	tracefs_write("tracing_on", "0\n");
	stay_attach(run);
	limits_name(run);
	ticks_start(run);
	run->rung = state.has_btf ? "bpf+btf" : "bpf";
	if (!state.stay[STAY_RAW_TP])
		return probe_skip(run, "no raw tracepoint '" HOT_TRACEPOINT "'");
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	uint64_t attaches = 0, refused = 0, calls = 0, contended = 0;

	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++) {
		attaches += __atomic_load_n(&state.seat[cpu].attaches, __ATOMIC_RELAXED);
		refused += __atomic_load_n(&state.seat[cpu].refused, __ATOMIC_RELAXED);
		for (int i = 0; i < CALL__COUNT; i++)
			calls += __atomic_load_n(&state.seat[cpu].calls[i], __ATOMIC_RELAXED);
		if (state.slots)
			contended += state.slots[cpu].contended;
	}
	probe_count(run, COUNT_ATTACHES, attaches);
	probe_count(run, COUNT_CALLS, calls);
	probe_count(run, COUNT_REFUSED, refused);
	probe_count(run, COUNT_CONTENDED, contended);
	probe_count(run, COUNT_MISSED, state.missed);
}

static void stay_judge(struct probe_run *run, enum attach_program which,
		       const struct bpf_program *program, enum attach_target target,
		       uint64_t missed)
{
	unsigned long long calls = 0, runs = 0;

	if (!state.stay[which])
		return;
	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++) {
		calls += state.seat[cpu].calls[target];
		runs += slot_read(cpu).runs[which];
	}
	missed += attach_misses(program);
	state.missed += missed;
	if (runs > calls)
		attach_found(FAIL_CORRUPTION "program %s: %llu calls, %llu runs",
			     bpf_program__name(program), calls, runs);
	if (runs + missed < calls)
		attach_found(FAIL_LOST_EVENTS
			     "program %s: %llu calls, %llu runs, %llu reported misses",
			     bpf_program__name(program), calls, runs, (unsigned long long)missed);
}

static void slots_judge(struct probe_run *run)
{
	for (uint32_t cpu = 0; cpu < run->ncpus; cpu++) {
		struct attach_slot slot = slot_read(cpu);

		if (slot.wrong)
			attach_found(FAIL_CORRUPTION "fexit saw %llu results that are wrong",
				     (unsigned long long)slot.wrong);
		nested_judge(&slot);
	}
}

static enum probe_result check(struct probe_run *run)
{
	struct kprobe_counts now = state.before;
	bool told = state.stay[STAY_KPROBE] && !kprobe_site_counts(&state.trap, &now);

	stay_judge(run, STAY_FENTRY, state.skel->progs.stay_fentry, CALL_GETPGID, 0);
	stay_judge(run, STAY_FEXIT, state.skel->progs.stay_fexit, CALL_GETPGID, 0);
	stay_judge(run, STAY_KMULTI, state.skel->progs.stay_kmulti, CALL_GETEGID, 0);
	if (told) /* without the kernel's count of misses it would be no proof */
		stay_judge(run, STAY_KPROBE, state.skel->progs.stay_kprobe, CALL_GETUID,
			   now.missed - state.before.missed);
	stay_judge(run, STAY_TP, state.skel->progs.stay_tp, CALL_RENAME, 0);
	stay_judge(run, STAY_RAW_TP, state.skel->progs.stay_raw_tp, CALL_RENAME, 0);
	slots_judge(run);
	sample(run);
	return attach_finding() ? probe_fail(run, "%s", attach_finding()) : PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		bpf_link__destroy(state.tick[cpu]);
	bpf_link__destroy(state.contend);
	bpf_link__destroy(state.print);
	for (int i = 0; i < COME_FENTRY; i++)
		bpf_link__destroy(state.stay[i]);
	kprobe_site_remove(&state.trap);
	bpf_attach__destroy(state.skel);
}

PROBE(bpf_attach) = {
	.name = "bpf-attach",
	.summary = "BPF programs of every kind come and go while others run on all CPUs",
	.hazards = LIST("bpf-int3-kprobe-lost", "raw-tp-recursion", "kprobe-rcu-tick-overflow"),
	.kconfig = LIST("CONFIG_BPF_SYSCALL=y", "CONFIG_BPF_EVENTS=y"),
	.amplify = LIST("bpf_trampoline_update", "bpf_trampoline_link_prog",
			"__bpf_trampoline_link_prog", "__bpf_trampoline_unlink_prog",
			"__bpf_tramp_enter", "__bpf_tramp_exit", "modify_ftrace_direct*",
			"tracepoint_add_func", "tracepoint_remove_func",
			"perf_event_attach_bpf_prog", "perf_event_detach_bpf_prog",
			"unregister_fprobe", "fprobe_exit_handler"),
	.counters = LIST("checked-attaches", "calls", "refused", "contended", "missed"),
	.params = PARAMS({ "tick-us", "between two programs in interrupts, a CPU (2000, emulated 10000)",
			   100, 1000000 }),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
