// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU TCG plugin: now and then delay a vCPU at instructions that the control page (amplify/page.h)
 * names, so that races whose window is a few instructions wide become common. What a vCPU did
 * before is globally visible and its thread was merely slow: every state it brings about is one
 * that the kernel can reach by itself.
 *
 * Rare, long delays beat constant short ones: they keep the throughput and must only exceed the
 * peer's revisit interval. Single delays and their share of time are bounded, for a stalled vCPU
 * also stalls IPIs, RCU and the host's exclusive sections.
 *
 * Argument: page=FD, inherited, or page=/FILE. Whatever is wrong, the guest runs on without delays, and
 * the page's `trouble` says why. Built on its own, without GLib: it lives in QEMU.
 */
#include "amplify/plugin.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPIN_US 50		/* shorter delays spin: going to sleep and back takes as long */
#define CREDIT_MAX_NS 50000000	/* of unused duty: a long idle past permits no long stall */
#define TOUCH_STORE UINT64_C(1)
#define TOUCH_SET UINT64_C(2)
#define TOUCH_MET UINT64_C(4)

int qemu_plugin_version = QEMU_PLUGIN_API_OLDEST;

/* One per vCPU, written by its thread alone but for `touch`. */
struct vcpu {
	uint64_t rng; /* 0: it has not been at a site yet */
	int64_t credit_ns[2];
	uint64_t since_ns[2];	/* when credit was last given */
	uint64_t touch;	/* while delayed after an access: the granule, | TOUCH_*; else 0 */
	uint32_t passed[AMP_SITES_MAX];
} __attribute__((aligned(64)));

static struct amp_page *page;
static qemu_plugin_id_t self;
static int api;
static uint64_t applied, tick;
static uint32_t resetting, n_touching, n_vcpus;
static struct vcpu vcpus[AMP_VCPUS_MAX];

static void __attribute__((format(printf, 1, 2))) complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(page->trouble, sizeof(page->trouble), fmt, ap);
	va_end(ap);
}

/* --- delays ---------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

/* xorshift64*, Vigna 2016. */
static uint64_t next_random(struct vcpu *v)
{
	v->rng ^= v->rng >> 12;
	v->rng ^= v->rng << 25;
	v->rng ^= v->rng >> 27;
	return v->rng * UINT64_C(2685821657736338717);
}

static uint32_t random_below(struct vcpu *v, uint32_t n)
{
	return (next_random(v) >> 32) * n >> 32;
}

