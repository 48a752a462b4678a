// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads user memory from timer interrupts while every CPU allocates and frees vmalloc areas.
 *
 * The sibling of nmi-user-read that needs no source of NMIs: a cpu-clock event is an hrtimer, and
 * its interrupt lands on a holder of the vmalloc lock just as well. Two events on each CPU:
 *
 *	BPF	a program (irq_user_read.bpf.c) reads a page of ours into a map, its stack, and a
 *		per-CPU map
 *	perf	the kernel copies registers, callchain and stack of the user into a ring
 *
 * The bytes must be those that were there. A worker keeps a block of known words on its stack,
 * with a chain of frames in it, and spends part of its time in a loop (spin) with known registers
 * that stands at the head of that chain: what a sample says of it is known to the last bit.
 */
#include "probes/irq_user_read.h"
#include "irq_user_read.skel.h"
#include "probes/lib/perf.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"
#include "probes/lib/vmalloc_churn.h"

#include <asm/perf_regs.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_US 200 /* times the number of CPUs, at least; up to twice that */
#define RING_PAGES 64
#define STACK_DUMP 2048
#define SPIN_TURNS 4000
#define NAP_MS 1
/* Before, a system call left the user's stack pointer where perf did not look for it. */
#define STACK_POINTER_SINCE 4002
/* Before, an interrupt saved RBP and what C functions may change, no more (ff467594f2a4). */
#define ALL_REGS_SINCE 4004
#define FRAMES 8
#define FILL 96

enum counter {
	COUNT_READS,
	COUNT_FAULTS,
	COUNT_COMPARED,
	COUNT_WRONG,
	COUNT_SAMPLES,
	COUNT_LOST,
	COUNT_CHURN
};

/* What the kernel's walk by frame pointers follows: struct stack_frame of x86. */
struct frame {
	const struct frame *next;
	uint64_t ret;
};

/* A worker's block: on its stack, never changed while it runs. */
struct block {
	struct frame frames[FRAMES];
	uint64_t fill[FILL];
};

/* Registers in the order in which the kernel writes them: that of their numbers. */
enum reg { REG_BX, REG_BP, REG_SP, REG_IP, REG_12, REG_13, REG_14, REG_15, REG__COUNT };

#define REGS_MASK                                                                                  \
	(1ull << PERF_REG_X86_BX | 1ull << PERF_REG_X86_BP | 1ull << PERF_REG_X86_SP |             \
	 1ull << PERF_REG_X86_IP | 0xfull << PERF_REG_X86_R12)

struct sampler {
	struct perf_ring ring;
	int bpf_event;
	int tid;
	const struct block *block; /* NULL: the worker is not there */
	uint64_t bx;               /* r12 to r15 are this plus 1 to 4 */
	struct vmalloc_churn churn;
	uint64_t samples, compared, faults, wrong, malformed;
	char what[160]; /* the first wrong one */
} __attribute__((aligned(64)));

static struct {
	struct irq_user_read *skel; /* NULL: without BPF */
	uint64_t *words;            /* one page of user memory */
	struct sampler cpu[WIRE_CPUS_MAX];
	unsigned version; /* of the kernel */
} state;

/* spin(frames, turns, bx): between spin_hot and spin_end all that a sample tells is known. */
void spin(const struct frame *frames, uint64_t turns, uint64_t bx);
extern const char spin_hot[], spin_end[];

asm(".pushsection .text\n"
    ".type spin, @function\n"
    "spin:\n"
    "	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
    "	mov %rdx, %rbx\n"
    "	lea 1(%rdx), %r12\n	lea 2(%rdx), %r13\n"
    "	lea 3(%rdx), %r14\n	lea 4(%rdx), %r15\n"
    "	mov %rdi, %rbp\n"
    "spin_hot:\n"
    "	pause\n"
    "	dec %rsi\n"
    "	jnz spin_hot\n"
    "spin_end:\n"
    "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
    "	ret\n"
    ".size spin, . - spin\n"
    ".popsection\n");

