// SPDX-License-Identifier: GPL-2.0-or-later
/* From evidence to verdicts, and from the verdicts of jobs to that of their cell. */
#include "judge/judge.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define SEC G_USEC_PER_SEC
#define IF_OFF 0x46
#define IF_ON 0x246

/* --- consoles ------------------------------------------------------------------------------ */

#define BOOT "[    0.000000] Linux version 6.1.0-56-cloud-amd64\r\n" \
	     "[    1.500000] Run /init as init process\r\n"
#define OOPS_BODY(rip)                                                                             \
	"[    3.100100] #PF: supervisor read access in kernel mode\r\n"                            \
	"[    3.100200] Oops: 0000 [#1] PREEMPT SMP NOPTI\r\n"                                     \
	"[    3.100300] CPU: 1 PID: 71 Comm: text-poke Not tainted 6.1.0 #1\r\n"                   \
	"[    3.100400] RIP: 0010:" rip "+0x2c/0xa0\r\n"                                           \
	"[    3.100500] Call Trace:\r\n"                                                           \
	"[    3.100600]  <TASK>\r\n"                                                               \
	"[    3.100700]  exc_int3+0xe/0x60\r\n"                                                    \
	"[    3.100800] ---[ end trace 0000000000000000 ]---\r\n"
#define OOPS                                                                                       \
	"[    3.100000] BUG: kernel NULL pointer dereference, address: 0000000000000008\r\n"       \
	OOPS_BODY("poke_int3_handler")
#define PANIC_AFTER "[    3.200000] Kernel panic - not syncing: Fatal exception in interrupt\r\n"
#define SYSRQ "[    3.300000] Kernel panic - not syncing: sysrq triggered crash\r\n"
#define SOFT                                                                                       \
	"[   25.000000] watchdog: BUG: soft lockup - CPU#2 stuck for 22s! [churn:71]\r\n"          \
	"[   25.000100] RIP: 0010:native_queued_spin_lock_slowpath+0x6e/0x2c0\r\n"                 \
	"[   25.000200] Call Trace:\r\n"                                                           \
	"[   25.000300]  _raw_spin_lock+0x25/0x30\r\n"                                             \
	"[   25.000400]  find_vmap_area+0x1a/0x40\r\n"                                             \
	"[   25.000500]  __check_object_size+0x1a0/0x240\r\n"
#define SOFT_PANIC "[   25.100000] Kernel panic - not syncing: softlockup: hung tasks\r\n"
#define STALL                                                                                      \
	"[   25.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\r\n"                 \
	"[   25.000100] Call Trace:\r\n"                                                           \
	"[   25.000300]  copy_from_user_nofault+0x25/0x30\r\n"
#define HUNG                                                                                       \
	"[   45.000000] INFO: task churn:71 blocked for more than 30 seconds.\r\n"                 \
	"[   45.000100]       Not tainted 6.1.0 #1\r\n"                                            \
	"[   45.000200] Call Trace:\r\n"                                                           \
	"[   45.000300]  __mutex_lock+0x25/0x30\r\n"
#define WORKQUEUE                                                                                  \
	"[   45.000000] BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for "     \
	"33s!\r\n"
#define WARNED                                                                                     \
	"[    4.000000] WARNING: CPU: 0 PID: 9 at kernel/events/core.c:1 perf_foo+0x1/0x2\r\n"     \
	"[    4.000100] ---[ end trace 0000000000000000 ]---\r\n"
#define INIT_EXIT "[    4.0] \r\n[    4.000000] Kernel panic - not syncing: Attempted to kill init! "
#define NMI_NOISE                                                                                  \
	"[    2.000000] Uhhuh. NMI received for unknown reason 2d on CPU 0.\r\n"                   \
	"[    2.000001] Dazed and confused, but trying to continue\r\n"

/* --- one job ------------------------------------------------------------------------------- */

enum { NOT_BEGUN = 1 << 0, STARVED = 1 << 1, DISTRUSTED = 1 << 2, DROPPED = 1 << 3,
       TAINT_KNOWN = 1 << 4, RETRY = 1 << 5, HOST_UNKNOWN = 1 << 6, WEAK = 1 << 7 };

