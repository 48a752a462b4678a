// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arms and disarms kprobes and kretprobes all over functions whose results are known, while all
 * CPUs call them.
 *
 * The functions are system calls and what they call. A table of calls is made once without probes
 * and must give the same results ever after: a kprobe's instruction is stepped over in a slot of
 * its own or, if it is a jump or a call, emulated. 5.13 emulated jle and jg wrongly and let a call
 * through a register return behind the next instruction, so the probe looks for such bytes and puts
 * two thirds of the probes there; the kernel refuses those that are in the middle of an
 * instruction. It begins with calls whose result the next instruction keeps: without it the result
 * is another one, and the kernel lives on. The others go to any offset. The optimiser, which
 * replaces int3s by jumps, is switched on and off meanwhile. Once a result is wrong, the probes
 * that are armed are tried one by one.
 *
 * A kprobe and a kretprobe that stay must count each call of theirs or report it as missed.
 */
#include "probes/lib/dynprobe.h"
#include "probes/lib/kbranch.h"
#include "probes/lib/known_calls.h"
#include "probes/lib/ktext.h"
#include "probes/lib/probe.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 32 /* probes that come and go, a CPU */
#define SLOTS 8
#define LEFT 8 /* remembered after they went, a CPU */
#define FUNCTIONS_MAX 192
#define BRANCHES_MAX 768
#define OFFSET_TRIES 16           /* refused offsets in a row: another flip, then */
#define NAP_US 1500               /* at most */
#define BURST 16                  /* calls between two naps */
#define OPTIMISE_ONE_IN 16        /* flips */
#define COUNTS_PER_CPU_SINCE 4012 /* kprobe hits were one plain counter for all CPUs before */

enum counter { COUNT_FLIPS_HIT, COUNT_FLIPS, COUNT_BRANCHES, COUNT_CALLS, COUNT_STAYING };

/* What they call, by the names of several kernels. */
static const char *const inner[] = {
	"do_proc_dointvec_minmax_conv",
	"__do_proc_dointvec",
	"do_readlinkat",
	"do_epoll_create",
	"proc_put_long",
	"proc_get_long",
	"groups_to_user",
	"vfs_setpos",
	"generic_file_llseek_size",
	"do_prlimit",
	"do_sysinfo",
	"do_faccessat",
	"do_sched_setscheduler",
	"do_sigaltstack",
	"cap_validate_magic",
	"do_getitimer",
	"do_eventfd",
	"ep_alloc",
	"do_proc_douintvec_minmax_conv",
	"user_statfs",
	"proc_do_int_conv",
	"do_pipe2",
	"vfs_readlink",
};
#define INNER (sizeof(inner) / sizeof(*inner))

struct seat {
	uint64_t rand, calls, staying, flips, flips_hit, branches, refused;
	struct slot {
		int fd; /* PMU: the event */
		bool on;
		struct dyn_site site;
		enum kbranch_kind kind;
	} slot[SLOTS_MAX];
	struct slot left[LEFT]; /* those that went last: their work may be seen only now */
	unsigned nleft;
} __attribute__((aligned(64)));

static struct {
	struct probe_run *run;
	struct seat seats[WIRE_CPUS_MAX];
	unsigned slots; /* in use, a CPU */
	struct ktext_function functions[FUNCTIONS_MAX];
	struct kbranch branches[BRANCHES_MAX];
	unsigned nfunctions, nbranches;
	unsigned cursor;               /* through the branches: none is left out */
	int pmu;                       /* negative: none */
	struct kprobe_site stay, back; /* at the same call */
	bool has_back;
	struct kprobe_counts stay_before, back_before;
	int wrong; /* 1 + the first call that gave something else */
	long wrong_got;
} state = { .stay = { .name = "stay" }, .back = { .name = "back" } };

