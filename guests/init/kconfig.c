// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's own configuration, where it carries it (/proc/config.gz). Only for naming what is
 * missing: a probe finds out by trying.
 */
#include "init.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CONFIG_MAX (4u << 20)

/* What hazards.yaml may ask for, beside what the probes name themselves. */
static const char *const options[] = {
	"CONFIG_SMP",
	"CONFIG_NR_CPUS",
	"CONFIG_PREEMPT",
	"CONFIG_PREEMPT_DYNAMIC",
	"CONFIG_PREEMPT_RT",
	"CONFIG_HARDENED_USERCOPY",
	"CONFIG_VMAP_STACK",
	"CONFIG_BPF_SYSCALL",
	"CONFIG_BPF_JIT",
	"CONFIG_BPF_EVENTS",
	"CONFIG_DEBUG_INFO_BTF",
	"CONFIG_KPROBES",
	"CONFIG_KPROBES_ON_FTRACE",
	"CONFIG_OPTPROBES",
	"CONFIG_KPROBE_EVENTS",
	"CONFIG_UPROBES",
	"CONFIG_UPROBE_EVENTS",
	"CONFIG_JUMP_LABEL",
	"CONFIG_FUNCTION_TRACER",
	"CONFIG_DYNAMIC_FTRACE",
	"CONFIG_FTRACE_SYSCALLS",
	"CONFIG_PERF_EVENTS",
	"CONFIG_SCHEDSTATS",
	"CONFIG_SCHED_DEBUG",
	"CONFIG_MODULES",
	"CONFIG_KALLSYMS",
	"CONFIG_LIVEPATCH",
	"CONFIG_RETPOLINE",
	"CONFIG_X86_KERNEL_IBT",
	"CONFIG_DEBUG_FS",
	"CONFIG_LOCKUP_DETECTOR",
	"CONFIG_KASAN",
	"CONFIG_KCSAN",
	"CONFIG_PROVE_LOCKING",
	"CONFIG_RD_GZIP",
};

static char *text;

void kconfig_load(void)
{
	gzFile f = gzopen("/proc/config.gz", "rb");
	char *buf;
	int n;

	if (!f)
		return;
	buf = malloc(CONFIG_MAX);
	n = buf ? gzread(f, buf, CONFIG_MAX - 1) : 0;
	gzclose(f);
	if (n <= 0) {
		free(buf);
		return;
	}
	buf[n] = '\0';
	text = buf;
}

/* The value of "OPTION=value" at the start of a line, or NULL. */
static const char *value_of(const char *option)
{
	size_t len = strlen(option);

	for (const char *p = text; (p = strstr(p, option)); p += len)
		if ((p == text || p[-1] == '\n') && p[len] == '=')
			return p + len + 1;
	return NULL;
}

json_t *kconfig_json(void)
{
	json_t *all;

	if (!text)
		return NULL;
	all = json_object();
	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const char *value = value_of(options[i]);
		json_t *s = value ? json_stringn(value, strcspn(value, "\n")) : json_string("n");

		json_object_set_new(all, options[i], s);
	}
	return all;
}