/* --- what a sample must say ------------------------------------------------------------------- */

/* Reads a record word by word; past its end everything is 0 and `over` is set. */
struct reader {
	const char *at, *end;
	bool over;
};

static const void *take_bytes(struct reader *r, uint64_t size)
{
	const void *p = r->at;

	if (size > (uint64_t)(r->end - r->at)) {
		r->over = true;
		r->at = r->end;
		return NULL;
	}
	r->at += size;
	return p;
}

static uint64_t take_u64(struct reader *r)
{
	const void *p = take_bytes(r, 8);
	uint64_t value = 0;

	if (p)
		memcpy(&value, p, 8);
	return value;
}

struct sample {
	uint64_t ip, nr, abi, size, dyn;
	uint32_t pid, tid;
	const char *chain; /* nr words */
	uint64_t reg[REG__COUNT];
	const char *stack;
};

/* The order is that of perf_event_open(2). False: the record is not as long as it says. */
static bool sample_read(const struct perf_event_header *h, struct sample *s)
{
	struct reader r = { (const char *)(h + 1), (const char *)h + h->size, false };
	uint64_t ids;

	s->ip = take_u64(&r);
	ids = take_u64(&r);
	s->pid = ids;
	s->tid = ids >> 32;
	s->nr = take_u64(&r);
	s->chain = s->nr < h->size / 8 ? take_bytes(&r, s->nr * 8) : NULL;
	s->abi = take_u64(&r);
	for (int i = 0; s->abi && i < REG__COUNT; i++)
		s->reg[i] = take_u64(&r);
	s->size = take_u64(&r);
	s->stack = take_bytes(&r, s->size);
	s->dyn = s->size ? take_u64(&r) : 0;
	return s->chain && !r.over && r.at == r.end && s->dyn <= s->size;
}

static void wrong(struct sampler *c, const char *what, uint64_t got, uint64_t wanted)
{
	if (!c->wrong++)
		text_format(c->what, sizeof(c->what), "%s is %#llx and should be %#llx", what,
			    (unsigned long long)got, (unsigned long long)wanted);
}

static bool in_spin(uint64_t ip)
{
	return ip >= (uintptr_t)spin_hot && ip < (uintptr_t)spin_end;
}

static void check_regs(struct sampler *c, const struct sample *s)
{
	static const enum reg counted[] = { REG_BX, REG_12, REG_13, REG_14, REG_15 };

	for (unsigned i = 0; i < sizeof(counted) / sizeof(*counted); i++)
		if (state.version >= ALL_REGS_SINCE && s->reg[counted[i]] != c->bx + i)
			wrong(c, "a user register", s->reg[counted[i]], c->bx + i);
	if (s->reg[REG_BP] != (uintptr_t)c->block->frames)
		wrong(c, "the user's RBP", s->reg[REG_BP], (uintptr_t)c->block->frames);
	c->compared++;
}

/* Behind the mark of user space: where it was, then what the frames say. A chain that ends early
 * met a page that was not there; one that says something else is wrong. */
static void check_chain(struct sampler *c, const struct sample *s)
{
	uint64_t at = 0, entry = 0, n;

	for (; at < s->nr && entry != PERF_CONTEXT_USER; at++)
		memcpy(&entry, s->chain + at * 8, 8);
	for (n = 0; at < s->nr && n <= FRAMES; at++, n++) {
		uint64_t wanted = n ? c->block->frames[n - 1].ret : s->reg[REG_IP];

		memcpy(&entry, s->chain + at * 8, 8);
		if (entry != wanted)
			wrong(c, "an entry of the callchain", entry, wanted);
	}
	if (n <= FRAMES)
		c->faults++;
	c->compared++;
}

