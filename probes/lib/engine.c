// SPDX-License-Identifier: GPL-2.0-or-later
/* Under what the kernel runs: see engine.h. */
#include "probes/lib/engine.h"

#include <cpuid.h>
#include <string.h>

#define LEAF_HYPERVISOR 0x40000000u

bool engine_emulates(void)
{
	unsigned eax, regs[3];

	__cpuid(LEAF_HYPERVISOR, eax, regs[0], regs[1], regs[2]);
	return !memcmp(regs, "TCGTCGTCGTCG", sizeof(regs));
}
