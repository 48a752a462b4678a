// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switches function tracer, graph tracer, filters, events and triggers while a counted function and
 * a counted event are hit on all other CPUs.
 *
 * Each change of a filter patches calls in the kernel's text, swaps the hash that says who is
 * traced, and may send a function from one trampoline to another; each event that comes or goes
 * rewrites the list that its tracepoint walks. Whoever stays attached must not miss a call of it
 * (2.6.39 to 5.1 skipped calls while the call was being patched). The counted function is
 * getppid's, counted by a tracer in a ring buffer of its own and by a kprobe at its entry, which is
 * a call of ftrace too; the counted event is signal_generate with an ignored signal.
 *
 * What is flipped most are functions that nobody calls. What patches the counted function itself is
 * flipped while it is being called, except under an emulator, which keeps stale translations of
 * code that is patched while it runs (see text_poke.c): there the callers hold still for that long.
 */
#include "probes/lib/engine.h"
#include "probes/lib/ftrace_function.h"
#include "probes/lib/probe.h"
#include "probes/lib/trace_instance.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define COLD_MAX 24
#define CANDIDATES 4 /* names that getppid may have at once; the one that is called counts */
#define TRIAL_CALLS 32
#define BURST 32            /* calls between two naps */
#define SIGNAL_EVERY 8      /* calls */
#define NAP_US 1000         /* at most */
#define NAP_EMULATED_US 500 /* for each CPU: they share few host CPUs */
#define COUNT_KIB 64
#define NOISE_KIB 32
#define COUNTS_PER_CPU_SINCE 4012 /* kprobe hits were one plain counter for all CPUs before */
#define EVENT "events/signal/signal_generate"
#define EVENT_FILTER "sig==28" /* SIGWINCH: ignored unless somebody handles it */
#define EVENT_FILTER_TOO "sig==28&&sig!=0"

enum counter { COUNT_FLIPS_CALLED, COUNT_FLIPS, COUNT_CALLS, COUNT_SIGNALS };

enum flip {
	FLIP_COUNTED_FILTER, /* a cold function joins or leaves the counting tracer */
	FLIP_NOTRACE,
	FLIP_TRIGGER, /* of the counted event: one that never fires */
	FLIP_EVENT_FILTER,
	FLIP_TRACING_ON,
	FLIP_RESIZE,
	FLIP_NOISE_TRIGGER,
	/* From here on calls of the counted function or the counted event are patched. */
	FLIP_HOT,
	FLIP_EVENT = FLIP_HOT,
	FLIP_NOISE_FILTER, /* the counted function joins or leaves another tracer */
	FLIP_COMMAND,
	FLIP_TRACER,
	FLIP_GRAPH,
	FLIP__COUNT
};

/* Taking a tracer away waits for all tasks on preemptible kernels: half a second and more. */
static const unsigned flip_weight[FLIP__COUNT] = {
	[FLIP_COUNTED_FILTER] = 24, [FLIP_NOTRACE] = 4,    [FLIP_TRIGGER] = 4,
	[FLIP_EVENT_FILTER] = 4,    [FLIP_TRACING_ON] = 4, [FLIP_RESIZE] = 1,
	[FLIP_NOISE_TRIGGER] = 2,   [FLIP_EVENT] = 4,      [FLIP_NOISE_FILTER] = 4,
	[FLIP_COMMAND] = 1,         [FLIP_TRACER] = 1,     [FLIP_GRAPH] = 1,
};

struct caller {
	uint64_t calls, signals, rand;
	bool inside; /* in a burst */
} __attribute__((aligned(64)));

static struct {
	struct trace_instance counted, events, noise, top;
	struct kprobe_site entry;
	struct ftrace_function target, candidate[CANDIDATES], cold[COLD_MAX];
	unsigned cold_len, flipper, nap_us;
	bool cold_on[COLD_MAX], on[FLIP__COUNT], can[FLIP__COUNT];
	bool gated, gate, filtered;
	struct caller caller[WIRE_CPUS_MAX];
	uint64_t flips, called, failed;
	struct kprobe_counts entry_before;
	struct trace_counts counted_before, events_before;
} state = { .entry = { .name = "entry" } };

/* System calls that nothing here makes, and their names over time. */
static const char *const cold_calls[] = {
	"acct",      "chroot",      "delete_module", "ioperm",
	"getitimer", "personality", "quotactl",      "semget",
	"msgget",    "sethostname", "setdomainname", "swapoff",
	"swapon",    "vhangup",     "sysfs",         "sched_rr_get_interval",
	"mlockall",  "munlockall",  "getpgid",       "setregid",
	"setfsuid",  "setfsgid",    "syncfs",        "settimeofday",
};