static void check_stack(struct sampler *c, const struct sample *s)
{
	uint64_t block = (uintptr_t)c->block, sp = s->reg[REG_SP], len;

	if (state.version < STACK_POINTER_SINCE && !in_spin(s->ip))
		return;
	if (sp > block || block - sp >= s->size)
		return; /* deeper than the dump reaches */
	if (block - sp >= s->dyn) {
		c->faults++;
		return;
	}
	len = s->dyn - (block - sp);
	if (len > sizeof(*c->block))
		len = sizeof(*c->block);
	for (uint64_t i = 0; i + 8 <= len; i += 8) {
		uint64_t got, wanted;

		memcpy(&got, s->stack + (block - sp) + i, 8);
		memcpy(&wanted, (const char *)c->block + i, 8);
		if (got != wanted)
			wrong(c, "a word of the stack", got, wanted);
	}
	c->compared++;
}

static void sample_take(void *ctx, const struct perf_event_header *h)
{
	struct sampler *c = ctx;
	struct sample s = { 0 };

	if (h->type != PERF_RECORD_SAMPLE)
		return;
	if (!sample_read(h, &s)) {
		c->malformed++;
		return;
	}
	c->samples++;
	if (!c->block || s.tid != (uint32_t)c->tid || !s.abi)
		return;
	check_stack(c, &s);
	/* Of a user that the kernel has interrupted by more than this interrupt, kernels from 3.19
	 * to 5.10 tell few registers. */
	if (!in_spin(s.ip))
		return;
	check_regs(c, &s);
	check_chain(c, &s);
}

/* --- workers ---------------------------------------------------------------------------------- */

static void block_fill(struct block *b, uint64_t seed)
{
	for (int i = 0; i < FRAMES; i++)
		b->frames[i] = (struct frame){
			.next = i + 1 < FRAMES ? &b->frames[i + 1] : NULL,
			/* Neither a mark (those are the last 4 KiB) nor any code. */
			.ret = 0x10000 + (rand_next(&seed) & 0xffffffffffull),
		};
	for (int i = 0; i < FILL; i++)
		b->fill[i] = rand_next(&seed);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	struct sampler *c = &state.cpu[cpu];
	uint64_t seed = (run->seed + cpu) * 2 + 1;
	struct block block;

	block_fill(&block, seed);
	mlock(&block, sizeof(block));
	c->bx = rand_next(&seed) >> 8;
	c->tid = syscall(SYS_gettid);
	perf_ring_drain(&c->ring, sample_take, c); /* of the time before the block: not compared */
	c->block = &block;
	vmalloc_churn_open(&c->churn);
	while (!probe_stopped(run)) {
		vmalloc_churn_round(&c->churn, run);
		spin(block.frames, SPIN_TURNS, c->bx);
		perf_ring_drain(&c->ring, sample_take, c);
		sleep_ms(NAP_MS);
	}
	ioctl(c->ring.fd, PERF_EVENT_IOC_DISABLE, 0);
	perf_ring_drain(&c->ring, sample_take, c);
	vmalloc_churn_close(&c->churn);
	c->block = NULL;
}

/* --- setup ------------------------------------------------------------------------------------ */

/* As many interrupts a second for all CPUs together, whatever their number: emulated ones share few
 * of the host's. Each has its own period, so that they do not march in step. */
static struct perf_event_attr clock_attr(struct probe_run *run, unsigned event)
{
	uint64_t seed = (run->seed ^ event << 8) * 2 + 1;
	uint64_t least = probe_param(run, 0, PERIOD_US) * 1000ull *
			 (run->ncpus < 4 ? 4 : run->ncpus);

	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = least + rand_next(&seed) % least,
	};
}

static enum probe_result rings_start(struct probe_run *run)
{
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		struct perf_event_attr attr = clock_attr(run, cpu);
		int fd, err;

		attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN |
				   PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
		attr.sample_regs_user = REGS_MASK;
		attr.sample_stack_user = STACK_DUMP;
		fd = perf_open(&attr, -1, cpu);
		if (fd == -ENOSYS)
			return probe_skip(run, PERF_MISSING);
		if (fd < 0)
			return probe_skip(run,
					  "no cpu-clock event with user stacks: "
					  "perf_event_open(2) says '%s'",
					  strerror(-fd));
		err = perf_ring_map(&state.cpu[cpu].ring, fd, RING_PAGES);
		if (err)
			return probe_error(run, "ring of CPU %u: %s", cpu, strerror(-err));
	}
	return PROBE_PASS;
}

static int slots_arm(int fd)
{
	struct irq_slot slot = { .user_addr = (uintptr_t)state.words, .tgid = getpid() };

	for (uint32_t cpu = 0; cpu < IRQ_SLOTS; cpu++)
		if (bpf_map_update_elem(fd, &cpu, &slot, BPF_ANY))
			return -errno;
	return 0;
}

static int words_make(void)
{
	state.words = user_page_make();
	if (!state.words)
		return -errno;
	for (int i = 0; i < IRQ_WORDS; i++)
		state.words[i] = IRQ_WORD(i);
	return 0;
}

/* A program and an event for it on each CPU; the plain ioctl is the way that all kernels know. */
static int programs_start(struct probe_run *run)
{
	int err, program;

	state.skel = irq_user_read__open();
	if (!state.skel)
		return -errno;
	err = irq_user_read__load(state.skel);
	if (!err)
		err = words_make();
	if (!err)
		err = slots_arm(bpf_map__fd(state.skel->maps.slots));
	program = err ? -1 : bpf_program__fd(state.skel->progs.read_user);
	for (unsigned cpu = 0; !err && cpu < run->ncpus; cpu++) {
		struct perf_event_attr attr = clock_attr(run, cpu + WIRE_CPUS_MAX);
		int fd = perf_open(&attr, -1, cpu);

		state.cpu[cpu].bpf_event = fd;
		if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program))
			err = fd < 0 ? fd : -errno;
	}
	return err;
}

static void programs_stop(void)
{
	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++) {
		if (state.cpu[cpu].bpf_event >= 0)
			close(state.cpu[cpu].bpf_event);
		state.cpu[cpu].bpf_event = -1;
	}
	irq_user_read__destroy(state.skel);
	state.skel = NULL;
}

static enum probe_result setup(struct probe_run *run)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	enum probe_result r;

	for (unsigned cpu = 0; cpu < WIRE_CPUS_MAX; cpu++) {
		state.cpu[cpu].ring = PERF_RING_NONE;
		state.cpu[cpu].bpf_event = -1;
	}
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* BPF memory counts as locked below 5.11 */
	state.version = kernel_version();
	r = rings_start(run);
	if (r != PROBE_PASS)
		return r;
	run->rung = access("/sys/kernel/btf/vmlinux", R_OK) ? "bpf" : "bpf+btf";
	if (vmalloc_churn_setup())
		run->limits[0] = "no BPF maps (CONFIG_BPF_SYSCALL): only stacks and readers churn";
	if (access("/proc/vmallocinfo", R_OK))
		run->limits[1] = "no /proc/vmallocinfo: its readers do not churn";
	if (programs_start(run)) {
		programs_stop();
		run->rung = "perf_event_open";
		run->limits[2] = "no BPF on perf events (CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS): "
				 "the kernel alone reads";
	}
	return PROBE_PASS;
}

/* --- what came of it -------------------------------------------------------------------------- */

struct totals {
	uint64_t bpf_reads, samples, faults, compared, wrong, malformed, lost, torn, churn;
};

static void totals_add_slot(struct totals *t, uint32_t cpu)
{
	struct irq_slot slot;

	if (!state.skel || bpf_map_lookup_elem(bpf_map__fd(state.skel->maps.slots), &cpu, &slot))
		return;
	t->bpf_reads += slot.reads;
	t->faults += slot.faults;
	t->compared += slot.own;
	t->wrong += slot.wrong;
}

