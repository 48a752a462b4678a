// SPDX-License-Identifier: GPL-2.0-or-later
/* CPUs taken offline and brought back: see hotplug.h. */
#include "probes/lib/hotplug.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#define ON_LIMIT_MS 8000
#define ON_WAIT_MS 50
#define LEAVE_LIMIT_MS 5000 /* for the thread that beats there */
#define LEAVE_WAIT_MS 5

static void cpu_path(char *buf, size_t size, unsigned cpu)
{
	text_format(buf, size, "/sys/devices/system/cpu/cpu%u/online", cpu);
}

static bool is_parked(const struct wire_status *status, unsigned cpu)
{
	return __atomic_load_n(&status->parked[cpu / 64], __ATOMIC_SEQ_CST) >> cpu % 64 & 1;
}

static void park(struct wire_status *status, unsigned cpu, bool on)
{
	uint64_t bit = 1ull << cpu % 64;

	if (on)
		__atomic_fetch_or(&status->parked[cpu / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&status->parked[cpu / 64], ~bit, __ATOMIC_SEQ_CST);
}

/*
 * Real-time threads that may run on the CPU must be gone before it goes: below 5.11 the scheduler
 * may pull one onto it at its very end, and loses it (a warning in set_task_cpu(), timers on a CPU
 * that has none). The thread that beats leaves when it sees its CPU parked; the probe's sampler is
 * the process's first thread.
 */
static bool leave(const struct wire_status *status, unsigned cpu)
{
	uint64_t end = clock_ns() + LEAVE_LIMIT_MS * 1000000ull;
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(getpid(), sizeof(first), &first))
		return false;
	while (__atomic_load_n(&status->cpu[cpu].last_ns, __ATOMIC_SEQ_CST)) {
		if (clock_ns() > end)
			return false;
		sleep_ms(LEAVE_WAIT_MS);
	}
	return true;
}

bool hotplug_possible(unsigned cpu)
{
	char path[64];

	cpu_path(path, sizeof(path), cpu);
	return !access(path, W_OK);
}

int hotplug_off(struct wire_status *status, unsigned cpu)
{
	char path[64];
	int err;

	cpu_path(path, sizeof(path), cpu);
	park(status, cpu, true);
	err = leave(status, cpu) ? file_write(path, "0\n") : -EAGAIN;
	if (err)
		park(status, cpu, false);
	return err;
}

int hotplug_on(struct wire_status *status, unsigned cpu)
{
	uint64_t end = clock_ns() + ON_LIMIT_MS * 1000000ull;
	char path[64];
	int err;

	cpu_path(path, sizeof(path), cpu);
	/* Others may hold hotplug off for a moment: -EBUSY. */
	while ((err = file_write(path, "1\n")) && clock_ns() < end)
		sleep_ms(ON_WAIT_MS);
	if (!err)
		park(status, cpu, false);
	return err;
}

unsigned hotplug_restore(struct wire_status *status)
{
	unsigned lost = 0;

	for (unsigned cpu = 1; cpu < WIRE_CPUS_MAX; cpu++)
		if (is_parked(status, cpu) && hotplug_on(status, cpu))
			lost++;
	return lost;
}