static uint64_t calls_total(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
		sum += __atomic_load_n(&state.caller[cpu].calls, __ATOMIC_RELAXED);
	return sum;
}

static uint64_t signals_total(void)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++)
		sum += __atomic_load_n(&state.caller[cpu].signals, __ATOMIC_RELAXED);
	return sum;
}

static void function_meet(const char *name, unsigned index)
{
	static const char *const target[] = { "getppid" };
	int i = ftrace_function_call(name, target, 1) < 0 ? CANDIDATES : 0;

	for (; i < CANDIDATES; i++)
		if (!state.candidate[i].name[0])
			return ftrace_function_set(&state.candidate[i], name, index);
	i = ftrace_function_call(name, cold_calls, COLD_MAX);
	if (i >= 0 && !state.cold[i].name[0])
		ftrace_function_set(&state.cold[i], name, index);
}

static int functions_find(void)
{
	int err = ftrace_function_list(function_meet);

	for (unsigned i = 0; i < COLD_MAX; i++)
		if (state.cold[i].name[0])
			state.cold[state.cold_len++] = state.cold[i];
	return err ? err : state.candidate[0].name[0] ? 0 : -ENOENT;
}

/* A number may mean another function where a kernel counts otherwise than it lists. */
static void tokens_verify(void)
{
	static char text[4096];
	const struct ftrace_function *f = &state.candidate[0];
	bool same;

	if (ftrace_function_filter(&state.counted, "set_ftrace_filter", f, true))
		return;
	same = trace_instance_read(&state.counted, "set_ftrace_filter", text, sizeof(text)) > 0 &&
	       !strncmp(text, f->name, strlen(f->name));
	ftrace_function_filter(&state.counted, "set_ftrace_filter", f, false);
	if (same)
		return;
	for (unsigned i = 0; i < CANDIDATES && state.candidate[i].name[0]; i++)
		ftrace_function_by_name(&state.candidate[i]);
	for (unsigned i = 0; i < state.cold_len; i++)
		ftrace_function_by_name(&state.cold[i]);
}

static int flip_cold(uint64_t *rand)
{
	unsigned i = rand_next(rand) % state.cold_len;
	int err = ftrace_function_filter(&state.counted, "set_ftrace_filter", &state.cold[i],
					 !state.cold_on[i]);

	if (!err)
		state.cold_on[i] = !state.cold_on[i];
	return err;
}

static int flip_command(bool on)
{
	char text[96];

	text_format(text, sizeof(text), "%s%s:traceoff\n", on ? "" : "!", state.cold[0].name);
	return trace_instance_append(&state.noise, "set_ftrace_filter", text);
}

static int flip_do(enum flip kind, bool on, uint64_t *rand)
{
	const struct trace_instance *noise = &state.noise, *events = &state.events;

	switch (kind) {
	case FLIP_COUNTED_FILTER:
		return flip_cold(rand);
	case FLIP_NOTRACE:
		return ftrace_function_filter(noise, "set_ftrace_notrace", &state.cold[0], on);
	case FLIP_TRIGGER:
		return trace_instance_append(events, EVENT "/trigger",
					     on ? "stacktrace if sig==99\n" : "!stacktrace\n");
	case FLIP_EVENT_FILTER:
		return trace_instance_write(events, EVENT "/filter",
					    on ? EVENT_FILTER_TOO : EVENT_FILTER);
	case FLIP_TRACING_ON:
		return trace_instance_write(noise, "tracing_on", on ? "0\n" : "1\n");
	case FLIP_RESIZE:
		return trace_instance_write(noise, "buffer_size_kb", on ? "64\n" : "16\n");
	case FLIP_NOISE_TRIGGER:
		return trace_instance_append(noise, EVENT "/trigger",
					     on ? "traceoff if sig==99\n" : "!traceoff\n");
	case FLIP_EVENT:
		return trace_instance_write(noise, EVENT "/enable", on ? "1\n" : "0\n");
	case FLIP_NOISE_FILTER:
		return ftrace_function_filter(noise, "set_ftrace_filter", &state.target, on);
	case FLIP_COMMAND:
		return flip_command(on);
	case FLIP_TRACER:
		return trace_instance_write(noise, "current_tracer", on ? "function\n" : "nop\n");
	default:
		return trace_instance_write(&state.top, "current_tracer",
					    on ? "function_graph\n" : "nop\n");
	}
}

