// SPDX-License-Identifier: GPL-2.0-or-later
/* `info registers -a`: sections "CPU#N" of "NAME=HEX" words; segments read "GS =SEL BASE ...". */
#include "guest/regs.h"

#include <stdlib.h>
#include <string.h>

/* The hex number behind "NAME=" in the section, or 0. */
static uint64_t word(const char *section, const char *end, const char *name)
{
	const char *at = g_strstr_len(section, end - section, name);

	return at ? g_ascii_strtoull(at + strlen(name), NULL, 16) : 0;
}

static uint64_t segment_base(const char *section, const char *end, const char *name)
{
	const char *at = g_strstr_len(section, end - section, name);

	/* "GS =0000 ffff88801f400000 00000000 00000000" */
	return at && end - at > 26 ? g_ascii_strtoull(at + strlen(name) + 5, NULL, 16) : 0;
}

unsigned regs_parse(const char *text, struct guest_regs *ret, unsigned n)
{
	unsigned found = 0;
	const char *at = text;

	memset(ret, 0, n * sizeof(*ret));
	while ((at = strstr(at, "CPU#"))) {
		uint64_t cpu = g_ascii_strtoull(at + 4, NULL, 10);
		const char *next = strstr(at + 4, "CPU#");
		const char *end = next ? next : at + strlen(at);

		if (cpu < n && g_strstr_len(at, end - at, "RIP=")) {
			ret[cpu] = (struct guest_regs){
				.rip = word(at, end, "RIP="),
				.rsp = word(at, end, "RSP="),
				.rbp = word(at, end, "RBP="),
				.rdi = word(at, end, "RDI="),
				.rsi = word(at, end, "RSI="),
				.rbx = word(at, end, "RBX="),
				.rdx = word(at, end, "RDX="),
				.r10 = word(at, end, "R10="),
				.r12 = word(at, end, "R12="),
				.r13 = word(at, end, "R13="),
				.r14 = word(at, end, "R14="),
				.r15 = word(at, end, "R15="),
				.rflags = word(at, end, "RFL="),
				.gs_base = segment_base(at, end, "GS ="),
				.cpl = word(at, end, "CPL="),
				.halted = word(at, end, "HLT=") != 0,
			};
			found++;
		}
		at = end;
	}
	return found;
}
