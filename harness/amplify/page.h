/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control page: memory that the lab and the plugin inside QEMU share (a sealed memfd). The lab
 * arms, retunes and reads the plugin through it while the guest runs.
 *
 * Why memory and no socket: nothing in it blocks or fails, the plugin needs no thread inside QEMU's
 * seccomp cage, a vCPU reads its orders in one load, and what the plugin last did survives QEMU's
 * death. QEMU runs a guest that may have taken it over: the lab believes no number that it reads here
 * beyond its bounds, and the plugin clamps what it is told.
 *
 * Order: the lab fills in sites, mode and text, then raises `wanted` (release). The plugin applies
 * that (all code is translated anew) and sets `applied` to the same number. every, us_lo and us_hi of
 * a site, and `armed`, may be changed at any time without that.
 *
 * Plain C, no GLib: the plugin includes it. Both sides are of one build: AMP_MAGIC and the size say
 * so. All fields are naturally aligned; shared ones are accessed by __atomic builtins.
 */
#ifndef KLAB_AMPLIFY_PAGE_H
#define KLAB_AMPLIFY_PAGE_H

#include <stdint.h>

#define AMP_MAGIC UINT64_C(0x31706d6162616c6b) /* "klabamp1", little-endian */
#define AMP_SITES_MAX 512
#define AMP_VCPUS_MAX 256
#define AMP_CANDIDATES_MAX 16384 /* a busy second of a whole kernel has some 13 000 */
#define AMP_LOG_MAX 32768     /* a power of 2 */
#define AMP_TROUBLE_MAX 160
#define AMP_DELAY_MAX_US 5000 /* one delay */
#define AMP_DUTY_MAX 20       /* percent of a vCPU's time */
#define AMP_GRANULE 8         /* bytes: what two accesses must share to meet */

enum amp_at {
	AMP_BEFORE, /* before an instruction in [lo, hi) is executed */
	AMP_ACCESS  /* after each access to memory of such an instruction: a load whose value is not
		     * yet used, a lock that was just taken */
};

struct amp_site {
	/* The lab's; read by the plugin when `wanted` is raised. */
	uint64_t lo, hi; /* half open, addresses of kernel text */
	uint32_t at;     /* enum amp_at */
	int32_t vcpu;    /* the only one that is delayed; -1: any */
	uint32_t after;  /* executions that pass first, on each vCPU */
	uint32_t group;  /* whose share of the duty it uses, 0 or 1: see duty_percent */
	/* The lab's, at any time. */
	uint32_t every;        /* 1 in so many executions is delayed; 0: none */
	uint32_t us_lo, us_hi; /* how long, evenly drawn; at most AMP_DELAY_MAX_US */
	uint32_t unused;
	/* The plugin's, since `applied`. */
	uint64_t delays, slept_us;
	uint64_t conflicts; /* AMP_ACCESS: delays in which another vCPU touched the same granule, one of
			     * the two storing */
};

/* An instruction that touched memory which several vCPUs touch and at least one writes. */
struct amp_candidate {
	uint64_t pc;
	uint64_t loads, stores; /* of granules that are shared so */
	uint64_t execs;         /* accesses altogether */
	uint32_t atomic;        /* a lock prefix or xchg */
	uint32_t unused;
};

struct amp_delay {
	uint64_t at_us;  /* CLOCK_MONOTONIC of the delay's begin */
	uint32_t us;     /* how long it was meant to be */
	uint16_t site;   /* index as of `generation` */
	uint16_t vcpu;
	uint64_t generation; /* `applied` then; 0: this entry is being written */
};

struct amp_vcpu {
	uint64_t delays, slept_us; /* as measured, not as meant */
	uint64_t unused[6];        /* a cache line each */
};

struct amp_page {
	uint64_t magic;
	uint64_t size; /* of this struct */
	uint64_t seed; /* set before the start */

	/* the lab's */
	uint32_t armed;   /* delays are made */
	uint32_t profile; /* look for candidates in [text_lo, text_hi) too */
	uint64_t text_lo, text_hi;
	uint64_t tick; /* address of a kernel function that every vCPU enters often, where the plugin
			* looks for orders; 0: none known */
	uint32_t duty_percent[2]; /* of each group, clamped so that the sum is AMP_DUTY_MAX */
	uint32_t n_sites;
	uint32_t unused;
	uint64_t wanted;

	/* the plugin's */
	uint64_t applied;
	int32_t api_min, api_cur; /* QEMU's plugin API, 0: the plugin was not installed */
	char trouble[AMP_TROUBLE_MAX]; /* why it does nothing; "" if it works. Terminated */
	uint32_t n_candidates; /* of the profile, valid once the next `applied` is there */
	uint32_t n_vcpus;      /* seen so far */
	uint64_t granules_shared, accesses; /* of the profile */
	uint64_t n_log; /* delays ever logged; entry i is at i % AMP_LOG_MAX */

	struct amp_vcpu vcpu[AMP_VCPUS_MAX];
	struct amp_site site[AMP_SITES_MAX];
	struct amp_candidate candidate[AMP_CANDIDATES_MAX];
	struct amp_delay log[AMP_LOG_MAX];
};

#endif