static uint64_t total(size_t field)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < state.run->ncpus; i++)
		sum += __atomic_load_n((uint64_t *)((char *)&state.seats[i] + field),
				       __ATOMIC_RELAXED);
	return sum;
}

#define TOTAL(field) total(offsetof(struct seat, field))
#define COUNT(what) __atomic_store_n(&(what), (what) + 1, __ATOMIC_RELAXED)

static void nap(uint64_t *rand)
{
	nanosleep(&(struct timespec){ .tv_nsec = rand_next(rand) % NAP_US * 1000 }, NULL);
}

/* --- calls ------------------------------------------------------------------------------- */

static void call_check(unsigned i, unsigned cpu)
{
	long got = 0;
	int none = 0;

	if (!known_check(i, cpu, &got) &&
	    __atomic_compare_exchange_n(&state.wrong, &none, -1, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED)) {
		state.wrong_got = got;
		__atomic_store_n(&state.wrong, 1 + i, __ATOMIC_RELEASE);
	}
	COUNT(state.seats[cpu].calls);
}

static void burst(unsigned cpu)
{
	struct seat *seat = &state.seats[cpu];

	for (int i = 0; i < BURST; i++) {
		call_check(rand_next(&seat->rand) % known_count(), cpu);
		if (i % 4)
			continue;
		syscall(SYS_getppid);
		COUNT(seat->staying);
	}
}

/* --- probes that come and go ------------------------------------------------------------- */

static struct kbranch *site_branch(struct dyn_site *site)
{
	for (unsigned i = 0; i < state.nbranches; i++) {
		unsigned at = __atomic_fetch_add(&state.cursor, 1, __ATOMIC_RELAXED);
		struct kbranch *b = &state.branches[at % state.nbranches];

		if (__atomic_load_n(&b->refused, __ATOMIC_RELAXED))
			continue;
		site->target = state.functions[b->function].name;
		site->offset = b->offset;
		return b;
	}
	return NULL;
}

static void site_anywhere(struct dyn_site *site, uint64_t *rand)
{
	uint64_t r = rand_next(rand);
	const struct ktext_function *f = &state.functions[r % state.nfunctions];

	site->target = f->name;
	site->ret = (r >> 32) % 4 == 0;
	site->offset = site->ret || (r >> 34) % 8 == 0 ? 0 : (r >> 40) % f->size;
}

static void slot_name(char *buf, size_t size, unsigned cpu, unsigned slot)
{
	text_format(buf, size, "go%u_%u", cpu, slot);
}

static int event_arm(unsigned cpu, unsigned slot, const struct dyn_site *site)
{
	struct kprobe_site event;
	char name[16];
	int err;

	slot_name(name, sizeof(name), cpu, slot);
	event = (struct kprobe_site){ .name = name };
	err = dyn_event_define(name, site);
	if (!err)
		err = kprobe_site_enable(&event, true);
	if (err)
		dyn_event_remove(name, DYN_KPROBE);
	return err;
}

static int slot_arm(unsigned cpu, unsigned slot, const struct dyn_site *site)
{
	struct dyn_scope scope = { .pid = -1, .cpu = cpu };
	struct slot *s = &state.seats[cpu].slot[slot];
	int err = 0;

	if (state.pmu < 0)
		err = event_arm(cpu, slot, site);
	else
		s->fd = dyn_perf_open(state.pmu, site, scope);
	if (state.pmu >= 0 && s->fd < 0)
		err = s->fd;
	s->site = *site;
	s->on = !err;
	return err;
}

static void slot_disarm(unsigned cpu, unsigned slot)
{
	struct kprobe_site event;
	char name[16];

	if (!state.seats[cpu].slot[slot].on)
		return;
	state.seats[cpu].slot[slot].on = false;
	if (state.pmu >= 0) {
		close(state.seats[cpu].slot[slot].fd);
		return;
	}
	slot_name(name, sizeof(name), cpu, slot);
	event = (struct kprobe_site){ .name = name };
	kprobe_site_enable(&event, false);
	dyn_event_remove(name, DYN_KPROBE);
}

