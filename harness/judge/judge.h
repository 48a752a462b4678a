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
	JOB_END__COUNT
};
const char *job_end_name(enum job_end end);
bool job_end_parse(const char *name, enum job_end *ret);

/* What the probe said in its `end` record. */
enum probe_result { PROBE_NONE, PROBE_PASS, PROBE_FAIL, PROBE_SKIP, PROBE_ERROR };

struct hang_cpu {
	uint64_t rip[2];	/* two samples, about a second apart */
	uint64_t rflags[2];
	bool halted[2];
	bool pauses;		/* bytes near rip hold a PAUSE: a spin loop, known without symbols */
	bool beats;		/* its heartbeat still went on */
	const char *stack[24];	/* symbol names, innermost first ([0] is rip's), NULL-terminated when
				 * shorter; names come without +offset; "?" are frames without symbol */
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
	bool amplified;
	const struct hang_cpu *hang;	/* ncpus entries, or NULL */
	unsigned ncpus;
	unsigned wire_torn, wire_lost;
	/* Optional, 0 and NULL are "unknown". Without marks every splat of a job whose probe began
	 * counts as seen while it ran, and failures are dated by ended_us. */
	const struct console_mark *marks;	/* ascending in both fields */
	unsigned n_marks;
	int64_t started_us;	/* the start command was sent: splats count from here on */
	int64_t silent_us;	/* HANG: the last beat of the CPU that went silent first */
	enum starvation starvation;
	bool emulated;			/* by TCG, which has faults of its own */
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
	char **findings;	/* titles of what changes no verdict (WARN, data races), NULL-terminated,
				 * without repeats; or NULL */
	bool retry;		/* infra that another try may cure: weather, a boot that got lost */
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
	bool second_model;	/* the last job ran under a second CPU model, to confirm */
};

struct cell_verdict {
	struct verdict v;
	double confidence;	/* NAN where none can be stated */
	double p_missed;	/* NAN: uncalibrated or neither clean nor short of the bound */
	double time_to_failure_s;	/* NAN: no failure */
};
void cell_verdict_clear(struct cell_verdict *cv);

/*
 * Join a cell's jobs in the order in which they ran (n >= 1). A failure seen in any job is affected,
 * except that an unforetold one which a second CPU model does not confirm is inconclusive. Exposure
 * of clean jobs adds up. *needs_more says that another job is wanted: infra weather runs again once, a
 * clean cell up to three times until its exposure meets the asked confidence, a surprise once under
 * a second CPU model.
 */
enum cell_needs { CELL_DONE, CELL_RERUN, CELL_SECOND_MODEL };
void judge_cell(const struct verdict *jobs, const int64_t *began_us, unsigned n,
		const struct cell_rule *rule, struct cell_verdict *ret, enum cell_needs *needs_more);

#endif
