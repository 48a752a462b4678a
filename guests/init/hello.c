// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first record: which kernel this is and what it offers to tracing, found out by trying.
 */
#include "init.h"
#include "status.h"

#include "probes/lib/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

uint64_t taint_read(void)
{
	uint64_t taint = 0;

	file_read_u64("/proc/sys/kernel/tainted", &taint);
	return taint;
}

static uint64_t mem_kib(void)
{
	char buf[256];
	unsigned long long kib = 0;

	if (file_read("/proc/meminfo", buf, sizeof(buf)) > 0)
		sscanf(buf, "MemTotal: %llu", &kib);
	return kib;
}

/* Addresses are all zero to those who may not see them. */
static bool has_kallsyms(void)
{
	char buf[4096];
	unsigned long long addr = 0;
	int n = file_read("/proc/kallsyms", buf, sizeof(buf));

	for (char *p = buf; n > 0 && !addr && p; p = strchr(p, '\n'), p = p ? p + 1 : p)
		sscanf(p, "%llx", &addr);
	return addr != 0;
}

static bool has_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);

	if (fd < 0)
		return errno != ENOSYS;
	close(fd);
	return true;
}

/* Can perf sample cycles: is there a PMU that interrupts? */
static bool has_pmu(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.size = PERF_ATTR_SIZE_VER0,
		.sample_period = 1000000,
		.disabled = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

json_t *hello_json(void)
{
	struct utsname u = { 0 };
	char proc_version[1024] = "", phys[32];
	json_t *hello, *config = kconfig_json();

	uname(&u);
	if (file_read("/proc/version", proc_version, sizeof(proc_version)) < 0)
		proc_version[0] = '\0';
	proc_version[strcspn(proc_version, "\n")] = '\0';
	text_format(phys, sizeof(phys), "0x%llx", (unsigned long long)status_phys());
	hello = json_pack("{si ss ss ss si sI ss sb sb sb sb sI}", "wire", WIRE_VERSION, "release",
			  u.release, "version", u.version, "proc_version", proc_version, "cpus",
			  (int)status_page()->ncpus, "mem_kib", (json_int_t)mem_kib(),
			  "status_phys", phys, "kallsyms", has_kallsyms(), "btf",
			  access("/sys/kernel/btf/vmlinux", R_OK) == 0, "bpf", has_bpf(), "pmu",
			  has_pmu(), "taint", (json_int_t)taint_read());
	if (hello && config)
		json_object_set_new(hello, "config", config);
	return hello;
}
