// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU TCG plugin: now and then delay a vCPU just before an instruction of a chosen range, so that
 * races whose window is a few instructions wide become common. Guest stores before that point are
 * globally visible and the delayed thread was merely slow: every state it brings about is one that
 * the kernel can reach by itself.
 *
 * Rare, long delays beat constant short ones: they keep the throughput and must only exceed the
 * peer's revisit interval. One delay is at most DELAY_MAX_US and delays take at most DUTY_PERCENT of
 * a vCPU's time, for a stalled vCPU also stalls IPIs, RCU and the host's exclusive sections.
 *
 * Arguments: site=LO-HI (hex, half open; up to SITES_MAX), every=N (1 in N executions), us=LO-HI,
 * seed=N. Built on its own: no GLib, no header of QEMU's (it is not packaged): what is used of the
 * plugin API, the same from version 2 to 5, is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SITES_MAX 128
#define VCPUS_MAX 256
#define DELAY_MAX_US 5000
#define DUTY_PERCENT 20
#define API_OLDEST 2	/* QEMU 9.0 */
#define API_NEWEST 6

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
};

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned, void *), int flags, void *udata);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
				    void *udata);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = 4;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				 char **argv);

struct site {
	uint64_t lo, hi;
};

/* One per vCPU, touched by its thread alone; a cache line each. */
struct vcpu {
	uint64_t rng, started_ns, slept_ns, delays;
} __attribute__((aligned(64)));

static struct site sites[SITES_MAX];
static unsigned n_sites;
static uint64_t every = 256, us_lo = 100, us_hi = 600, seed = 1;
static struct vcpu vcpus[VCPUS_MAX];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

/* xorshift64*, Vigna 2016; seeded through splitmix64 so that neighbouring vCPUs differ. */
static uint64_t next_random(struct vcpu *v)
{
	v->rng ^= v->rng >> 12;
	v->rng ^= v->rng << 25;
	v->rng ^= v->rng >> 27;
	return v->rng * UINT64_C(2685821657736338717);
}

static void start_vcpu(struct vcpu *v, unsigned cpu)
{
	uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15) * (cpu + 1);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	v->rng = (z ^ z >> 31) | 1;
	v->started_ns = now_ns();
}

static void on_insn(unsigned cpu, void *udata)
{
	struct vcpu *v = &vcpus[cpu % VCPUS_MAX];
	uint64_t us, begin;
	struct timespec ts;

	if (!v->rng)
		start_vcpu(v, cpu);
	if (next_random(v) % every)
		return;
	begin = now_ns();
	if (v->slept_ns * 100 > (begin - v->started_ns) * DUTY_PERCENT)
		return;
	us = us_lo + next_random(v) % (us_hi - us_lo + 1);
	ts = (struct timespec){ .tv_nsec = us * 1000 };
	nanosleep(&ts, NULL);
	v->slept_ns += now_ns() - begin;
	v->delays++;
}

static bool in_site(uint64_t addr)
{
	for (unsigned i = 0; i < n_sites; i++)
		if (addr >= sites[i].lo && addr < sites[i].hi)
			return true;
	return false;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (in_site(qemu_plugin_insn_vaddr(insn)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, 0, NULL);
	}
}

static void on_qemu_exit(qemu_plugin_id_t id, void *udata)
{
	uint64_t delays = 0, slept_ns = 0;

	for (unsigned i = 0; i < VCPUS_MAX; i++) {
		delays += vcpus[i].delays;
		slept_ns += vcpus[i].slept_ns;
	}
	fprintf(stderr, "klab-delay: %" PRIu64 " delays, %" PRIu64 " ms in all\n", delays,
		slept_ns / 1000000);
}

static bool parse_arg(const char *arg)
{
	struct site *site = &sites[n_sites];

	if (sscanf(arg, "site=%" SCNx64 "-%" SCNx64, &site->lo, &site->hi) == 2)
		return ++n_sites < SITES_MAX && site->lo < site->hi;
	if (sscanf(arg, "us=%" SCNu64 "-%" SCNu64, &us_lo, &us_hi) == 2)
		return us_lo <= us_hi && us_hi <= DELAY_MAX_US;
	return (sscanf(arg, "every=%" SCNu64, &every) == 1 && every > 0) ||
	       sscanf(arg, "seed=%" SCNu64, &seed) == 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	if (info->version.min > 4 || info->version.cur < API_OLDEST ||
	    info->version.cur > API_NEWEST) {
		fprintf(stderr, "klab-delay: plugin API %d..%d is not one that is known to work\n",
			info->version.min, info->version.cur);
		return -1;
	}
	for (int i = 0; i < argc; i++) {
		if (!parse_arg(argv[i])) {
			fprintf(stderr, "klab-delay: bad argument '%s'\n", argv[i]);
			return -1;
		}
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_qemu_exit, NULL);
	return 0;
}