struct job_case {
	const char *name;
	enum job_end end;
	enum probe_result result;
	const char *reason;
	double exposure;
	const char *console;
	unsigned flags;
	uint64_t new_taint;
	enum verdict_value want;
	enum verdict_kind kind;
	const char *title;	/* part of it, or NULL: must have none */
	const char *why;	/* part of the reason */
};

#define PASSED JOB_END_DONE, PROBE_PASS, NULL, 4800

static const struct job_case job_cases[] = {
	{ "clean", PASSED, BOOT, 0, 0, VERDICT_CLEAN, KIND_NONE, NULL, "exposure 4800" },
	{ "clean in spite of chatter", PASSED, BOOT NMI_NOISE NMI_NOISE, 0, 0, VERDICT_CLEAN },
	{ "pass without exposure", JOB_END_DONE, PROBE_PASS, NULL, 0, BOOT, 0, 0,
	  VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "without exposure" },
	{ "negative exposure", JOB_END_DONE, PROBE_PASS, NULL, -1, BOOT, 0, 0,
	  VERDICT_INCONCLUSIVE },
	{ "exposure is not a number", JOB_END_DONE, PROBE_PASS, NULL, NAN, BOOT, 0, 0,
	  VERDICT_INCONCLUSIVE },
	{ "no console at all", PASSED, NULL, 0, 0, VERDICT_CLEAN },

	/* the lab's own failures say nothing about the kernel, whatever the console shows */
	{ "unfinished", JOB_END_UNFINISHED, PROBE_NONE, NULL, 10, BOOT OOPS, 0, 0, VERDICT_INFRA,
	  KIND_NONE, NULL, "no end" },
	{ "engine died", JOB_END_ENGINE, PROBE_NONE, NULL, 10, BOOT OOPS, 0, 0, VERDICT_INFRA,
	  KIND_NONE, NULL, "engine failed: what happened" },
	{ "lab failed", JOB_END_LAB, PROBE_PASS, NULL, 10, BOOT, 0, 0, VERDICT_INFRA },
	{ "interrupted", JOB_END_INTERRUPTED, PROBE_NONE, NULL, 10, BOOT OOPS, 0, 0,
	  VERDICT_INFRA },
	{ "old engine, clean", PASSED, BOOT, DISTRUSTED, 0, VERDICT_INFRA, KIND_NONE, NULL,
	  "QEMU 7.2 is too old (otherwise clean" },
	{ "old engine, oops", JOB_END_SPLAT, PROBE_NONE, NULL, 10, BOOT OOPS, DISTRUSTED, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "otherwise affected: oops: NULL pointer" },

	/* boots */
	{ "no hello, silent", JOB_END_NO_HELLO, PROBE_NONE, NULL, 0, "", NOT_BEGUN | RETRY, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "console is empty" },
	{ "no hello, last words", JOB_END_NO_HELLO, PROBE_NONE, NULL, 0,
	  BOOT "[    2.0] Freeing unused kernel memory\r\n\r\n", NOT_BEGUN | RETRY, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "ends with '[    2.0] Freeing unused kernel memory'" },
	{ "oops at boot", JOB_END_NO_HELLO, PROBE_NONE, NULL, 0, BOOT OOPS, NOT_BEGUN | RETRY, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "did not boot: oops: NULL pointer dereference in poke_i" },
	{ "no init", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 0,
	  BOOT "[    1.6] \r\n[    1.600000] Kernel panic - not syncing: No working init found.\r\n",
	  NOT_BEGUN | RETRY, 0, VERDICT_INFRA, KIND_NONE, NULL, "did not boot: no working" },
	{ "timer weather", JOB_END_NO_HELLO, PROBE_NONE, NULL, 0,
	  "[    0.100000] Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with\r\n",
	  NOT_BEGUN | RETRY, 0, VERDICT_INFRA, KIND_NONE, NULL, "IO-APIC + timer doesn't work" },
	{ "reset at boot", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 0, BOOT, NOT_BEGUN | RETRY, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "ended before the probe began" },
	{ "hang before the probe", JOB_END_HANG, PROBE_NONE, NULL, 0, BOOT, NOT_BEGUN | RETRY, 0,
	  VERDICT_INFRA, KIND_NONE, NULL, "silent before the probe began" },
	{ "splat before the probe", JOB_END_SPLAT, PROBE_NONE, NULL, 0, BOOT OOPS,
	  NOT_BEGUN | RETRY, 0, VERDICT_INFRA },
	{ "limit before the probe", JOB_END_TIMEOUT, PROBE_NONE, NULL, 0, BOOT, NOT_BEGUN | RETRY,
	  0, VERDICT_INFRA },

	/* splats while the probe ran */
	{ "oops, run stopped", JOB_END_SPLAT, PROBE_NONE, NULL, 10, BOOT OOPS, 0, 0,
	  VERDICT_AFFECTED, KIND_OOPS, "oops: NULL pointer dereference in poke_int3_handler" },
	{ "oops, probe passed", PASSED, BOOT OOPS, 0, 0x80, VERDICT_AFFECTED, KIND_OOPS,
	  "poke_int3_handler" },
	{ "oops, then panic and reset", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 10,
	  BOOT OOPS PANIC_AFTER, 0, 0, VERDICT_AFFECTED, KIND_OOPS, "poke_int3_handler" },
	{ "oops, then hang", JOB_END_HANG, PROBE_NONE, NULL, 10, BOOT OOPS, 0, 0,
	  VERDICT_AFFECTED, KIND_OOPS, "poke_int3_handler" },
	{ "oops and a skip", JOB_END_DONE, PROBE_SKIP, "no bpf", 0, BOOT OOPS, 0, 0,
	  VERDICT_AFFECTED, KIND_OOPS, "poke_int3_handler" },
	{ "panic alone", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 10, BOOT SYSRQ, 0, 0,
	  VERDICT_AFFECTED, KIND_PANIC, "panic: sysrq triggered crash" },
	{ "agent exits", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 10,
	  BOOT INIT_EXIT "exitcode=0x00000300\r\n", 0, 0, VERDICT_INFRA, KIND_NONE, NULL,
	  "agent ended by itself" },
	{ "agent killed", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 10,
	  BOOT INIT_EXIT "exitcode=0x0000000b\r\n", 0, 0, VERDICT_AFFECTED, KIND_KILLED_TASK,
	  "init killed by signal 11" },
	{ "corruption", JOB_END_DONE, PROBE_PASS, NULL, 5,
	  BOOT "[    3.000000] BUG: Bad page state in process x  pfn:12345\r\n", 0, 0x20,
	  VERDICT_AFFECTED, KIND_CORRUPTION, "corruption: bad page state" },
	{ "lockdep", JOB_END_DONE, PROBE_PASS, NULL, 5,
	  BOOT "[    3.000000] WARNING: possible circular locking dependency detected\r\n", 0, 0,
	  VERDICT_AFFECTED, KIND_DEADLOCK, "lockdep: circular locking" },
	{ "hard lockup", JOB_END_DONE, PROBE_PASS, NULL, 5,
	  BOOT "[    3.000000] watchdog: Watchdog detected hard LOCKUP on cpu 1\r\n"
	       "[    3.000001] RIP: 0010:find_vmap_area+0x1/0x2\r\n", STARVED, 0,
	  VERDICT_AFFECTED, KIND_LOCKUP, "hard lockup in find_vmap_area" },
	{ "splat that nobody finds", JOB_END_SPLAT, PROBE_NONE, NULL, 5, BOOT, 0, 0,
	  VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "does not hold" },

	/* lockups and stalls need a second witness */
	{ "soft lockup, host fine", JOB_END_DONE, PROBE_PASS, NULL, 5, BOOT SOFT, WEAK, 0,
	  VERDICT_AFFECTED, KIND_LOCKUP, "soft lockup in find_vmap_area" },
	{ "soft lockup, host starved", JOB_END_DONE, PROBE_PASS, NULL, 5, BOOT SOFT, STARVED, 0,
	  VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "host that held the guest back" },
	{ "soft lockup, host unknown", JOB_END_DONE, PROBE_PASS, NULL, 5, BOOT SOFT, HOST_UNKNOWN,
	  0, VERDICT_INCONCLUSIVE, KIND_NONE, NULL, "may have held" },
	{ "soft lockup panics", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 5, BOOT SOFT SOFT_PANIC,
	  WEAK, 0, VERDICT_AFFECTED, KIND_LOCKUP, "soft lockup in find_vmap_area" },
	{ "soft lockup panics, starved", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 5,
	  BOOT SOFT SOFT_PANIC, STARVED, 0, VERDICT_INCONCLUSIVE },
	{ "stall, host fine", JOB_END_DONE, PROBE_PASS, NULL, 5, BOOT STALL, WEAK, 0,
	  VERDICT_AFFECTED, KIND_RCU_STALL, "RCU stall in copy_from_user_nofault" },
	{ "hung task, host fine", JOB_END_TIMEOUT, PROBE_NONE, NULL, 5, BOOT HUNG, WEAK, 0,
	  VERDICT_AFFECTED, KIND_HUNG_TASK, "hung" },
	{ "workqueue lockup", PASSED, BOOT WORKQUEUE, WEAK, 0, VERDICT_AFFECTED, KIND_LOCKUP,
	  "workqueue lockup" },
	{ "soft lockup, then an oops", JOB_END_SPLAT, PROBE_NONE, NULL, 5, BOOT SOFT OOPS, 0, 0,
	  VERDICT_AFFECTED, KIND_OOPS, "poke_int3_handler" },
	{ "stall, host starved", JOB_END_TIMEOUT, PROBE_NONE, NULL, 5, BOOT STALL, STARVED, 0,
	  VERDICT_INCONCLUSIVE },
	{ "soft lockup, then silence", JOB_END_HANG, PROBE_NONE, NULL, 5, BOOT SOFT, STARVED, 0,
	  VERDICT_AFFECTED, KIND_LOCKUP, "soft lockup in find_vmap_area", "heartbeats stopped" },

	/* endings without a word */
	{ "hang without registers", JOB_END_HANG, PROBE_NONE, NULL, 5, BOOT, 0, 0,
	  VERDICT_AFFECTED, KIND_SILENT_STOP, "silent-stop: heartbeats stopped" },
	{ "triple fault", JOB_END_GUEST_EXIT, PROBE_NONE, NULL, 5, BOOT, 0, 0, VERDICT_AFFECTED,
	  KIND_SILENT_STOP, "silent-stop: the guest reset" },
	{ "limit passed", JOB_END_TIMEOUT, PROBE_NONE, NULL, 5, BOOT, 0, 0, VERDICT_INCONCLUSIVE,
	  KIND_NONE, NULL, "probe unfinished" },

	/* taint */
	{ "taint D", PASSED, BOOT, TAINT_KNOWN, 1 << 7, VERDICT_AFFECTED, KIND_OOPS, "tainted 'D'" },
	{ "taint B", PASSED, BOOT, TAINT_KNOWN, 1 << 5, VERDICT_AFFECTED, KIND_CORRUPTION,
	  "tainted 'B'" },
	{ "taint L", PASSED, BOOT, TAINT_KNOWN | WEAK, 1 << 14, VERDICT_AFFECTED, KIND_LOCKUP, "'L'" },
	{ "taint L, starved", PASSED, BOOT, TAINT_KNOWN | STARVED, 1 << 14, VERDICT_INCONCLUSIVE },
	{ "taint W unseen", PASSED, BOOT, TAINT_KNOWN, 1 << 9, VERDICT_INCONCLUSIVE, KIND_NONE,
	  NULL, "taint 'W'" },
	{ "taint W seen", PASSED, BOOT WARNED, TAINT_KNOWN, 1 << 9, VERDICT_CLEAN },
	{ "taint of others", PASSED, BOOT, TAINT_KNOWN, 1 << 12, VERDICT_CLEAN },
	{ "taint unknown", PASSED, BOOT, 0, 1 << 7, VERDICT_CLEAN },
	{ "console dropped", PASSED, BOOT, DROPPED, 0, VERDICT_INCONCLUSIVE, KIND_NONE, NULL,
	  "77 bytes of the console" },
	{ "console dropped, taint same", PASSED, BOOT, DROPPED | TAINT_KNOWN, 0, VERDICT_CLEAN },

	/* self-checks */
	{ "fail: lost", JOB_END_DONE, PROBE_FAIL, "12 of 400 hits lost", 5, BOOT, 0, 0,
	  VERDICT_AFFECTED, KIND_LOST_EVENTS, "lost-events: 12 of 400 hits lost" },
	{ "fail: wrong bytes", JOB_END_DONE, PROBE_FAIL, "read 0x00 where 0x5a was written", 5,
	  BOOT, 0, 0, VERDICT_AFFECTED, KIND_CORRUPTION, "corruption: read 0x00" },
	{ "fail: killed", JOB_END_DONE, PROBE_FAIL, "worker killed by signal 11", 5, BOOT, 0, 0,
	  VERDICT_AFFECTED, KIND_KILLED_TASK, "killed-task: worker" },
	{ "fail without words", JOB_END_DONE, PROBE_FAIL, NULL, 5, BOOT, 0, 0, VERDICT_AFFECTED,
	  KIND_CORRUPTION, "self-check failed" },
	{ "skip", JOB_END_DONE, PROBE_SKIP, "CONFIG_BPF_SYSCALL is off", 0, BOOT, 0, 0,
	  VERDICT_UNSUPPORTED, KIND_NONE, NULL, "CONFIG_BPF_SYSCALL is off" },
	{ "skip before it began", JOB_END_DONE, PROBE_SKIP, "no kprobes", 0, BOOT, NOT_BEGUN, 0,
	  VERDICT_UNSUPPORTED, KIND_NONE, NULL, "no kprobes" },
	{ "error", JOB_END_DONE, PROBE_ERROR, "fork: out of memory", 5, BOOT, 0, 0, VERDICT_INFRA,
	  KIND_NONE, NULL, "fork: out of memory" },
	{ "bye without end", JOB_END_DONE, PROBE_NONE, NULL, 5, BOOT, 0, 0, VERDICT_INFRA,
	  KIND_NONE, NULL, "without a result" },
};

