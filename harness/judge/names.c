// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of verdicts, kinds and endings, as they stand in journals, result.json and messages. */
#include "judge/judge.h"

const char *verdict_value_name(enum verdict_value value)
{
	static const char *const names[VERDICT__COUNT] = {
		[VERDICT_AFFECTED] = "affected", [VERDICT_CLEAN] = "clean",
		[VERDICT_INCONCLUSIVE] = "inconclusive", [VERDICT_UNSUPPORTED] = "unsupported",
		[VERDICT_INFRA] = "infra",
	};

	return names[value];
}

const char *verdict_kind_name(enum verdict_kind kind)
{
	static const char *const names[KIND__COUNT] = {
		[KIND_NONE] = "", [KIND_DEADLOCK] = "deadlock", [KIND_OOPS] = "oops",
		[KIND_PANIC] = "panic", [KIND_LOCKUP] = "lockup", [KIND_RCU_STALL] = "rcu-stall",
		[KIND_HUNG_TASK] = "hung-task", [KIND_CORRUPTION] = "corruption",
		[KIND_LOST_EVENTS] = "lost-events", [KIND_KILLED_TASK] = "killed-task",
		[KIND_SILENT_STOP] = "silent-stop",
	};

	return names[kind];
}

static const char *const end_names[JOB_END__COUNT] = {
	[JOB_END_UNFINISHED] = "unfinished", [JOB_END_DONE] = "done",
	[JOB_END_NO_HELLO] = "no-hello", [JOB_END_HANG] = "hang", [JOB_END_SPLAT] = "splat",
	[JOB_END_GUEST_EXIT] = "guest-exit", [JOB_END_ENGINE] = "engine",
	[JOB_END_TIMEOUT] = "timeout", [JOB_END_LAB] = "lab",
	[JOB_END_INTERRUPTED] = "interrupted", [JOB_END_PAUSED] = "paused",
};

const char *job_end_name(enum job_end end)
{
	return end_names[end];
}

bool job_end_parse(const char *name, enum job_end *ret)
{
	for (unsigned i = 0; name && i < JOB_END__COUNT; i++) {
		if (!g_str_equal(name, end_names[i]))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

void verdict_clear(struct verdict *verdict)
{
	g_free(verdict->title);
	g_free(verdict->reason);
	g_free(verdict->excerpt);
	g_free(verdict->hazard);
	g_strfreev(verdict->findings);
	*verdict = (struct verdict){ 0 };
}

void cell_verdict_clear(struct cell_verdict *cv)
{
	verdict_clear(&cv->v);
	*cv = (struct cell_verdict){ 0 };
}