static void nap_us(unsigned us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

static void gate_close(struct probe_run *run)
{
	__atomic_store_n(&state.gate, true, __ATOMIC_SEQ_CST);
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		while (__atomic_load_n(&state.caller[cpu].inside, __ATOMIC_SEQ_CST))
			nap_us(100);
}

/* One flip, counted as exposure if somebody called meanwhile. */
static void flip_once(struct probe_run *run, enum flip kind, uint64_t *rand)
{
	bool hold = state.gated && kind >= FLIP_HOT;
	uint64_t before;
	int err;

	if (hold)
		gate_close(run);
	before = calls_total();
	err = flip_do(kind, !state.on[kind], rand);
	if (calls_total() != before && !err)
		__atomic_store_n(&state.called, state.called + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&state.gate, false, __ATOMIC_SEQ_CST);
	if (err) {
		state.failed++;
		return;
	}
	state.on[kind] = !state.on[kind];
	__atomic_store_n(&state.flips, state.flips + 1, __ATOMIC_RELAXED);
}

static enum flip flip_choose(uint64_t *rand)
{
	unsigned sum = 0, at;

	for (int k = 0; k < FLIP__COUNT; k++)
		sum += state.can[k] ? flip_weight[k] : 0;
	at = rand_next(rand) % sum;
	for (int k = 0;; k++) {
		unsigned weight = state.can[k] ? flip_weight[k] : 0;

		if (at < weight)
			return k;
		at -= weight;
	}
}

static void calls_burst(struct caller *c, long tid)
{
	for (int i = 0; i < BURST; i++) {
		syscall(SYS_getppid);
		__atomic_store_n(&c->calls, c->calls + 1, __ATOMIC_RELAXED);
		if (i % SIGNAL_EVERY)
			continue;
		syscall(SYS_tgkill, getpid(), tid, SIGWINCH);
		__atomic_store_n(&c->signals, c->signals + 1, __ATOMIC_RELAXED);
	}
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct caller *c = &state.caller[cpu];
	long tid = syscall(SYS_gettid);

	c->rand = (run->seed + cpu) * 2 + 1;
	while (cpu == state.flipper && !probe_stopped(run))
		flip_once(run, flip_choose(&c->rand), &c->rand);
	while (!probe_stopped(run)) {
		__atomic_store_n(&c->inside, true, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&state.gate, __ATOMIC_SEQ_CST))
			calls_burst(c, tid);
		__atomic_store_n(&c->inside, false, __ATOMIC_SEQ_CST);
		nap_us(rand_next(&c->rand) % state.nap_us);
	}
}

/* The function must be traced once a call, and nobody else may be. */
static bool counted_works(struct probe_run *run)
{
	struct trace_counts a, b;

	if (trace_instance_counts(&state.counted, run->ncpus, &a))
		return false;
	for (int i = 0; i < TRIAL_CALLS; i++)
		syscall(SYS_getppid);
	return !trace_instance_counts(&state.counted, run->ncpus, &b) &&
	       b.written - a.written == TRIAL_CALLS;
}

static void limit(struct probe_run *run, const char *text)
{
	for (unsigned i = 0; i < sizeof(run->limits) / sizeof(*run->limits); i++)
		if (!run->limits[i]) {
			run->limits[i] = text;
			return;
		}
}

static enum probe_result counted_setup(struct probe_run *run)
{
	struct trace_instance *t = &state.counted;

	if (trace_instance_make(t, "klab_counted", COUNT_KIB) ||
	    !trace_instance_has(t, "set_ftrace_filter")) {
		trace_instance_remove(t);
		trace_instance_top(t, COUNT_KIB);
		limit(run, "instances have no function tracer: one tracer, filters alone");
	}
	tokens_verify();
	for (unsigned i = 0; i < CANDIDATES && state.candidate[i].name[0]; i++) {
		state.target = state.candidate[i];
		/* Without a filter the tracer would patch the whole kernel. */
		if (!ftrace_function_filter(t, "set_ftrace_filter", &state.target, true) &&
		    !trace_instance_write(t, "current_tracer", "function\n") &&
		    !trace_instance_write(t, "tracing_on", "1\n") && counted_works(run))
			return PROBE_PASS;
		trace_instance_write(t, "current_tracer", "nop\n");
		ftrace_function_filter(t, "set_ftrace_filter", &state.target, false);
	}
	return probe_skip(run, "the function tracer does not count '%s' call by call",
			  state.target.name);
}

/* A kprobe at the entry is called by ftrace where the kernel has CONFIG_KPROBES_ON_FTRACE. */
static void entry_setup(struct probe_run *run)
{
	char line[128];

	text_format(line, sizeof(line), "p:klab/entry %s\n", state.target.name);
	if (!tracefs_write("kprobe_events", line)) {
		state.entry.symbol = state.target.name;
		if (!kprobe_site_enable(&state.entry, true))
			return;
		kprobe_site_remove(&state.entry);
	}
	limit(run, "no kprobe at the entry (CONFIG_KPROBE_EVENTS): one count alone");
}

