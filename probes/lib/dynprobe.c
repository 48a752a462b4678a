// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel and user probes: see dynprobe.h. */
#include "probes/lib/dynprobe.h"
#include "probes/lib/perf.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#define PATH_SIZE 256

static const char *const control[] = {
	[DYN_KPROBE] = "kprobe_events", [DYN_UPROBE] = "uprobe_events"
};

int dyn_pmu_type(enum dyn_kind kind)
{
	char path[PATH_SIZE];
	uint64_t type;
	int err;

	text_format(path, sizeof(path), "/sys/bus/event_source/devices/%s/type",
		    kind == DYN_KPROBE ? "kprobe" : "uprobe");
	err = file_read_u64(path, &type);
	return err < 0 ? err : (int)type;
}

int dyn_perf_open(int pmu_type, const struct dyn_site *site, struct dyn_scope scope)
{
	struct perf_event_attr attr = {
		.type = pmu_type,
		.config = site->ret, /* bit 0, as the PMU's format/retprobe says since 4.17 */
		.config1 = (uintptr_t)site->target,
		.config2 = site->offset,
		.inherit = scope.inherit,
	};

	return perf_open(&attr, scope.pid, scope.cpu);
}

int dyn_event_define(const char *name, const struct dyn_site *site)
{
	char line[PATH_SIZE];

	text_format(line, sizeof(line), "%c:klab/%s %s%s0x%llx\n", site->ret ? 'r' : 'p', name,
		    site->target, site->kind == DYN_KPROBE ? "+" : ":",
		    (unsigned long long)site->offset);
	return tracefs_write(control[site->kind], line);
}

void dyn_event_remove(const char *name, enum dyn_kind kind)
{
	char line[PATH_SIZE];

	text_format(line, sizeof(line), "-:klab/%s\n", name);
	tracefs_write(control[kind], line);
}

int dyn_event_switch(const char *name)
{
	char file[PATH_SIZE];

	text_format(file, sizeof(file), "events/klab/%s/enable", name);
	return tracefs_open(file);
}

int dyn_event_count(const char *name, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
	};
	char path[PATH_SIZE];
	uint64_t id;
	int err;

	text_format(path, sizeof(path), "%s/events/klab/%s/id", tracefs_root(), name);
	err = file_read_u64(path, &id);
	if (err < 0)
		return err;
	attr.config = id;
	return perf_open(&attr, -1, cpu);
}