static struct totals totals(const struct probe_run *run)
{
	struct totals t = { 0 };

	for (unsigned cpu = 0; cpu < run->ncpus; cpu++) {
		const struct sampler *c = &state.cpu[cpu];

		totals_add_slot(&t, cpu);
		t.samples += __atomic_load_n(&c->samples, __ATOMIC_RELAXED);
		t.faults += __atomic_load_n(&c->faults, __ATOMIC_RELAXED);
		t.compared += __atomic_load_n(&c->compared, __ATOMIC_RELAXED);
		t.wrong += __atomic_load_n(&c->wrong, __ATOMIC_RELAXED);
		t.malformed += __atomic_load_n(&c->malformed, __ATOMIC_RELAXED);
		t.lost += __atomic_load_n(&c->ring.lost, __ATOMIC_RELAXED);
		t.torn += __atomic_load_n(&c->ring.torn, __ATOMIC_RELAXED);
		t.churn += __atomic_load_n(&c->churn.rounds, __ATOMIC_RELAXED);
	}
	return t;
}

/* Exposure are the program's reads: the kernel's own copies do not go the way of the hazard, and
 * count where there is nothing else. */
static void sample(struct probe_run *run)
{
	struct totals t = totals(run);

	probe_count(run, COUNT_READS, state.skel ? t.bpf_reads : t.samples);
	probe_count(run, COUNT_FAULTS, t.faults);
	probe_count(run, COUNT_COMPARED, t.compared);
	probe_count(run, COUNT_WRONG, t.wrong);
	probe_count(run, COUNT_SAMPLES, t.samples);
	probe_count(run, COUNT_LOST, t.lost);
	probe_count(run, COUNT_CHURN, t.churn);
}

static enum probe_result check(struct probe_run *run)
{
	struct totals t = totals(run);
	const char *what = "a read by BPF gave other bytes than were written";

	sample(run);
	for (unsigned cpu = run->ncpus; cpu-- > 0;)
		if (state.cpu[cpu].wrong)
			what = state.cpu[cpu].what;
	if (t.wrong)
		return probe_fail(run, FAIL_CORRUPTION "%llu wrong in %llu comparisons: %s",
				  (unsigned long long)t.wrong, (unsigned long long)t.compared,
				  what);
	if (t.torn || t.malformed)
		return probe_fail(run,
				  FAIL_CORRUPTION "%llu of %llu ring records are not well formed",
				  (unsigned long long)(t.torn + t.malformed),
				  (unsigned long long)(t.samples + t.malformed));
	if (!t.compared)
		probe_note("%llu samples, and none could be compared",
			   (unsigned long long)t.samples);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	programs_stop();
	for (unsigned cpu = 0; cpu < run->ncpus; cpu++)
		perf_ring_close(&state.cpu[cpu].ring);
}

PROBE(irq_user_read) = {
	.name = "irq-user-read",
	.summary = "timer interrupts read user memory, callchains and stacks while vmalloc churns",
	/* The first names the operation: a clean run says nothing of NMIs. */
	.hazards = LIST("irq-user-read-deadlock", "nmi-user-read-deadlock"),
	.kconfig = LIST("CONFIG_PERF_EVENTS=y"),
	.amplify = LIST("find_vmap_area", "__find_vmap_area", "find_vmap_area_exceed_addr*",
			"alloc_vmap_area", "free_vmap_area*", "insert_vmap_area*",
			"check_heap_object", "__check_object_size", "s_show"),
	.counters = LIST("irq-user-reads", "faults", "compared", "wrong", "samples", "lost",
			 "churn-rounds"),
	.params = PARAMS({ "period-us",
			   "between two timer interrupts of all CPUs together, at least (200)", 10,
			   1000000 }),
	.min_cpus = 1,
	.duration_s = 15,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
