// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gives a sibling to the leader of a perf group whose CPU was offline meanwhile, and closes the
 * leader first.
 *
 * A CPU that goes offline cuts the groups of its events for good (DETACH_GROUP), yet
 * perf_event_open() goes on to take siblings for such a leader. When the leader is closed,
 * perf_group_detach() takes it for one that has no group any more and leaves the sibling, whose
 * list points to memory that is freed then: the sibling's own removal writes there.
 *
 * So: a few rounds of that, with new events in between that get the memory. The kernel's checks of
 * its lists tell, where it has them (CONFIG_DEBUG_LIST); else a new event whose count of siblings
 * went wrong.
 */
#include "probes/lib/event_ring.h"
#include "probes/lib/hotplug.h"
#include "probes/lib/probe.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIBLINGS 4
#define SIBLINGS_MAX 16
#define REUSE 64     /* events that may get the leader's memory */
#define FREED_MS 200 /* what RCU frees is freed then, mostly */

enum counter { COUNT_TRIED, COUNT_REFUSED };

static struct {
	uint64_t tried, refused;
	uint64_t rand;
	uint64_t wrong;   /* members of a group of one, as the kernel says */
	uint64_t last_ns; /* later none is taken offline: a slow host needs seconds for that */
	bool stuck;       /* a CPU did not come back */
} state;

static int event_on(unsigned cpu, int group)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = PERF_ATTR_SIZE_VER3,
		.read_format = PERF_FORMAT_GROUP,
	};

	return event_open(&attr, -1, cpu, group);
}

static void events_open(int *fd, unsigned n, unsigned cpu, int group)
{
	for (unsigned i = 0; i < n; i++)
		fd[i] = event_on(cpu, group);
}

static void events_close(const int *fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* Each is a group of its own: read(2) says how many are in it, then their values. */
static void groups_check(const int *fd, unsigned n)
{
	uint64_t words[2 + SIBLINGS_MAX];

	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0 && read(fd[i], words, sizeof(words)) > 0 && words[0] != 1)
			state.wrong = words[0];
}

/* A leader that lived on while its CPU was away; negative: it could not be had. */
static int leader_of_old(struct probe_run *run, unsigned cpu)
{
	int leader = event_on(cpu, -1);

	if (leader < 0)
		return leader;
	if (!hotplug_off(run->status, cpu)) {
		state.stuck = hotplug_on(run->status, cpu);
		if (!state.stuck)
			return leader;
	}
	close(leader);
	return -EAGAIN;
}

static void round_once(struct probe_run *run)
{
	unsigned cpu = 1 + rand_next(&state.rand) % (run->ncpus - 1);
	unsigned n = probe_param(run, 0, SIBLINGS);
	int leader = leader_of_old(run, cpu), sibling[SIBLINGS_MAX], other[REUSE];

	if (leader < 0)
		return;
	events_open(sibling, n, cpu, leader);
	close(leader);
	sleep_ms(FREED_MS);
	events_open(other, REUSE, cpu, -1);
	events_close(sibling, n);
	groups_check(other, REUSE);
	events_close(other, REUSE);
	__atomic_store_n(&state.tried, state.tried + 1, __ATOMIC_RELAXED);
	if (sibling[0] < 0)
		__atomic_store_n(&state.refused, state.refused + 1, __ATOMIC_RELAXED);
}

static void worker(struct probe_run *run, unsigned cpu)
{
	if (cpu)
		return;
	while (!probe_stopped(run) && !state.stuck) {
		if (clock_ns() < state.last_ns)
			round_once(run);
		sleep_ms(10);
	}
}

static enum probe_result setup(struct probe_run *run)
{
	int fd = event_on(1, -1);

	if (fd == -ENOSYS)
		return probe_skip(run, "CONFIG_PERF_EVENTS is off: perf_event_open says ENOSYS");
	if (fd < 0)
		return probe_skip(run, "no perf events of a CPU: perf_event_open says '%s'",
				  strerror(-fd));
	close(fd);
	if (!hotplug_possible(1))
		return probe_skip(run, "CONFIG_HOTPLUG_CPU is off: no CPU can be taken offline");
	state.rand = run->seed * 2 + 1;
	state.last_ns = clock_ns() + run->duration_ms * 3 / 4 * 1000000ull;
	run->rung = "perf_event_open";
	return PROBE_PASS;
}

static void sample(struct probe_run *run)
{
	probe_count(run, COUNT_TRIED, __atomic_load_n(&state.tried, __ATOMIC_RELAXED));
	probe_count(run, COUNT_REFUSED, __atomic_load_n(&state.refused, __ATOMIC_RELAXED));
}

static enum probe_result check(struct probe_run *run)
{
	sample(run);
	if (hotplug_restore(run->status))
		probe_note("a CPU that was taken offline did not come back");
	if (state.wrong)
		return probe_fail(run, FAIL_CORRUPTION "a group of one event has %lld, it says",
				  (long long)state.wrong);
	return PROBE_PASS;
}

static void teardown(struct probe_run *run)
{
	hotplug_restore(run->status);
}

PROBE(perf_group_offline) = {
	.name = "perf-group-offline",
	.summary = "perf groups get siblings after their leader's CPU was offline",
	.hazards = LIST("perf-group-offline-uaf"),
	.kconfig = LIST("CONFIG_PERF_EVENTS=y", "CONFIG_HOTPLUG_CPU=y"),
	.amplify = LIST("perf_group_detach", "perf_remove_from_context"),
	.counters = LIST("joins-tried", "joins-refused"),
	.params = PARAMS({ "siblings", "events that join one leader (4)", 1, SIBLINGS_MAX }),
	.min_cpus = 2,
	.duration_s = 15,
	.by_name = true,
	.setup = setup,
	.worker = worker,
	.sample = sample,
	.check = check,
	.teardown = teardown,
};
