// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading BPF programs, or not: see bpf_load.h. */
#include "probes/lib/bpf_load.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

void bpf_load_prepare(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(NULL);
}

enum probe_result bpf_load_skip(struct probe_run *run, int err)
{
	if (err == -ENOSYS)
		return probe_skip(run, "CONFIG_BPF_SYSCALL is off or the kernel is older than "
				       "4.4: bpf(2) says ENOSYS");
	if (err == -EPERM)
		return probe_skip(run, "bpf(2) says EPERM: kernel lockdown or a security module");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL) != 1)
		return probe_skip(run, "no raw tracepoint programs: CONFIG_BPF_EVENTS is off or "
				       "the kernel is older than 4.17");
	return probe_skip(run, "the kernel does not take the programs: '%s'", strerror(-err));
}