/* One probe somewhere; most offsets are in the middle of an instruction and refused at once. */
static bool slot_arm_somewhere(unsigned cpu, unsigned slot, uint64_t *rand)
{
	for (int i = 0; i < OFFSET_TRIES; i++) {
		struct dyn_site site = { .kind = DYN_KPROBE };
		struct kbranch *b = NULL;

		if (state.nbranches && rand_next(rand) % 3)
			b = site_branch(&site);
		if (!b)
			site_anywhere(&site, rand);
		state.seats[cpu].slot[slot].kind = b ? b->kind : KBRANCH_NONE;
		if (!slot_arm(cpu, slot, &site)) {
			if (b)
				COUNT(state.seats[cpu].branches);
			return true;
		}
		if (b)
			__atomic_store_n(&b->refused, true, __ATOMIC_RELAXED);
		COUNT(state.seats[cpu].refused);
	}
	return false;
}

static void flip_once(unsigned cpu, uint64_t *rand)
{
	struct seat *seat = &state.seats[cpu];
	unsigned slot = rand_next(rand) % state.slots;
	uint64_t before = TOTAL(calls);

	if (seat->slot[slot].on) {
		seat->left[seat->nleft++ % LEFT] = seat->slot[slot];
		slot_disarm(cpu, slot);
	} else if (!slot_arm_somewhere(cpu, slot, rand))
		return;
	COUNT(seat->flips);
	if (TOTAL(calls) != before)
		COUNT(seat->flips_hit);
}

/* A thread of its own: arming waits for RCU, and who waits does not call. */
static void *flipper_main(void *arg)
{
	unsigned cpu = (struct seat *)arg - state.seats;
	uint64_t rand = ~(state.run->seed + cpu) * 2 + 1;

	while (!probe_stopped(state.run) && !__atomic_load_n(&state.wrong, __ATOMIC_RELAXED)) {
		flip_once(cpu, &rand);
		if (cpu == 0 && rand_next(&rand) % OPTIMISE_ONE_IN == 0)
			file_write("/proc/sys/debug/kprobes-optimization",
				   rand_next(&rand) % 2 ? "1\n" : "0\n");
		nap(&rand);
	}
	return NULL;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct seat *seat = &state.seats[cpu];
	pthread_t flipper;
	bool flips = !pthread_create(&flipper, NULL, flipper_main, seat);

	seat->rand = (run->seed + cpu) * 2 + 1;
	while (!probe_stopped(run) && !__atomic_load_n(&state.wrong, __ATOMIC_RELAXED)) {
		burst(cpu);
		nap(&seat->rand);
	}
	if (flips)
		pthread_join(flipper, NULL);
}

/* --- setup ------------------------------------------------------------------------------- */

static void branches_find(struct probe_run *run)
{
	int n = kbranch_find(state.functions, state.nfunctions, run->seed, state.branches,
			     BRANCHES_MAX);

	if (n < 0)
		run->limits[0] = "neither /proc/kcore (CONFIG_PROC_KCORE) nor a kprobe shows the "
				 "kernel's text: where jumps and calls are is not known";
	state.nbranches = n < 0 ? 0 : n;
}

static enum probe_result functions_find(struct probe_run *run)
{
	static const char *names[KNOWN_CALLS_MAX + INNER + 1];
	unsigned n = 0;
	int found;

	for (unsigned i = 0; i < INNER; i++)
		names[n++] = inner[i];
	for (unsigned i = 0; i < known_count(); i++)
		names[n++] = known_name(i);
	found = ktext_find(names, state.functions, FUNCTIONS_MAX);
	if (found <= 0)
		return probe_skip(run, "CONFIG_KALLSYMS is off: no function is known by name");
	state.nfunctions = found;
	branches_find(run);
	return PROBE_PASS;
}

