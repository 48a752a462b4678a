// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's view of the one probe that runs: fork it, relay its records, end it in time, and say
 * truthfully how it ended if it could not say so itself.
 */
#include "init.h"
#include "link.h"
#include "status.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 40000      /* to set up, check and clean up on a slow host ... */
#define GRACE_CPU_MS 8000   /* ... and so much more a CPU; the host waits a little longer */
#define KILL_WAIT_MS 16000  /* from SIGKILL to "it cannot be killed", and as above */
#define KILL_WAIT_CPU_MS 4000
#define HUNG_WAIT_MS 4000   /* for a process that said itself that a thread of it hangs */
#define TAINT_DIE (1u << 7) /* the kernel oopsed */

static void ktap_send(const struct probe *probe, enum probe_result r, const char *reason)
{
	char line[PROBE_REASON_MAX + 128];
	bool ok = r == PROBE_PASS || r == PROBE_SKIP;

	link_send("ktap", "KTAP version 1");
	link_send("ktap", "1..1");
	text_format(line, sizeof(line), "%s 1 %s%s%s", ok ? "ok" : "not ok", probe->name,
		    r == PROBE_SKIP   ? " # SKIP "
		    : r == PROBE_PASS ? ""
				      : " # ",
		    reason);
	link_send("ktap", line);
}

static void end_send(struct runner *r, enum probe_result result, const char *reason)
{
	ktap_send(r->probe, result, reason);
	link_send_json("end", end_json(r->probe, result, reason));
}

static enum probe_result result_parse(const char *name)
{
	if (!name)
		return PROBE_ERROR;
	return !strcmp(name, "pass")   ? PROBE_PASS
	       : !strcmp(name, "fail") ? PROBE_FAIL
	       : !strcmp(name, "skip") ? PROBE_SKIP
				       : PROBE_ERROR;
}

void runner_start(struct runner *r, const struct runner_order *order)
{
	unsigned grace_ms = GRACE_MS + status_page()->ncpus * GRACE_CPU_MS;
	int fds[2], pid;

	memset(status_page()->counters, 0, sizeof(status_page()->counters));
	*r = (struct runner){ .probe = order->probe, .taint = taint_read() };
	if (pipe2(fds, O_CLOEXEC)) {
		end_send(r, PROBE_ERROR, "no pipe for the probe");
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_main(order, fds[1]);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		end_send(r, PROBE_ERROR, "no process for the probe");
		return;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	r->pid = pid;
	r->fd = fds[0];
	r->limit_ns =
		clock_ns() + (order->duration_ms + (order->grace_ms ?: grace_ms)) * 1000000ull;
}

void runner_stop(struct runner *r)
{
	if (r->pid && !r->stopped)
		kill(r->pid, SIGTERM);
	r->stopped = true;
}

/* A thread that never leaves the kernel keeps its process: the host need not wait long for that. */
static void end_hold(struct runner *r, const char *payload)
{
	text_format(r->end, sizeof(r->end), "%s", payload);
	r->hung = strstr(r->end, "\"" FAIL_HUNG_TASK) != NULL;
	if (r->hung)
		r->limit_ns = clock_ns() + HUNG_WAIT_MS * 1000000ull;
}

static void line_relay(struct runner *r)
{
	char *payload = strchr(r->line, ' ');

	if (!payload)
		return;
	*payload++ = '\0';
	if (!strcmp(r->line, "end"))
		end_hold(r, payload);
	else
		link_send(r->line, payload);
}

/* Pass the child's own end on, once the child is gone: then the agent is free for the next. */
static void end_relay(struct runner *r)
{
	json_t *end = json_loads(r->end, 0, NULL);

	ktap_send(r->probe, result_parse(json_string_value(json_object_get(end, "result"))),
		  json_string_value(json_object_get(end, "reason")) ?: "");
	link_send("end", r->end);
	json_decref(end);
}

void runner_read(struct runner *r)
{
	char buf[4096];
	ssize_t n = r->pid ? read(r->fd, buf, sizeof(buf)) : 0;

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n') {
			r->line[r->len] = '\0';
			line_relay(r);
			r->len = 0;
		} else if (r->len < sizeof(r->line) - 1) {
			r->line[r->len++] = buf[i];
		}
	}
}

/* The child is gone without an end of its own. */
static void death_tell(struct runner *r, int status)
{
	bool oops = (taint_read() & ~r->taint) & TAINT_DIE;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	char reason[PROBE_REASON_MAX];

	if (r->killed)
		text_format(reason, sizeof(reason), "the probe ran over its time limit");
	else if (sig && oops)
		text_format(reason, sizeof(reason),
			    FAIL_KILLED_TASK "signal %d as the kernel oopsed", sig);
	else if (sig)
		text_format(reason, sizeof(reason), "the probe died of signal %d", sig);
	else
		text_format(reason, sizeof(reason), "the probe ended by itself with status %d",
			    WEXITSTATUS(status));
	end_send(r, sig && oops && !r->killed ? PROBE_FAIL : PROBE_ERROR, reason);
}

static void runner_close(struct runner *r)
{
	close(r->fd);
	r->pid = 0;
	r->fd = -1;
	status_phase(WIRE_PHASE_IDLE);
}

static char process_state(int pid)
{
	char path[64], buf[256], *p;

	text_format(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read(path, buf, sizeof(buf)) <= 0)
		return '?';
	p = strrchr(buf, ')');
	return p && p[1] == ' ' ? p[2] : '?';
}

/* SIGKILL did not help for long: the process sits in the kernel. Leave it there. */
static void immortal_tell(struct runner *r)
{
	char reason[PROBE_REASON_MAX];

	text_format(reason, sizeof(reason),
		    FAIL_HUNG_TASK "the probe cannot be killed, it is in state '%c'",
		    process_state(r->pid));
	if (r->end[0]) {
		link_note("the probe ended, and its process cannot be killed");
		end_relay(r);
	} else {
		end_send(r, PROBE_FAIL, reason);
	}
	runner_close(r);
}

void runner_tick(struct runner *r)
{
	int status = 0;

	if (!r->pid)
		return;
	if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
		for (int i = 0; i < 64; i++)
			runner_read(r); /* what is left in the pipe */
		if (r->end[0])
			end_relay(r);
		else
			death_tell(r, status);
		runner_close(r);
	} else if (clock_ns() > r->limit_ns && !r->killed) {
		unsigned kill_wait_ms = KILL_WAIT_MS + status_page()->ncpus * KILL_WAIT_CPU_MS;

		kill(r->pid, SIGKILL);
		r->killed = true;
		r->limit_ns = clock_ns() + (r->hung ? HUNG_WAIT_MS : kill_wait_ms) * 1000000ull;
	} else if (clock_ns() > r->limit_ns) {
		immortal_tell(r);
	}
}
