/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code and words for hardware breakpoints: each target is one instruction that writes one word, so
 * that the word and the place behind its instruction belong together.
 */
#ifndef KLAB_PROBE_BP_TARGET_H
#define KLAB_PROBE_BP_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#define BP_TARGETS 8

/* Execute a target once. Needs no libc. */
void bp_target_pass(unsigned i);

/* What kind of access a breakpoint waits for, at which target. */
struct bp_aim {
	bool write;
	unsigned target;
};

/* Who sets a breakpoint. Each has words of its own: of two data breakpoints at one address QEMU
 * (10.0) sees only the first. Code is anybody's. */
enum bp_owner { BP_OWNER_SELF, BP_OWNER_PEER, BP_OWNER_PTRACE };

unsigned bp_target_choose(uint64_t *rand, enum bp_owner owner, bool write);
struct bp_aim bp_aim_choose(uint64_t *rand, enum bp_owner owner);

/* What the breakpoint watches. */
uint64_t bp_aim_address(struct bp_aim a);
/* Where a task is when it has hit: x86 traps before an instruction that is executed, and behind one
 * that wrote. */
uint64_t bp_aim_ip(struct bp_aim a);
/* The other way round; false if no target has it. */
bool bp_aim_of_ip(uint64_t ip, struct bp_aim *ret);

#endif
