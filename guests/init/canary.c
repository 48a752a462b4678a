// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The canaries: a probe that idles with exposure while the fault that its name ends in comes about
 * ("canary-panic"), so that the lab can be seen to find it. Faults that a guest can bring about are
 * brought about here; the others come from the host. It is in no list of probes: nobody runs it who
 * does not ask for it by name.
 */
#include "init.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "canary-"
#define FAULT_AFTER_MS 500 /* the host has seen the guest alive by then */
#define TAINT_DIE_TEXT "128\n"
#define STATIC_KEY "/proc/sys/kernel/sched_schedstats"

struct fault {
	const char *name;
	const char *needs;     /* a file, or NULL */
	enum probe_result (*can)(struct probe_run *run); /* skips where the kernel cannot */
	void (*prepare)(void); /* before the run begins */
	void (*happen)(void);  /* once, FAULT_AFTER_MS into it */
	void (*go_on)(void);   /* from then on, every PROBE_SAMPLE_MS */
	void (*stress)(struct probe_run *run); /* on every CPU, until the run's end */
	enum probe_result (*check)(struct probe_run *run); /* after a run that survived */
};

static const struct fault *fault;
static uint64_t begin_ns, samples;
static bool happened;

static void panic_now(void)
{
	file_write("/proc/sysrq-trigger", "c");
}

static void reset_now(void)
{
	file_write("/proc/sysrq-trigger", "b");
}

/* Signals without a handler do not reach PID 1: it has one for this, see agent.c. */
static void kill_init(void)
{
	kill(1, SIGUSR1);
}

static void taint_now(void)
{
	file_write("/proc/sys/kernel/tainted", TAINT_DIE_TEXT);
}

/* The soft lockup detector waits twice this many seconds. */
static void watchdog_hurry(void)
{
	file_write("/proc/sys/kernel/watchdog_thresh", "1\n");
}

/* Who flips keys must not be on the CPU that gets stuck, the last one. */
static void first_cpu_take(void)
{
	cpu_pin(0);
}

/* Text is patched under a cross call to all CPUs, which waits for each of them. */
static void static_key_flip(void)
{
	static bool on;

	on = !on;
	file_write(STATIC_KEY, on ? "1\n" : "0\n");
}

/* /dev/kmsg lets ten lines pass in five seconds until it is told not to care (4.8). */
static void kmsg_open_wide(void)
{
	file_write("/proc/sys/kernel/printk_devkmsg", "on\n");
}

/* Long ways through the kernel, so that a look finds the CPU there. */
static void be_busy(struct probe_run *run)
{
	static char buf[1 << 20];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && !probe_stopped(run))
		if (read(fd, buf, sizeof(buf)) < 0)
			break;
	if (fd >= 0)
		close(fd);
}

static void flood(struct probe_run *run)
{
	static const char line[] =
		"<3>klab canary: a flood of lines that say nothing, one after the other, from "
		"every CPU, as fast as the kernel takes them\n";
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	while (fd >= 0 && !probe_stopped(run))
		if (write(fd, line, sizeof(line) - 1) < 0 && errno != EAGAIN && errno != EINTR)
			break;
	if (fd >= 0)
		close(fd);
}

static const struct fault faults[] = {
	{ .name = "quiet" },
	{ .name = "panic", .needs = "/proc/sysrq-trigger", .happen = panic_now },
	{ .name = "reset", .needs = "/proc/sysrq-trigger", .happen = reset_now },
	{ .name = "killed-init", .happen = kill_init },
	{ .name = "taint", .needs = "/proc/sys/kernel/tainted", .happen = taint_now },
	{ .name = "flood", .needs = "/dev/kmsg", .prepare = kmsg_open_wide, .stress = flood },
	{ .name = "oops" },
	{ .name = "soft-lockup", .prepare = watchdog_hurry, .stress = be_busy },
	{ .name = "stuck-cpu", .stress = be_busy },
	{ .name = "ipi-deadlock",
	  .needs = STATIC_KEY,
	  .prepare = first_cpu_take,
	  .go_on = static_key_flip },
	{ .name = "silent-stop" },
	{ .name = "paused" },
	{ .name = "lock-program",
	  .can = canary_lock_prepare,
	  .happen = canary_lock_happen,
	  .check = canary_lock_check },
	{ NULL },
};

static enum probe_result setup(struct probe_run *run)
{
	enum probe_result r;

	run->rung = "idle";
	if (fault->needs && access(fault->needs, W_OK))
		return probe_skip(run, "this kernel has no '%s'", fault->needs);
	r = fault->can ? fault->can(run) : PROBE_PASS;
	if (r != PROBE_PASS)
		return r;
	if (fault->prepare)
		fault->prepare();
	begin_ns = clock_ns();
	return PROBE_PASS;
}

static void worker(struct probe_run *run, unsigned cpu)
{
	if (fault->stress)
		fault->stress(run);
}

static void sample(struct probe_run *run)
{
	probe_count(run, 0, ++samples);
	if (clock_ns() - begin_ns < FAULT_AFTER_MS * 1000000ull)
		return;
	if (!happened && fault->happen)
		fault->happen();
	happened = true;
	if (fault->go_on)
		fault->go_on();
}

static enum probe_result check(struct probe_run *run)
{
	return fault->check ? fault->check(run) : PROBE_PASS;
}

static PROBE(canary) = {
	.name = "canary",
	.summary = "idles while a fault is provoked",
	.hazards = LIST(NULL),
	.counters = LIST("samples"),
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
};

const struct probe *canary_find(const char *name)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return NULL;
	for (fault = faults; fault->name; fault++)
		if (!strcmp(fault->name, name + strlen(PREFIX)))
			return &probe_canary;
	return NULL;
}