static void vcpu_seen(unsigned cpu)
{
	uint32_t n = READ(n_vcpus);

	while (cpu >= n && cpu < AMP_VCPUS_MAX &&
	       !__atomic_compare_exchange_n(&n_vcpus, &n, cpu + 1, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
	WRITE(page->n_vcpus, READ(n_vcpus));
}

/* Seeded through splitmix64, so that neighbours differ. The timer slack of 50 us that a thread has
 * by default would double a short delay. */
static void vcpu_begin(struct vcpu *v, unsigned cpu)
{
	uint64_t z = READ(page->seed) + UINT64_C(0x9e3779b97f4a7c15) * (cpu + 1);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	v->rng = (z ^ z >> 31) | 1;
	v->since_ns[0] = v->since_ns[1] = now_ns();
	vcpu_seen(cpu);
	prctl(PR_SET_TIMERSLACK, 1);
}

static uint32_t duty_percent(unsigned group)
{
	uint32_t first = READ(page->duty_percent[0]), second = READ(page->duty_percent[1]);

	first = first < AMP_DUTY_MAX ? first : AMP_DUTY_MAX;
	second = second < AMP_DUTY_MAX - first ? second : AMP_DUTY_MAX - first;
	return group ? second : first;
}

/* A bucket that the passing of time fills: what is in it may be slept. */
static bool may_sleep(struct vcpu *v, unsigned group, uint64_t now, int64_t ns)
{
	uint32_t percent = duty_percent(group);
	int64_t credit = v->credit_ns[group] + (now - v->since_ns[group]) * percent / 100;

	v->credit_ns[group] = credit < CREDIT_MAX_NS ? credit : CREDIT_MAX_NS;
	v->since_ns[group] = now;
	return percent && v->credit_ns[group] >= ns;
}

static void log_delay(unsigned cpu, unsigned site, uint64_t now, uint32_t us)
{
	struct amp_delay *entry = &page->log[ADD(page->n_log, 1) % AMP_LOG_MAX];

	__atomic_store_n(&entry->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE(entry->at_us, now / 1000);
	WRITE(entry->us, us);
	WRITE(entry->site, site);
	WRITE(entry->vcpu, cpu);
	__atomic_store_n(&entry->generation, READ(applied), __ATOMIC_RELEASE);
}

static void pass_time(uint64_t begin, uint32_t us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	if (us >= SPIN_US)
		nanosleep(&ts, NULL);
	else
		while (now_ns() - begin < us * UINT64_C(1000))
			;
}

/* Let others see what was touched, until the end; did one of them touch it, too? */
static bool pass_time_touching(struct vcpu *v, uint64_t touch, uint64_t begin, uint32_t us)
{
	WRITE(v->touch, touch);
	__atomic_fetch_add(&n_touching, 1, __ATOMIC_SEQ_CST);
	pass_time(begin, us);
	__atomic_fetch_sub(&n_touching, 1, __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(&v->touch, 0, __ATOMIC_RELAXED) & TOUCH_MET;
}

/* Delay this vCPU by `us`, if its duty allows. touch: 0, or what was accessed. */
static void delay(unsigned cpu, const struct site *site, uint32_t us, uint64_t touch)
{
	struct amp_site *told = &page->site[site->index];
	struct vcpu *v = &vcpus[cpu];
	uint64_t begin = now_ns(), slept_ns;

	if (!may_sleep(v, site->group, begin, us * INT64_C(1000)))
		return;
	log_delay(cpu, site->index, begin, us);
	if (!touch)
		pass_time(begin, us);
	else if (pass_time_touching(v, touch, begin, us))
		ADD(told->conflicts, 1);
	slept_ns = now_ns() - begin;
	v->credit_ns[site->group] -= slept_ns;
	ADD(told->delays, 1);
	ADD(told->slept_us, slept_ns / 1000);
	ADD(page->vcpu[cpu].delays, 1);
	ADD(page->vcpu[cpu].slept_us, slept_ns / 1000);
}

static uint32_t draw_us(struct vcpu *v, const struct amp_site *orders)
{
	uint32_t lo = READ(orders->us_lo), hi = READ(orders->us_hi), swap = lo;

	if (lo > hi) {
		lo = hi;
		hi = swap;
	}
	lo = lo < AMP_DELAY_MAX_US ? lo : AMP_DELAY_MAX_US;
	hi = hi < AMP_DELAY_MAX_US ? hi : AMP_DELAY_MAX_US;
	return lo + random_below(v, hi - lo + 1);
}

/* A vCPU is at a site. All that chance decides is drawn first: what a seed decides does not depend
 * on what time it is. */
static void at_site(unsigned cpu, const struct site *site, uint64_t touch)
{
	const struct amp_site *orders = &page->site[site->index];
	struct vcpu *v = &vcpus[cpu];
	uint32_t every, us;

	if (!READ(page->armed) || !(every = READ(orders->every)) ||
	    (site->vcpu >= 0 && (unsigned)site->vcpu != cpu))
		return;
	if (!v->rng)
		vcpu_begin(v, cpu);
	if (v->passed[site->index] < site->after) {
		v->passed[site->index]++;
		return;
	}
	if (random_below(v, every))
		return;
	us = draw_us(v, orders);
	if (us)
		delay(cpu, site, us, touch);
}

/* --- callbacks ------------------------------------------------------------------------------- */

static void on_exec(unsigned cpu, void *udata)
{
	plugin_poll();
	if (cpu < AMP_VCPUS_MAX)
		at_site(cpu, udata, 0);
}

/* Who sleeps on the granule that this vCPU has just touched? Told once per delay. */
static void meet(unsigned cpu, uint64_t touch)
{
	for (unsigned i = 0, n = READ(n_vcpus); i < n && i < AMP_VCPUS_MAX; i++) {
		uint64_t other = READ(vcpus[i].touch), differ = other ^ touch;

		if (i != cpu && !(differ & ~TOUCH_STORE) && ((other | touch) & TOUCH_STORE))
			__atomic_compare_exchange_n(&vcpus[i].touch, &other, other | TOUCH_MET,
						    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

static void on_access(unsigned cpu, uint32_t info, uint64_t addr, void *udata)
{
	uint64_t touch;

	plugin_poll();
	if (cpu >= AMP_VCPUS_MAX)
		return;
	if (cpu >= READ(n_vcpus))
		vcpu_seen(cpu);
	touch = (addr & -(uint64_t)AMP_GRANULE) | TOUCH_SET |
		(qemu_plugin_mem_is_store(info) ? TOUCH_STORE : 0);
	if (READ(n_touching))
		meet(cpu, touch);
	at_site(cpu, udata, touch);
}

static void on_tick(unsigned cpu, void *unused)
{
	plugin_poll();
}

static void on_resume(uintptr_t first, uintptr_t second)
{
	vcpu_seen((unsigned)(api < QEMU_PLUGIN_API_UDATA ? second : first));
	plugin_poll();
}

/* Most blocks have nothing that is wanted. */
static bool is_wanted(struct sites_walk *walk, uint64_t lo, uint64_t last)
{
	bool has_sites = sites_begin(walk, lo, last);

	return has_sites || (tick >= lo && tick <= last) || profile_covers(lo, last);
}

static void instrument(struct qemu_plugin_insn *insn, uint64_t pc, struct sites_walk *walk)
{
	const struct site *before = sites_next(walk, AMP_BEFORE, pc);
	const struct site *access = sites_next(walk, AMP_ACCESS, pc);

	if (pc == tick)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_tick, QEMU_PLUGIN_CB_NO_REGS, NULL);
	if (before)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_exec, QEMU_PLUGIN_CB_NO_REGS,
						       (void *)before);
	if (access)
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, (void *)access);
	profile_watch(insn, pc);
}

static void on_translate(uintptr_t first, uintptr_t second)
{
	struct qemu_plugin_tb *tb = (void *)(api < QEMU_PLUGIN_API_UDATA ? second : first);
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct sites_walk walk;
	uint64_t lo, last;

	plugin_poll();
	if (!n)
		return;
	lo = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
	last = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, n - 1));
	if (!is_wanted(&walk, lo, last))
		return;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		instrument(insn, qemu_plugin_insn_vaddr(insn), &walk);
	}
}

/* --- orders ---------------------------------------------------------------------------------- */

/* No vCPU is in translated code, and no code is left that was translated under the old orders. The
 * callbacks are always the same: QEMU tells vCPUs late what kinds there are. */
static void apply(void)
{
	uint64_t wanted = __atomic_load_n(&page->wanted, __ATOMIC_ACQUIRE);

	page->trouble[0] = '\0';
	sites_take(page);
	for (unsigned i = 0; i < n_vcpus; i++)
		memset(vcpus[i].passed, 0, sizeof(vcpus[i].passed));
	tick = READ(page->tick);
	if (READ(page->profile) && !profile_begin(READ(page->text_lo), READ(page->text_hi)))
		complain("no memory for a profile");
	qemu_plugin_register_vcpu_tb_trans_cb(self, on_translate, NULL);
	qemu_plugin_register_vcpu_resume_cb(self, on_resume, NULL);
	WRITE(applied, wanted);
	__atomic_store_n(&page->applied, wanted, __ATOMIC_RELEASE);
}

static void on_reset(uintptr_t unused)
{
	profile_end(page);
	apply();
	WRITE(resetting, 0);
}

void plugin_poll(void)
{
	uint32_t idle = 0;

	if (READ(page->wanted) != READ(applied) &&
	    __atomic_compare_exchange_n(&resetting, &idle, 1, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		qemu_plugin_reset(self, on_reset, NULL);
}

/* --- the start ------------------------------------------------------------------------------- */

/* A number that was inherited, or a file: an engine that somebody else started inherits nothing. */
static int open_page(int argc, char **argv)
{
	const char *what = argc == 1 && strncmp(argv[0], "page=", 5) == 0 ? argv[0] + 5 : "";
	char *end;
	long fd = strtol(what, &end, 10);

	if (*what == '/')
		return open(what, O_RDWR | O_CLOEXEC);
	return end == what || *end || fd < 0 || fd > INT32_MAX ? -2 : (int)fd;
}

/* Returns what is wrong, or NULL. A page that is not ours is not written to. */
static const char *map_page(int argc, char **argv)
{
	int fd = open_page(argc, argv);
	struct stat st;
	void *mem;

	if (fd == -2)
		return "the argument must be page=FD or page=/FILE";
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(*page))
		return "the page is missing or too short";
	mem = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return "the page cannot be mapped";
	page = mem;
	if (page->magic == AMP_MAGIC && page->size == sizeof(*page))
		return NULL;
	munmap(mem, sizeof(*page));
	page = NULL;
	return "the page is of another build";
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	const char *wrong = map_page(argc, argv);

	if (wrong) {
		fprintf(stderr, "klab-delay: %s: nothing will be delayed\n", wrong);
		return 0;
	}
	self = id;
	api = info->version.cur;
	page->api_min = info->version.min;
	page->api_cur = api;
	if (api < QEMU_PLUGIN_API_OLDEST || api > QEMU_PLUGIN_API_NEWEST)
		complain("QEMU's plugin API is %d, and %d to %d are known", api,
			 QEMU_PLUGIN_API_OLDEST, QEMU_PLUGIN_API_NEWEST);
	else
		apply();
	return 0;
}
