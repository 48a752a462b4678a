/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what was seen of one job, or of all jobs of a cell, to a verdict. Pure: no files, no clock.
 *
 * run/ builds a `struct evidence` from a job's journal; judge_job() turns it into a verdict, and
 * judge_cell() joins the verdicts of a cell's jobs. Same evidence, same verdict, byte for byte.
 */
#ifndef KLAB_JUDGE_JUDGE_H
#define KLAB_JUDGE_JUDGE_H

#include "base/lab.h"
#include "conf/console_rules.h"

enum verdict_value {
	VERDICT_AFFECTED,
	VERDICT_CLEAN,
	VERDICT_INCONCLUSIVE,
	VERDICT_UNSUPPORTED,
	VERDICT_INFRA,
	VERDICT__COUNT
};

enum verdict_kind {
	KIND_NONE,
	KIND_DEADLOCK,
	KIND_OOPS,
	KIND_PANIC,		/* only without an earlier oops */
	KIND_LOCKUP,
	KIND_RCU_STALL,
	KIND_HUNG_TASK,
	KIND_CORRUPTION,
	KIND_LOST_EVENTS,
	KIND_KILLED_TASK,
	KIND_SILENT_STOP,
	KIND__COUNT
};

/* "affected", "clean", ... and "deadlock", "rcu-stall", ... (KIND_NONE: ""). */
const char *verdict_value_name(enum verdict_value value);
const char *verdict_kind_name(enum verdict_kind kind);

/* How the guest's run ended, as the session saw it. */
enum job_end {
	JOB_END_UNFINISHED,	/* the journal has no end: the lab died */
	JOB_END_DONE,		/* `end` came and the guest said bye */
	JOB_END_NO_HELLO,	/* the boot limit passed without a hello */
	JOB_END_HANG,		/* liveness lost, confirmed from outside */
	JOB_END_SPLAT,		/* the console showed a fatal splat and the session stopped there */
	JOB_END_GUEST_EXIT,	/* the guest reset or powered off before `bye` */
	JOB_END_ENGINE,		/* the engine died or refused to start */
	JOB_END_TIMEOUT,	/* the job's own limit passed with the guest alive */
	JOB_END_LAB,		/* another failure of ours */
	JOB_END_INTERRUPTED,
	JOB_END_PAUSED,		/* the vCPUs were stopped from outside and nobody let them go on */
	JOB_END__COUNT
};
const char *job_end_name(enum job_end end);
bool job_end_parse(const char *name, enum job_end *ret);

/* Why a job says nothing on its kernel (judge/infra.c; the names are stable, docs/confidence.md). */
enum infra_class {
	INFRA_NONE,		/* the verdict is not infra */
	INFRA_ENGINE_DIED,	/* QEMU died or refused to start */
	INFRA_ENGINE_UNPROVEN,	/* its verdicts do not count on this host */
	INFRA_WEATHER,		/* a fault of the emulator that is known by its looks */
	INFRA_BOOT_LOST,	/* the guest never came up */
	INFRA_HOST_STARVED,	/* the same, while others had the host's CPUs */
	INFRA_PAUSED,		/* the guest was stopped from outside */
	INFRA_PROBE,		/* the probe could not do its work */
	INFRA_AGENT,		/* the guest's agent ended by itself */
	INFRA_INTERRUPTED,	/* stopped by the user, or killed: the journal has no end */
	INFRA_DISK_FULL,
	INFRA_LAB,		/* another failure of ours */
	INFRA__COUNT
};
const char *infra_class_name(enum infra_class class);	/* "engine-died", ...; INFRA_NONE: "" */

/* What the probe said in its `end` record. */
enum probe_result { PROBE_NONE, PROBE_PASS, PROBE_FAIL, PROBE_SKIP, PROBE_ERROR };

#define HANG_FRAMES_MAX 48
#define HANG_CONTEXTS_MAX 4	/* NMI, interrupt, soft interrupt or exception, task */

struct hang_lock {
	uint64_t addr;		/* of the lock that is waited for, or 0 */
	uint32_t word;		/* what lay there */
	const char *name;	/* symbol of that address, or NULL */
	bool guessed;		/* the code that waits has no name: a register that leads to what
				 * reads like a lock */
};