static void events_setup(struct probe_run *run)
{
	if (trace_instance_make(&state.events, "klab_events", COUNT_KIB) ||
	    trace_instance_write(&state.events, EVENT "/filter", EVENT_FILTER) ||
	    trace_instance_write(&state.events, EVENT "/enable", "1\n")) {
		trace_instance_remove(&state.events);
		limit(run, "no instance with the event 'signal_generate': none is counted");
	}
}

/* The graph tracer hangs itself into sched_switch, whose call all CPUs make all the time: with two
 * who stay there, a third changes a list and no code. */
static void noise_setup(struct probe_run *run)
{
	const char *sched = "events/sched/sched_switch/enable";

	if (state.counted.top)
		return;
	if (trace_instance_make(&state.noise, "klab_noise", NOISE_KIB)) {
		limit(run, "no second instance: nothing is flipped beside the counted");
		return;
	}
	trace_instance_top(&state.top, NOISE_KIB);
	trace_instance_write(&state.noise, sched, "1\n");
	trace_instance_write(&state.top, sched, "1\n");
	/* A tracer without a filter would patch the whole kernel. */
	state.filtered =
		!ftrace_function_filter(&state.top, "set_ftrace_filter", &state.target, true);
	for (unsigned i = 0; i < (state.cold_len + 1) / 2; i++)
		if (ftrace_function_filter(&state.noise, "set_ftrace_filter", &state.cold[i],
					   true) ||
		    ftrace_function_filter(&state.top, "set_ftrace_filter", &state.cold[i], true))
			state.filtered = false;
}

static bool flip_possible(enum flip kind)
{
	switch (kind) {
	case FLIP_COUNTED_FILTER:
		return state.cold_len > 0;
	case FLIP_TRIGGER:
	case FLIP_EVENT_FILTER:
		return *state.events.dir;
	case FLIP_TRACER:
	case FLIP_GRAPH:
		return state.cold_len > 0 && state.filtered;
	default:
		return *state.noise.dir && state.cold_len > 0;
	}
}

/* Each is flipped there and back once, so that a run does not find out late. */
static void flips_setup(void)
{
	static const char *const names[FLIP__COUNT] = {
		"counted filter", "notrace",     "trigger",       "event filter",
		"tracing_on",     "buffer size", "other trigger", "event",
		"filter",         "command",     "tracer",        "graph tracer",
	};
	uint64_t rand = 1;

	for (int k = 0; k < FLIP__COUNT; k++) {
		uint64_t same = rand;

		state.can[k] =
			flip_possible(k) && !flip_do(k, true, &rand) && !flip_do(k, false, &same);
		if (!state.can[k])
			probe_note("cannot flip: %s", names[k]);
	}
}

static enum probe_result counts_read(struct probe_run *run, struct trace_counts *counted,
				     struct trace_counts *events, struct kprobe_counts *entry)
{
	if (trace_instance_counts(&state.counted, run->ncpus, counted))
		return probe_error(run, "no 'stats' of the counting buffer");
	if (*state.events.dir && trace_instance_counts(&state.events, run->ncpus, events))
		return probe_error(run, "no 'stats' of the events' buffer");
	if (state.entry.symbol && kprobe_site_counts(&state.entry, entry))
		return probe_error(run, "no line for the entry in 'kprobe_profile'");
	return PROBE_PASS;
}

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r;

	if (!tracefs_root())
		return probe_skip(run, "CONFIG_FTRACE is off: no tracefs");
	if (functions_find())
		return probe_skip(run, "CONFIG_FUNCTION_TRACER or CONFIG_DYNAMIC_FTRACE is off: "
				       "'available_filter_functions' does not list getppid");
	tracefs_write("options/record-cmd", "0\n"); /* or each event patches the scheduler */
	r = counted_setup(run);
	if (r != PROBE_PASS)
		return r;
	entry_setup(run);
	events_setup(run);
	noise_setup(run);
	flips_setup();
	if (!state.can[FLIP_COUNTED_FILTER])
		return probe_error(run, "no function joins the filter of '%s'", state.target.name);
	state.gated = engine_emulates();
	if (state.gated)
		limit(run, "under an emulator the callers hold still while their own function is "
			   "patched: calls that such patching skips are not seen");
	state.nap_us = state.gated ? run->ncpus * NAP_EMULATED_US : NAP_US;
	state.flipper = run->seed % run->ncpus;
	run->rung = "tracefs";
	probe_note("counting %s, %u cold functions, flipper on CPU %u%s", state.target.name,
		   state.cold_len, state.flipper, state.gated ? ", gated" : "");
	return counts_read(run, &state.counted_before, &state.events_before, &state.entry_before);
}

