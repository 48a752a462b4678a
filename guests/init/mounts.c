// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the little world that PID 1 needs out of an initramfs that holds nothing else: device
 * nodes, file systems, settings. Everything is best effort: what a kernel lacks, a probe will name.
 */
#include "init.h"

#include "probes/lib/util.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
	const char *path;
	unsigned major, minor;
} nodes[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/urandom", 1, 9 },
	{ "/dev/kmsg", 1, 11 },  { "/dev/console", 5, 1 }, { "/dev/ttyS0", 4, 64 },
	{ "/dev/ttyS1", 4, 65 },
};

static const struct {
	const char *type, *path;
} mounts[] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "debugfs", "/sys/kernel/debug" },
	{ "tracefs", "/sys/kernel/tracing" },
	{ "bpf", "/sys/fs/bpf" },
	{ "tmpfs", "/tmp" },
};

static const struct {
	const char *path, *value;
} sysctls[] = {
	{ "/proc/sys/kernel/kptr_restrict", "0\n" },
	{ "/proc/sys/kernel/perf_event_paranoid", "-1\n" },
	/* On an emulated CPU every sample looks slow: perf would throttle itself to nothing. */
	{ "/proc/sys/kernel/perf_cpu_time_max_percent", "0\n" },
	{ "/proc/sys/vm/compact_unevictable_allowed", "0\n" },
};

/* The kernel may have started us without any descriptor. */
static void stdio_open(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

void mounts_make(void)
{
	mkdir("/dev", 0755);
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		mknod(nodes[i].path, S_IFCHR | 0600, makedev(nodes[i].major, nodes[i].minor));
	stdio_open();
	for (unsigned i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].path, 0755);
		mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, NULL);
	}
}

void sysctls_set(void)
{
	for (unsigned i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++)
		file_write(sysctls[i].path, sysctls[i].value);
}