struct hang_cpu {
	uint64_t rip[2];	/* two samples, about a second apart */
	uint64_t rflags[2];
	bool halted[2];
	bool pauses;		/* bytes near rip hold a PAUSE: a spin loop, known without symbols */
	bool beats;		/* its heartbeat still went on */
	const char *stack[24];	/* symbol names, innermost first ([0] is rip's), NULL-terminated when
				 * shorter; names come without +offset; "?" are frames without
				 * symbol */
	/* The rest is absent (NULL, 0) from journals of older klabs. */
	const char *frame[HANG_FRAMES_MAX];	/* the stack for people, NULL-terminated when shorter:
				 * "f+0x1a/0x40", "? f+..." where it is guessed; "<nmi>", "<irq>",
				 * "<int3>", "<exception>" in front of what was interrupted,
				 * "<user>" at the end where that was user mode */
	struct hang_lock lock[HANG_CONTEXTS_MAX];	/* [0] of what runs, [1] of what that
							 * interrupted, ... */
};

#define HANG_TASKS_MAX 16

/* A task that sleeps and that no signal wakes, in a guest whose vCPUs are all idle. */
struct hang_task {
	const char *comm;
	int pid;
	const char *stack[24];	/* as in struct hang_cpu */
	const char *frame[HANG_FRAMES_MAX];
};

/*
 * Did the host hold the vCPUs back while the probe ran? SEEN: liveness said LIVE_STARVED, or the
 * vCPU threads waited for a host CPU for more than a tenth of the run. Lockups and stalls on the
 * console alone are believed only with NONE.
 */
enum starvation { STARVATION_UNKNOWN, STARVATION_NONE, STARVATION_SEEN };

/* When a part of the console came; for dating splats and telling boot from run. */
struct console_mark {
	size_t offset;		/* the first byte of the part */
	int64_t at_us;		/* same clock as evidence */
};

struct evidence {
	enum job_end end;
	const char *end_detail;		/* sentence for the user, or NULL */
	const char *engine_trouble;	/* NULL, or why the engine cannot be trusted */
	const char *console;		/* all of ttyS0 */
	size_t console_len;
	size_t console_dropped;		/* bytes beyond the limit */
	int64_t began_us, ended_us;	/* of the probe's run; 0: never began; guest clock of the host */
	uint64_t taint_before, taint_after;	/* UINT64_MAX: unknown */
	enum probe_result result;
	const char *reason;		/* of the probe's result */
	double exposure;		/* the probe's counter [0] at its end or when last seen */
	double exposure_slack;		/* largest growth between two readings: what may be missing */
	const struct hang_cpu *hang;	/* ncpus entries, or NULL */
	unsigned ncpus;
	const struct hang_task *tasks;	/* n_tasks of `blocked` that sleep, or NULL */
	unsigned n_tasks, blocked;
	const char *no_tasks;		/* why they could not be listed, or NULL */
	int hang_rule;			/* number of the rule that ended it (judge/hang.h), 0: none */
	unsigned wire_torn, wire_lost;
	/* Optional, 0 and NULL are "unknown". Without marks every splat of a job whose probe began
	 * counts as seen while it ran, and failures are dated by ended_us. */
	const struct console_mark *marks;	/* ascending in both fields */
	unsigned n_marks;
	int64_t started_us;	/* the start command was sent: splats count from here on */
	int64_t silent_us;	/* HANG: the last beat of the CPU that went silent first */
	enum starvation starvation;
	bool emulated;			/* by TCG, which has faults of its own */
	/* Rules for the console, or NULL; which hold is asked for the kernel and the day, which may be
	 * NULL: then only rules for all kernels, and none at all. */
	const struct console_rules *rules;
	const char *kernel_id, *release;
	const char *day;		/* "YYYY-MM-DD", UTC: the job started */
	double host_taken;		/* share of the host's CPU time, 0..1, that others had while
					 * the job ran: other processes and, by steal, other
					 * machines */
};

/* A hazard's symptom, from hazards.yaml. */
struct signature {
	enum verdict_kind kind;
	const char *const *frames;	/* NULL-terminated; all must occur in title, console or stacks */
};