static void sample(struct probe_run *run)
{
	probe_count(run, COUNT_FLIPS_CALLED, __atomic_load_n(&state.called, __ATOMIC_RELAXED));
	probe_count(run, COUNT_FLIPS, __atomic_load_n(&state.flips, __ATOMIC_RELAXED));
	probe_count(run, COUNT_CALLS, calls_total());
	probe_count(run, COUNT_SIGNALS, signals_total());
}

static enum probe_result even(struct probe_run *run, const char *what, uint64_t made,
			      const struct kprobe_counts *counts)
{
	unsigned long long n = made, seen = counts->hits, missed = counts->missed;

	if (kprobe_counts_lost(made, counts, run->ncpus))
		return probe_fail(run,
				  FAIL_LOST_EVENTS "%llu %s, %llu seen and %llu reported missed", n,
				  what, seen, missed);
	if (seen > n)
		return probe_fail(run, FAIL_CORRUPTION "%llu %s, but %llu seen", n, what, seen);
	return PROBE_PASS;
}

static enum probe_result traced_check(struct probe_run *run, const char *what, uint64_t made,
				      const struct trace_counts *before,
				      const struct trace_counts *now)
{
	struct kprobe_counts counts = { .hits = now->written - before->written,
					.missed = now->lost - before->lost };

	return even(run, what, made, &counts);
}

static enum probe_result entry_check(struct probe_run *run, const struct kprobe_counts *now)
{
	struct kprobe_counts counts = { .hits = now->hits - state.entry_before.hits,
					.missed = now->missed - state.entry_before.missed };

	if (!state.entry.symbol || kernel_version() < COUNTS_PER_CPU_SINCE)
		return PROBE_PASS;
	return even(run, "calls of a function with a kprobe", calls_total(), &counts);
}

static enum probe_result check(struct probe_run *run)
{
	struct trace_counts counted, events = { 0 };
	struct kprobe_counts entry = { 0 };
	enum probe_result r = counts_read(run, &counted, &events, &entry);

	sample(run);
	if (r == PROBE_PASS)
		r = traced_check(run, "calls of a traced function", calls_total(),
				 &state.counted_before, &counted);
	if (r == PROBE_PASS)
		r = entry_check(run, &entry);
	if (r == PROBE_PASS && *state.events.dir)
		r = traced_check(run, "signals", signals_total(), &state.events_before, &events);
	if (r == PROBE_PASS && !state.flips)
		r = probe_error(run, "no flip succeeded, %llu failed",
				(unsigned long long)state.failed);
	return r;
}

static void teardown(struct probe_run *run)
{
	uint64_t rand = 1;

	if (*state.noise.dir) {
		for (int k = FLIP__COUNT - 1; k > FLIP_COUNTED_FILTER; k--)
			if (state.on[k])
				flip_do(k, false, &rand);
		trace_instance_write(&state.noise, "events/enable", "0\n");
		trace_instance_write(&state.top, "events/sched/sched_switch/enable", "0\n");
		ftrace_function_filter(&state.top, "set_ftrace_filter", &state.target, false);
	}
	if (*state.events.dir)
		trace_instance_write(&state.events, "events/enable", "0\n");
	kprobe_site_remove(&state.entry);
	if (*state.counted.dir) {
		trace_instance_write(&state.counted, "current_tracer", "nop\n");
		ftrace_function_filter(&state.counted, "set_ftrace_filter", &state.target, false);
	}
	trace_instance_remove(&state.noise);
	trace_instance_remove(&state.events);
	trace_instance_remove(&state.counted);
}

PROBE(ftrace_flip) = {
	.name = "ftrace-flip",
	.summary = "tracers, filters, events and triggers switched while a function is counted",
	.hazards = LIST("ftrace-call-skipped"),
	.kconfig = LIST("CONFIG_FUNCTION_TRACER=y", "CONFIG_DYNAMIC_FTRACE=y"),
	.amplify = LIST("ftrace_int3_handler", "ftrace_call_adjust", "ftrace_hash_move*",
			"ftrace_update_trampoline", "arch_ftrace_update_trampoline",
			"ftrace_ops_list_func", "arch_ftrace_ops_list_func", "tracepoint_add_func",
			"tracepoint_remove_func"),
	.counters = LIST("flips-while-called", "flips", "calls", "signals"),
	.min_cpus = 2,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
