// SPDX-License-Identifier: GPL-2.0-or-later
/* The places where programs come and go, and what is to be seen of them: see attach_come.h. */
#include "probes/lib/attach_come.h"

#include "probes/lib/perf.h"
#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define COME_CALLS 8 /* at most, of a program that came */

struct come {
	enum attach_program which;
	bool hot; /* where all workers call */
	struct bpf_link *(*attach)(const struct come *come, struct bpf_program *program);
	void (*call)(struct attach_seat *seat);
	enum come_program program;
	const char *where;
};

/* One attachment of a kind at a time. */
static pthread_mutex_t busy[ATTACH_PROGRAMS] = { [0 ... ATTACH_PROGRAMS - 1] =
							 PTHREAD_MUTEX_INITIALIZER };

int attach_fault_open(bool enabled)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.sample_period = 1,
		.disabled = !enabled,
	};

	return perf_open(&attr, 0, -1);
}

static struct bpf_link *attach_plain(const struct come *come, struct bpf_program *program)
{
	return bpf_program__attach(program);
}

static struct bpf_link *attach_kmulti(const struct come *come, struct bpf_program *program)
{
	/* One that is called, and some whose neighbours in the tracer's tables change with it. */
	const char *names[] = { come->where, "__x64_sys_sethostname", "__x64_sys_swapon",
				"__x64_sys_acct" };
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = names, .cnt = 4,
		    .retprobe = come->which == COME_KRETMULTI);
	struct bpf_link *link = bpf_program__attach_kprobe_multi_opts(program, NULL, &opts);

	if (link)
		return link;
	opts.cnt = 1;
	return bpf_program__attach_kprobe_multi_opts(program, NULL, &opts);
}

static struct bpf_link *attach_kprobe(const struct come *come, struct bpf_program *program)
{
	return bpf_program__attach_kprobe(program, false, come->where);
}

static struct bpf_link *attach_tp(const struct come *come, struct bpf_program *program)
{
	return bpf_program__attach_tracepoint(program, come->hot ? "task" : "sched", come->where);
}

static struct bpf_link *attach_raw_tp(const struct come *come, struct bpf_program *program)
{
	return bpf_program__attach_raw_tracepoint(program, come->where);
}

static struct bpf_link *attach_fault(const struct come *come, struct bpf_program *program)
{
	int fd = attach_fault_open(true);
	struct bpf_link *link;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		close(fd);
	return link;
}

static const struct come comes[] = {
	{ COME_FENTRY, false, attach_plain, call_getsid, PROGRAM_COLD_FENTRY, "getsid" },
	{ COME_FEXIT, false, attach_plain, call_getsid, PROGRAM_COLD_FEXIT, "getsid" },
	{ COME_KMULTI, false, attach_kmulti, call_geteuid, PROGRAM_KMULTI, "__x64_sys_geteuid" },
	{ COME_KRETMULTI, false, attach_kmulti, call_geteuid, PROGRAM_KRETMULTI,
	  "__x64_sys_geteuid" },
	{ COME_KPROBE, false, attach_kprobe, call_getpriority, PROGRAM_KPROBE,
	  "__x64_sys_getpriority" },
	{ COME_TP, false, attach_tp, call_wait, PROGRAM_TP, COLD_TRACEPOINT },
	{ COME_RAW_TP, false, attach_raw_tp, call_wait, PROGRAM_RAW_TP, COLD_TRACEPOINT },
	{ COME_FAULT, false, attach_fault, call_fault, PROGRAM_FAULT, "page-faults" },
	{ COME_FENTRY, true, attach_plain, call_getpgid, PROGRAM_HOT_FENTRY, "getpgid" },
	{ COME_FEXIT, true, attach_plain, call_getpgid, PROGRAM_HOT_FEXIT, "getpgid" },
	{ COME_KMULTI, true, attach_kmulti, call_getegid, PROGRAM_KMULTI, "__x64_sys_getegid" },
	{ COME_TP, true, attach_tp, call_rename, PROGRAM_TP, HOT_TRACEPOINT },
	{ COME_RAW_TP, true, attach_raw_tp, call_rename, PROGRAM_RAW_TP, HOT_TRACEPOINT },
};
#define COMES (sizeof(comes) / sizeof(*comes))
#define COMES_COLD 8

uint64_t attach_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len))
		return 0;
	return info.recursion_misses;
}

static uint64_t calls_made(const struct come *come, struct attach_seat *seat, uint64_t *rand)
{
	uint64_t rounds = 1 + rand_next(rand) % COME_CALLS, faults = seat->calls[CALL_FAULT];

	for (uint64_t i = 0; i < rounds; i++)
		come->call(seat);
	return come->which == COME_FAULT ? seat->calls[CALL_FAULT] - faults : rounds;
}

static void come_judge(const struct come *come, const struct bpf_program *program, uint64_t calls,
		       uint64_t runs, uint64_t missed)
{
	const char *name = bpf_program__name(program);

	if (runs > calls)
		attach_found(FAIL_CORRUPTION "program %s on %s: %llu calls, %llu runs", name,
			     come->where, (unsigned long long)calls, (unsigned long long)runs);
	if (runs + missed < calls)
		attach_found(FAIL_LOST_EVENTS
			     "program %s on %s: %llu calls after its attachment, %llu "
			     "runs, %llu reported misses",
			     name, come->where, (unsigned long long)calls, (unsigned long long)runs,
			     (unsigned long long)missed);
}

/* Below 5.13 a tracing program that was detached stays so. */
static void come_refused(struct attach_come *c, const struct come *come, struct attach_seat *seat)
{
	if (!seat->refused++)
		probe_note("program %s on %s: attachment says '%s'",
			   bpf_program__name(c->programs[come->program]), come->where,
			   strerror(errno));
	if (come->attach == attach_plain && errno == ENOENT)
		c->gone[come->which] = true;
}

/* A fault of ours may be followed by others that are not: there runs may exceed calls. */
static void come_and_go(struct attach_come *c, const struct come *come, struct attach_seat *seat,
			uint32_t cpu, uint64_t *rand)
{
	struct bpf_program *program = c->programs[come->program];
	uint64_t missed = attach_misses(program), before, runs, calls;
	struct bpf_link *link = come->attach(come, program);

	if (!link) {
		come_refused(c, come, seat);
		return;
	}
	before = c->runs(cpu, come->which);
	calls = calls_made(come, seat, rand);
	runs = c->runs(cpu, come->which) - before;
	missed = attach_misses(program) - missed;
	bpf_link__destroy(link);
	if (come->which == COME_FAULT && runs > calls)
		runs = calls;
	come_judge(come, program, calls, runs, missed);
	__atomic_store_n(&seat->attaches, seat->attaches + 1, __ATOMIC_RELAXED);
}

void attach_come_once(struct attach_come *c, struct attach_seat *seat, uint32_t cpu, uint64_t *rand)
{
	const struct come *come = &comes[rand_next(rand) % (c->cold_only ? COMES_COLD : COMES)];

	if (c->gone[come->which] || pthread_mutex_trylock(&busy[come->which]))
		return;
	come_and_go(c, come, seat, cpu, rand);
	pthread_mutex_unlock(&busy[come->which]);
}