static struct evidence evidence_make(const struct job_case *jc)
{
	return (struct evidence){
		.end = jc->end,
		.end_detail = "what happened",
		.engine_trouble = jc->flags & DISTRUSTED ? "QEMU 7.2 is too old" : NULL,
		.console = jc->console,
		.console_len = jc->console ? strlen(jc->console) : 0,
		.console_dropped = jc->flags & DROPPED ? 77 : 0,
		.began_us = jc->flags & NOT_BEGUN ? 0 : 2 * SEC,
		.ended_us = 20 * SEC,
		.taint_before = jc->flags & TAINT_KNOWN ? 1 : UINT64_MAX,
		.taint_after = jc->flags & TAINT_KNOWN ? 1 | jc->new_taint : jc->new_taint,
		.result = jc->result,
		.reason = jc->reason,
		.exposure = jc->exposure,
		.starvation = jc->flags & STARVED      ? STARVATION_SEEN :
			      jc->flags & HOST_UNKNOWN ? STARVATION_UNKNOWN :
							 STARVATION_NONE,
	};
}

static void check_job(const struct job_case *jc, const struct verdict *v)
{
	if (v->value != jc->want || v->kind != jc->kind)
		fail_msg("%s: %s/%s '%s' (%s)", jc->name, verdict_value_name(v->value),
			 verdict_kind_name(v->kind), v->title, v->reason);
	if (jc->title ? !v->title || !strstr(v->title, jc->title) : v->title != NULL)
		fail_msg("%s: title '%s'", jc->name, v->title);
	if (!v->reason || (jc->why && !strstr(v->reason, jc->why)))
		fail_msg("%s: reason '%s'", jc->name, v->reason);
	if ((v->value == VERDICT_AFFECTED) != (v->failed_us != 0))
		fail_msg("%s: failed at %ld", jc->name, (long)v->failed_us);
	if (v->retry != !!(jc->flags & RETRY))
		fail_msg("%s: retry", jc->name);
	if (v->weak != !!(jc->flags & WEAK) || (v->weak && v->splat))
		fail_msg("%s: weak %d, splat %d", jc->name, v->weak, v->splat);
}