/* The site must be on the path of every call, exactly once. */
static bool stay_accepts(const struct kprobe_site *site)
{
	struct kprobe_counts a, b;

	if (kprobe_site_counts(site, &a))
		return false;
	for (int i = 0; i < 8; i++)
		syscall(SYS_getppid);
	return !kprobe_site_counts(site, &b) && b.hits - a.hits == 8;
}

static enum probe_result staying_arm(struct probe_run *run)
{
	static const char *const symbols[] = { "__x64_sys_getppid", "__do_sys_getppid",
					       "sys_getppid", "SyS_getppid", NULL };
	struct dyn_site back = { .kind = DYN_KPROBE, .ret = true };

	if (kprobe_site_find(&state.stay, symbols, stay_accepts))
		return probe_skip(run, "no kprobe: the kernel takes none behind getppid's entry");
	back.target = state.back.symbol = state.stay.symbol;
	state.has_back = !dyn_event_define(state.back.name, &back) &&
			 !kprobe_site_enable(&state.back, true) && stay_accepts(&state.back);
	if (!state.has_back)
		run->limits[1] = "no kretprobe at getppid: returns are not counted";
	return PROBE_PASS;
}

static unsigned branches_kept(void)
{
	unsigned n = 0;

	while (n < state.nbranches && state.branches[n].kind == KBRANCH_CALL_KEPT)
		n++;
	return n;
}

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r;

	state.run = run;
	state.slots = probe_param(run, 0, SLOTS);
	if (kprobe_missing())
		return probe_skip(run, "%s", kprobe_missing());
	tracefs_write("tracing_on", "0\n");         /* the hits count, not their records */
	tracefs_write("options/record-cmd", "0\n"); /* or each event patches the scheduler */
	state.pmu = dyn_pmu_type(DYN_KPROBE);
	run->rung = state.pmu < 0 ? "tracefs" : "perf";
	r = known_learn() ? probe_error(run, "no thread to learn with") : PROBE_PASS;
	if (r == PROBE_PASS)
		r = functions_find(run);
	if (r == PROBE_PASS)
		r = staying_arm(run);
	if (r != PROBE_PASS)
		return r;
	if (kprobe_site_counts(&state.stay, &state.stay_before) ||
	    (state.has_back && kprobe_site_counts(&state.back, &state.back_before)))
		return probe_error(run, "no line for a probe of ours in 'kprobe_profile'");
	probe_note("%u functions, %u places where jle, jg or an indirect call may be, %u of them "
		   "calls whose result is kept",
		   state.nfunctions, state.nbranches, branches_kept());
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	probe_count(run, COUNT_FLIPS_HIT, TOTAL(flips_hit));
	probe_count(run, COUNT_FLIPS, TOTAL(flips));
	probe_count(run, COUNT_BRANCHES, TOTAL(branches));
	probe_count(run, COUNT_CALLS, TOTAL(calls));
	probe_count(run, COUNT_STAYING, TOTAL(staying));
}

static enum probe_result staying_check(struct probe_run *run, const struct kprobe_site *site,
				       const struct kprobe_counts *before, const char *what)
{
	uint64_t made = TOTAL(staying);
	struct kprobe_counts now;

	if (kprobe_site_counts(site, &now))
		return probe_error(run, "a probe of ours is gone from 'kprobe_profile'");
	now.hits -= before->hits;
	now.missed -= before->missed;
	if (kernel_version() < COUNTS_PER_CPU_SINCE ||
	    (now.hits <= made && !kprobe_counts_lost(made, &now, run->ncpus)))
		return PROBE_PASS;
	return probe_fail(run,
			  FAIL_LOST_EVENTS "%llu calls, but %llu hits of a %s and %llu reported "
					   "misses",
			  (unsigned long long)made, (unsigned long long)now.hits, what,
			  (unsigned long long)now.missed);
}

