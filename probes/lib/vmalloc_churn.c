// SPDX-License-Identifier: GPL-2.0-or-later
/* Allocate and free vmalloc areas: see vmalloc_churn.h. */
#include "probes/lib/vmalloc_churn.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHURN_MAPS 16         /* maps a round */
#define CHURN_FORKS 4         /* children alive at once: the kernel's stack cache holds fewer */
#define CHURN_VALUE_OLD 40960 /* bytes: over 32 KiB, where BPF_F_MMAPABLE is not known */

static struct {
	unsigned flags, value; /* value 0: no maps */
} map;

int vmalloc_churn_setup(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4096, 1, &opts);

	map.flags = BPF_F_MMAPABLE;
	map.value = 4096;
	if (fd < 0 && errno == EINVAL) {
		map.flags = 0;
		map.value = CHURN_VALUE_OLD;
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, CHURN_VALUE_OLD, 1, NULL);
	}
	if (fd < 0) {
		map.value = 0;
		return -errno;
	}
	close(fd);
	return 0;
}

/* Create and free a map in one call: the kernel takes the memory, then refuses the name. Unlike
 * close(2), which leaves the freeing to a kworker, this cannot run out of memory. */
static void churn_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = map.value,
		.max_entries = 1,
		.map_flags = map.flags,
		.map_name = "?",
	};
	int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd >= 0)
		close(fd);
}

/* Loaded and dropped, as a module is: its text is mapped, made executable, and given back. */
static void churn_program(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", nothing,
			       sizeof(nothing) / sizeof(*nothing), NULL);

	if (fd >= 0)
		close(fd);
}

static void churn_stacks(void)
{
	int n = 0;

	for (; n < CHURN_FORKS; n++) {
		/* Not fork(3): the children of a threaded process may do nothing but end. */
		long pid = syscall(SYS_fork);

		if (pid == 0)
			syscall(SYS_exit_group, 0);
		if (pid < 0)
			break;
	}
	while (n > 0 && waitpid(-1, NULL, __WNOTHREAD) > 0)
		n--;
}

static void churn_walk(int fd)
{
	char buf[4096];

	if (fd < 0 || lseek(fd, 0, SEEK_SET))
		return;
	for (int i = 0; i < 8 && read(fd, buf, sizeof(buf)) > 0; i++)
		;
}

void vmalloc_churn_open(struct vmalloc_churn *churn)
{
	*churn = (struct vmalloc_churn){
		.walk_fd = open("/proc/vmallocinfo", O_RDONLY | O_CLOEXEC),
	};
}

void vmalloc_churn_round(struct vmalloc_churn *churn, const struct probe_run *run)
{
	for (int i = 0; map.value && i < CHURN_MAPS && !probe_stopped(run); i++)
		churn_map();
	churn_walk(churn->walk_fd);
	if (map.value && churn->rounds % 4 == 2)
		churn_program();
	if (churn->rounds++ % 4 == 0)
		churn_stacks();
}

void vmalloc_churn_close(struct vmalloc_churn *churn)
{
	if (churn->walk_fd >= 0)
		close(churn->walk_fd);
}