static void test_jobs(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(job_cases); i++) {
		struct evidence ev = evidence_make(&job_cases[i]);
		struct judge_params params = { 0 };
		struct verdict v, again;

		judge_job(&ev, &params, &v);
		check_job(&job_cases[i], &v);
		judge_job(&ev, &params, &again);
		assert_string_equal(v.reason, again.reason);
		assert_int_equal(g_strcmp0(v.title, again.title), 0);
		assert_int_equal(g_strcmp0(v.excerpt, again.excerpt), 0);
		verdict_clear(&v);
		verdict_clear(&again);
	}
}

/* Every ending with every result: a verdict with a reason, and clean only in the one way. */
static void test_all_pairs(void **unused)
{
	for (unsigned end = 0; end < JOB_END__COUNT; end++) {
		for (unsigned result = PROBE_NONE; result <= PROBE_ERROR; result++) {
			const struct job_case jc = { "pair", end, result, "x", 5, BOOT };
			struct evidence ev = evidence_make(&jc);
			struct judge_params params = { 0 };
			struct verdict v;

			judge_job(&ev, &params, &v);
			assert_non_null(v.reason);
			if (v.value == VERDICT_CLEAN &&
			    (end != JOB_END_DONE || result != PROBE_PASS))
				fail_msg("%s with result %u is clean", job_end_name(end), result);
			verdict_clear(&v);
		}
	}
}