/* Does the call go wrong with this probe alone? */
static bool guilty(const struct slot *suspect, unsigned call)
{
	bool wrong = false;
	long got;

	if (slot_arm(0, 0, &suspect->site))
		return false;
	for (int i = 0; i < 4 && !wrong; i++)
		wrong = !known_check(call, 0, &got);
	slot_disarm(0, 0);
	return wrong;
}

static unsigned suspects_take(const struct slot *from, unsigned n, struct slot *ret)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		if (from[i].on)
			ret[taken++] = from[i];
	return taken;
}

/* Try the probes that were armed, or had just left, one by one; all are gone afterwards. */
static bool culprit_find(struct probe_run *run, unsigned call, struct slot *ret)
{
	static struct slot suspects[WIRE_CPUS_MAX * (SLOTS_MAX + LEFT)];
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		const struct seat *seat = &state.seats[cpu];

		n += suspects_take(seat->slot, state.slots, suspects + n);
		n += suspects_take(seat->left, LEFT, suspects + n);
		for (unsigned i = 0; i < state.slots; i++)
			slot_disarm(cpu, i);
	}
	for (unsigned i = 0; i < n; i++)
		if (guilty(&suspects[i], call)) {
			*ret = suspects[i];
			return true;
		}
	return false;
}

static enum probe_result wrong_tell(struct probe_run *run, unsigned call)
{
	struct slot culprit;

	if (!culprit_find(run, call, &culprit))
		return probe_fail(run,
				  FAIL_CORRUPTION "%s gave %ld instead of %ld while probes came "
						  "and went (entry %u of the calls)",
				  known_name(call), state.wrong_got, known_want(call), call);
	return probe_fail(run,
			  FAIL_CORRUPTION "%s gave %ld instead of %ld with a %s at %s of %s+0x%llx",
			  known_name(call), state.wrong_got, known_want(call),
			  culprit.site.ret ? "kretprobe" : "kprobe", kbranch_name(culprit.kind),
			  culprit.site.target, (unsigned long long)culprit.site.offset);
}

static enum probe_result check(struct probe_run *run)
{
	enum probe_result r;

	sample(run);
	probe_note("%llu offsets refused", (unsigned long long)TOTAL(refused));
	if (state.wrong > 0)
		return wrong_tell(run, state.wrong - 1);
	r = staying_check(run, &state.stay, &state.stay_before, "kprobe");
	if (r == PROBE_PASS && state.has_back)
		r = staying_check(run, &state.back, &state.back_before, "kretprobe");
	if (r == PROBE_PASS && !TOTAL(flips))
		return probe_error(run, "no probe could be armed, %llu tries",
				   (unsigned long long)TOTAL(refused));
	return r;
}

static void teardown(struct probe_run *run)
{
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		for (unsigned i = 0; i < state.slots; i++)
			slot_disarm(cpu, i);
	kprobe_site_remove(&state.back);
	kprobe_site_remove(&state.stay);
	known_forget();
	file_write("/proc/sys/debug/kprobes-optimization", "1\n");
}

PROBE(kprobe_churn) = {
	.name = "kprobe-churn",
	.summary = "kprobes and kretprobes come and go all over functions that must give the same",
	.hazards = LIST("kprobe-jle-emulation", "kprobe-indirect-call-emulation"),
	.kconfig = LIST("CONFIG_KPROBES=y", "CONFIG_KALLSYMS=y"),
	.amplify = LIST("kprobe_int3_handler", "kprobe_ftrace_handler", "arm_kprobe",
			"disarm_kprobe", "pre_handler_kretprobe", "__kretprobe_trampoline_handler",
			"rethook_trampoline_handler", "kprobe_optimizer", "optimized_callback"),
	.counters = LIST("flips-while-hit", "flips", "branch-probes", "calls", "staying-calls"),
	.params = PARAMS({ "slots", "kprobes that come and go, a CPU (8)", 1, SLOTS_MAX }),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
