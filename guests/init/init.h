/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the guest agent, PID 1 of every guest. One file each.
 */
#ifndef KLAB_INIT_H
#define KLAB_INIT_H

#include "probes/lib/probe.h"

#include <jansson.h>
#include <poll.h>

/* mounts.c: device nodes, /proc, /sys and what hangs below them; what fails is left out. */
void mounts_make(void);
/* Settings of the kernel that the agent and all probes want. Panic policy is the host's. */
void sysctls_set(void);

/* kconfig.c: read /proc/config.gz once, where CONFIG_IKCONFIG_PROC offers it. */
void kconfig_load(void);
/* JSON object of the options that matter to probes and hazards; NULL if it does not tell. */
json_t *kconfig_json(void);

/* hello.c: who this kernel is. */
json_t *hello_json(void);
uint64_t taint_read(void);

/* symbols.c: send the kernel's text symbols as `symbols` records. */
void symbols_send(void);

/* agent.c: serve the host; returns when the host said bye. */
void agent_serve(void);

/* runner.c */
struct runner {
	const struct probe *probe;
	int pid; /* 0: nothing runs */
	int fd;  /* the child's records, one a line */
	char line[WIRE_LINE_MAX];
	size_t len;
	char end[WIRE_LINE_MAX]; /* the child's `end`, held until it is gone; or "" */
	bool killed;             /* by us: over its limit */
	bool hung;               /* by its own `end` */
	bool stopped;
	uint64_t limit_ns; /* CLOCK_MONOTONIC */
	uint64_t taint;
};

struct runner_order {
	const struct probe *probe;
	unsigned duration_ms;
	unsigned grace_ms; /* for setup, check and teardown; 0: the default, a minute */
	uint64_t seed;
	unsigned params[PROBE_PARAMS_MAX]; /* 0: not chosen */
};

void runner_start(struct runner *r, const struct runner_order *order);
void runner_stop(struct runner *r);
/* Relay what the child said (call when fd is readable). */
void runner_read(struct runner *r);
/* Reap, enforce the time limit; sends the `end` that the child could not send. */
void runner_tick(struct runner *r);

/* child.c: the whole life of a probe's process; never returns. */
void child_main(const struct runner_order *order, int fd) __attribute__((noreturn));
/* JSON of an `end` record. */
json_t *end_json(const struct probe *probe, enum probe_result result, const char *reason);

/* shell.c: the command or shell of `klab boot`. The payloads are those of the records `run`, `in`
 * and `size`. */
#define SHELL_FDS 3
void shell_start(const char *payload);
void shell_input(const char *payload);
void shell_size(const char *payload);
/* What to wait for; returns SHELL_FDS. */
unsigned shell_fds(struct pollfd *p);
void shell_serve(void);
/* Its process, which nobody else must reap; 0: none. */
int shell_pid(void);
/* True once it is over and told. */
bool shell_tick(void);

/* canary.c: the probe behind "canary-FAULT", which is in no list; NULL for any other name. The fault
 * stays chosen: one canary a guest. */
const struct probe *canary_find(const char *name);

/* canary_lock.c: deadlock a CPU through BPF programs on a spin lock function, and with it all. */
enum probe_result canary_lock_prepare(struct probe_run *run);
void canary_lock_happen(void);
enum probe_result canary_lock_check(struct probe_run *run);

/* engine_stress.c: the work of the engine's proof, which is in no list; NULL for any other name. */
const struct probe *engine_stress_find(const char *name);

/* describe.c: the probe records as JSON on stdout. */
int describe_main(void);

/* selftest*.c: checks that need no guest; selftest_main() prints KTAP, returns the exit code. */
int selftest_main(void);
struct selftest {
	const char *name;
	bool (*run)(void);
};
extern const struct selftest selftest_wire[], selftest_runner[]; /* end with a NULL name */

#endif