/* A splat counts from the start command on; before it the kernel merely did not boot well. */
static void test_marks(void **unused)
{
	static const char console[] = BOOT OOPS;
	struct console_mark marks[] = { { 0, SEC }, { strlen(BOOT), 3 * SEC } };
	struct evidence ev = { .end = JOB_END_DONE, .result = PROBE_PASS, .exposure = 5,
			       .console = console, .console_len = strlen(console),
			       .taint_before = UINT64_MAX, .taint_after = UINT64_MAX,
			       .ended_us = 20 * SEC, .marks = marks, .n_marks = 2 };
	static const struct {
		int64_t started_us, began_us;
		enum verdict_value want;
	} cases[] = {
		{ 0, 2 * SEC, VERDICT_AFFECTED }, { 0, 4 * SEC, VERDICT_CLEAN },
		{ 2 * SEC, 4 * SEC, VERDICT_AFFECTED }, { 4 * SEC, 5 * SEC, VERDICT_CLEAN },
		{ 2 * SEC, 0, VERDICT_AFFECTED },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct judge_params params = { 0 };
		struct verdict v;

		ev.started_us = cases[i].started_us;
		ev.began_us = cases[i].began_us;
		judge_job(&ev, &params, &v);
		assert_int_equal(v.value, cases[i].want);
		assert_int_equal(v.failed_us, cases[i].want == VERDICT_AFFECTED ? 3 * SEC : 0);
		verdict_clear(&v);
	}
}