struct judged_hazard {
	const char *id;
	const struct signature *signatures;
	unsigned n_signatures;
};

struct verdict {
	enum verdict_value value;
	enum verdict_kind kind;
	char *title;		/* "deadlock: find_vmap_area <- ...", "oops: ... in poke_int3_handler" */
	char *reason;		/* why, in one sentence; never NULL */
	char *excerpt;		/* the lines of the console that carry it, or NULL */
	char *hazard;		/* id of the hazard whose signature matched, or NULL: a new candidate */
	int64_t failed_us;	/* when the failure showed, same clock as evidence; 0 if none */
	double exposure, exposure_slack;
	char **findings;	/* titles of what changes no verdict (WARN, data races), and "allowed:
				 * TITLE (REASON)"; NULL-terminated, without repeats; or NULL */
	bool retry;		/* infra that another try may cure: weather, a boot that got lost */
	bool splat;		/* affected, and the kernel's own console says so in words that a
				 * starved host cannot bring about (no lockup, no stall) */
	bool weak;		/* affected, and nothing but words of a lockup or stall says so: a vCPU
				 * that is merely slow can bring these about, too */
	enum infra_class infra;
};
void verdict_clear(struct verdict *verdict);

struct judge_params {
	const struct judged_hazard *hazards;	/* of the probe */
	unsigned n_hazards;
};

void judge_job(const struct evidence *ev, const struct judge_params *params, struct verdict *ret);

/* What a control told us about a probe: see stats/rate.h. */
struct cell_rule {
	double confidence;	/* asked, e.g. 0.99: clean needs p_missed <= 1 - confidence */
	double rate_lower;	/* lower 95 % limit of the failure rate per unit of exposure, or 0: none */
	bool foretold;		/* some evidence said that this kernel is affected */
	bool one_model;		/* the accelerator has but one CPU model (KVM: the host's) */
};

/* How a job was run. */
struct cell_job {
	int64_t began_us;	/* of the probe's run; 0: it never began */
	const char *cpu_model;	/* borrowed; NULL: unknown */
	bool alone;		/* no other guest of this user ran on the host */
	bool delayed;		/* the amplifier delayed vCPUs */
	uint64_t seed;		/* that the delays were drawn from, among others */
};

struct cell_verdict {
	struct verdict v;
	double confidence;	/* NAN where none can be stated */
	double p_missed;	/* NAN: uncalibrated or neither clean nor short of the bound */
	double time_to_failure_s;	/* NAN: no failure */
};
void cell_verdict_clear(struct cell_verdict *cv);

/*
 * Join a cell's jobs in the order in which they ran (n >= 1). *needs_more says which job is wanted
 * next:
 * - Nothing foretold the failure, the console carries it: repeated under a second CPU model, as an
 *   emulator's fault looks exactly like a kernel's. Seen again: affected; else inconclusive.
 * - Nothing foretold it and no splat carries it (a hang, lost events, a lockup that a starved host may
 *   have brought about): repeated alone on the host and under a second CPU model. Seen in 2 of 2 runs:
 *   affected. In 1 of 2: once more; then 2 of 3 are affected, 1 of 3 is inconclusive.
 * - Words of a lockup or stall in a run with delays are repeated under the same plan and CPU model with
 *   another seed, foretold or not: the delays may have drawn out what takes long anyway. Where a
 *   repetition is due for another reason, it does for both. One without delays that shows nothing
 *   could not tell.
 * - A clean cell runs again, up to three jobs, until its exposure meets the asked confidence.
 * - Infra that another try may cure runs again: once, and up to twice among the repetitions above.
 */
enum cell_needs { CELL_DONE, CELL_RERUN, CELL_SECOND_MODEL, CELL_ALONE, CELL_SECOND_SEED };
void judge_cell(const struct verdict *jobs, const struct cell_job *how, unsigned n,
		const struct cell_rule *rule, struct cell_verdict *ret, enum cell_needs *needs_more);
/* Exposure that clean jobs gained; what is still to be had at `rule` (0: no bound applies). */
double cell_exposure(const struct verdict *jobs, unsigned n);
double cell_exposure_missing(const struct verdict *jobs, unsigned n, const struct cell_rule *rule);

#endif
