/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A probe: one stress workload with self-checks, one file, one const record at its bottom.
 *
 * The agent forks a child for a run and calls there, in this order:
 *	setup()		find out what this kernel offers; name the rung; arm things
 *	worker()	one thread per CPU, pinned, until probe_stopped()
 *	sample()	every PROBE_SAMPLE_MS while the workers run: publish counters
 *	check()		after the workers came back: is what was counted what should be there
 *	teardown()	always, also after a failed setup()
 * NULL hooks are left out. setup() and check() end by `return PROBE_PASS` or by one of
 * probe_skip(), probe_fail(), probe_error(), which carry the reason.
 *
 * Hooks of one run are called by one thread, but for worker(); the library owns threads, time
 * limits, cleanup of the child and every record on the wire.
 */
#ifndef KLAB_PROBE_H
#define KLAB_PROBE_H

#include "probes/lib/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_SAMPLE_MS 25
#define PROBE_REASON_MAX 400
#define PROBE_DURATION_S_DEFAULT 15
#define PROBE_PARAMS_MAX 4

enum probe_result {
	PROBE_PASS,
	PROBE_FAIL,  /* the kernel did wrong: the reason begins with one of the words below */
	PROBE_SKIP,  /* the kernel lacks something that the reason names */
	PROBE_ERROR, /* our own trouble */
	PROBE__COUNT
};

/* First words of a PROBE_FAIL's reason, as the judge knows them. */
#define FAIL_CORRUPTION "corruption: "
#define FAIL_LOST_EVENTS "lost-events: "
#define FAIL_KILLED_TASK "killed-task: "
#define FAIL_HUNG_TASK "hung-task: "

/* A knob of a probe, for `klab run --param PROBE.NAME=VALUE`. */
struct probe_param {
	const char *name;    /* [a-z-] */
	const char *summary; /* with its unit, and how the default follows from the CPUs */
	unsigned min, max;   /* min is 1 or more: 0 says that nobody chose */
};

struct probe_run {
	const struct probe *probe;
	unsigned ncpus; /* CPUs with a worker: 0..ncpus-1, at most WIRE_CPUS_MAX */
	uint64_t seed;
	unsigned duration_ms;
	unsigned params[PROBE_PARAMS_MAX]; /* by probe_param() */
	struct wire_status *status;
	const char *rung;       /* setup() names it; static string */
	const char *nmi_source; /* "host", "pmu" or "none"; static string */
	const char *limits[4];  /* what setup() found it could not do; static strings */
	char reason[PROBE_REASON_MAX];
	bool stop; /* by probe_stopped() only */
};

struct probe {
	const char *name, *summary;
	const char *const *hazards;  /* ids of probes/hazards.yaml; none: it measures the lab */
	const char *const *kconfig;  /* "CONFIG_X=y" that it cannot do without */
	const char *const *amplify;  /* globs over kernel symbols, old names and new */
	const char *const *counters; /* names; [0] is the exposure */
	const struct probe_param *params; /* NULL name at the end, or NULL: no knobs */
	unsigned min_cpus;           /* 0 means 1 */
	unsigned duration_s;         /* 0 means PROBE_DURATION_S_DEFAULT */
	bool needs_nmi;              /* the host injects NMIs unless the guest has a PMU */
	unsigned nmi_hz;             /* injections a second that it wants */
	bool by_name;                /* it runs where it is asked for: kernels of today fail it, or
				      * it measures the lab */
	bool proves_engine;          /* sound kernels of any age stand it: see klab doctor --engine */
	enum probe_result (*setup)(struct probe_run *run);
	void (*worker)(struct probe_run *run, unsigned cpu);
	void (*sample)(struct probe_run *run);
	enum probe_result (*check)(struct probe_run *run);
	void (*teardown)(struct probe_run *run);
};

#define PROBE(id) const struct probe probe_##id
#define PARAMS(...) ((const struct probe_param[]){ __VA_ARGS__, { NULL } })
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* All probes of this binary, NULL-terminated: made by klab_probe() in CMake. */
extern const struct probe *const probe_table[];

const struct probe *probe_find(const char *name);

/* Has the run's time come? Cheap; workers ask once a round. */
static inline bool probe_stopped(const struct probe_run *run)
{
	return __atomic_load_n(&run->stop, __ATOMIC_RELAXED);
}

/* The value of the record's parameter i that was asked for, else `fallback`. */
static inline unsigned probe_param(const struct probe_run *run, unsigned i, unsigned fallback)
{
	return run->params[i] ? run->params[i] : fallback;
}

/* Publish the value of counter i. */
static inline void probe_count(struct probe_run *run, unsigned i, uint64_t value)
{
	__atomic_store_n(&run->status->counters[i], value, __ATOMIC_RELAXED);
}

/* printf-style reason, then the result. One sentence, no full stop. */
enum probe_result probe_skip(struct probe_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
enum probe_result probe_fail(struct probe_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
enum probe_result probe_error(struct probe_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Say something to the host at once (one line, cut at 900 bytes). Any thread. */
void probe_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