static void test_findings(void **unused)
{
	static const char console[] = BOOT WARNED WARNED
		"[    5.000000] BUG: KCSAN: data-race in foo / bar\r\n";
	struct evidence ev = { .end = JOB_END_DONE, .result = PROBE_PASS, .exposure = 5,
			       .console = console, .console_len = strlen(console),
			       .taint_before = UINT64_MAX, .taint_after = UINT64_MAX,
			       .began_us = SEC, .ended_us = 20 * SEC };
	struct judge_params params = { 0 };
	struct verdict v;

	judge_job(&ev, &params, &v);
	assert_int_equal(v.value, VERDICT_CLEAN);
	assert_string_equal(v.findings[0], "WARN in perf_foo");
	assert_string_equal(v.findings[1], "data race: foo / bar");
	assert_null(v.findings[2]);
	verdict_clear(&v);
}

/* --- hangs --------------------------------------------------------------------------------- */

#define KERNEL_RIP { 0xffffffff81001000, 0xffffffff81001010 }
#define SPIN "native_queued_spin_lock_slowpath"
#define WAITER { SPIN, "_raw_spin_lock", "alloc_vmap_area", "__vmalloc_node_range", "copy_process" }
#define CULPRIT                                                                                    \
	{ SPIN, "_raw_spin_lock", "find_vmap_area", "__check_object_size", "copy_from_user_nofault", \
	  "bpf_probe_read_user", "?", "bpf_trace_run2", "nmi_handle", "exc_nmi", "end_repeat_nmi" }

struct hang_case {
	const char *name;
	unsigned ncpus;
	struct hang_cpu cpu[4];
	enum verdict_kind kind;
	const char *title, *why, *hazard;
};

static const struct hang_case hang_cases[] = {
	{ "hazard A on four vCPUs", 4,
	  { { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = WAITER },
	    { KERNEL_RIP, { IF_ON, IF_ON }, .stack = WAITER },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = CULPRIT },
	    { KERNEL_RIP, { IF_ON, IF_ON }, .stack = WAITER } },
	  KIND_DEADLOCK,
	  "deadlock: find_vmap_area <- __check_object_size <- copy_from_user_nofault <- bpf <- nmi",
	  "vCPUs 0,1,2,3 stopped; top symbols: native_queued_spin_lock_slowpath (0,1,2,3)", "A" },
	{ "hazard A on one vCPU", 1, { { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = CULPRIT } },
	  KIND_DEADLOCK, "find_vmap_area", "vCPUs 0 stopped", "A" },
	{ "one spins, the others live", 2,
	  { { KERNEL_RIP, { IF_ON, IF_ON }, .beats = true, .stack = { "do_sys_poll" } },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = WAITER } },
	  KIND_DEADLOCK, "deadlock: alloc_vmap_area <- __vmalloc_node_range", "vCPUs 1 stopped" },
	{ "no symbols", 4,
	  { { KERNEL_RIP, { IF_OFF, IF_OFF }, .pauses = true },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, .pauses = true },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, .pauses = true, .stack = { "?" } },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, .pauses = true } },
	  KIND_DEADLOCK, "deadlock: vCPUs 0,1,2,3 spin (no symbols)", "vCPUs 0,1,2,3 stopped" },
	{ "only the lock is known", 1, { { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = { SPIN } } },
	  KIND_DEADLOCK, "deadlock: " SPIN, SPIN " (0)" },
	{ "runs with IRQs off", 2,
	  { { KERNEL_RIP, { IF_OFF, IF_OFF }, .stack = { "some_loop", "vfs_read" } },
	    { KERNEL_RIP, { IF_ON, IF_ON }, { true, true }, .stack = { "default_idle" } } },
	  KIND_LOCKUP, "lockup: some_loop <- vfs_read", "some_loop (0), default_idle (1)" },
	{ "spun once, then ran far away", 1,
	  { { { 0xffffffff81001000, 0xffffffff81fff000 }, { IF_OFF, IF_OFF }, .pauses = true,
	      .stack = { "some_loop" } } },
	  KIND_LOCKUP, "lockup: some_loop", "some_loop (0)" },
	{ "user mode", 1, { { { 0x401000, 0x401010 }, { IF_ON, IF_ON } } },
	  KIND_LOCKUP, "lockup: vCPUs 0 run user code", "vCPUs 0 stopped" },
	{ "dead CPU", 2,
	  { { KERNEL_RIP, { IF_ON, IF_ON }, .beats = true },
	    { KERNEL_RIP, { IF_OFF, IF_OFF }, { true, true }, .stack = { "stop_this_cpu" } } },
	  KIND_SILENT_STOP, "silent-stop: vCPUs 1 halted with IRQs off", "vCPUs 1 stopped" },
	{ "all sleep", 2,
	  { { KERNEL_RIP, { IF_ON, IF_ON }, { true, true }, .stack = { "default_idle" } },
	    { KERNEL_RIP, { IF_ON, IF_ON }, { true, true }, .stack = { "default_idle" } } },
	  KIND_SILENT_STOP, "silent-stop: vCPUs 0,1 halted", "default_idle (0,1)" },
	{ "alive after all", 1, { { KERNEL_RIP, { IF_ON, IF_ON }, .beats = true } },
	  KIND_SILENT_STOP, "then went on", "heartbeats of vCPUs -" },
};

static const char *const frames_a[] = { "find_vmap_area", "__check_object_size", NULL };
static const char *const frames_b[] = { "poke_int3_handler", NULL };
static const struct signature sig_a = { KIND_DEADLOCK, frames_a };
static const struct signature sig_b = { KIND_OOPS, frames_b };
static const struct judged_hazard hazards[] = { { "A", &sig_a, 1 }, { "B", &sig_b, 1 } };
static const struct judge_params known = { hazards, 2 };

static void test_hangs(void **unused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(hang_cases); i++) {
		const struct hang_case *hc = &hang_cases[i];
		struct evidence ev = { .end = JOB_END_HANG, .began_us = SEC, .ended_us = 9 * SEC,
				       .silent_us = 2 * SEC, .hang = hc->cpu, .ncpus = hc->ncpus,
				       .taint_before = UINT64_MAX, .taint_after = UINT64_MAX };
		struct verdict v;

		judge_job(&ev, &known, &v);
		if (v.value != VERDICT_AFFECTED || v.kind != hc->kind ||
		    !strstr(v.title, hc->title) || !strstr(v.reason, hc->why) ||
		    g_strcmp0(v.hazard, hc->hazard))
			fail_msg("%s: %s '%s' (%s) hazard %s", hc->name, verdict_kind_name(v.kind),
				 v.title, v.reason, v.hazard);
		assert_non_null(strstr(v.excerpt, "vCPU 0: "));
		assert_int_equal(v.failed_us, 2 * SEC);
		verdict_clear(&v);
	}
}

static void test_signatures(void **unused)
{
	static const struct {
		const char *console;
		enum job_end end;
		const char *hazard;
	} cases[] = {
		{ BOOT OOPS, JOB_END_SPLAT, "B" },
		{ BOOT SOFT, JOB_END_TIMEOUT, "A" },	/* shows as a lockup, is the deadlock */
		{ BOOT STALL, JOB_END_TIMEOUT, NULL },
		{ BOOT "[    3.100000] BUG: kernel NULL pointer dereference, address: 08\r\n"
		       OOPS_BODY("vfs_read"), JOB_END_SPLAT, NULL },
		{ BOOT "[    3.100000] BUG: kernel NULL pointer dereference, address: 08\r\n"
		       OOPS_BODY("smp_text_poke_int3_handler"), JOB_END_SPLAT, NULL },
		{ BOOT SYSRQ, JOB_END_GUEST_EXIT, NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct job_case jc = { "signature", cases[i].end, PROBE_NONE, NULL, 5,
					     cases[i].console };
		struct evidence ev = evidence_make(&jc);
		struct verdict v;

		judge_job(&ev, &known, &v);
		assert_int_equal(v.value, VERDICT_AFFECTED);
		if (g_strcmp0(v.hazard, cases[i].hazard))
			fail_msg("case %u: hazard %s of '%s'", i, v.hazard, v.title);
		verdict_clear(&v);
	}
}

/* --- names --------------------------------------------------------------------------------- */

static void test_names(void **unused)
{
	for (unsigned i = 0; i < JOB_END__COUNT; i++) {
		enum job_end end = JOB_END__COUNT;

		assert_true(job_end_parse(job_end_name(i), &end));
		assert_int_equal(end, i);
	}
	assert_false(job_end_parse("nonsense", &(enum job_end){ 0 }));
	assert_false(job_end_parse(NULL, &(enum job_end){ 0 }));
	for (unsigned i = 0; i < VERDICT__COUNT; i++)
		assert_non_null(verdict_value_name(i));
	for (unsigned i = 0; i < KIND__COUNT; i++)
		assert_non_null(verdict_kind_name(i));
	assert_string_equal(verdict_kind_name(KIND_RCU_STALL), "rcu-stall");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),	   cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_marks),	   cmocka_unit_test(test_findings),
		cmocka_unit_test(test_hangs),	   cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
