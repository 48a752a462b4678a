// SPDX-License-Identifier: GPL-2.0-or-later
/* Code and words for hardware breakpoints: see bp_target.h. */
#include "probes/lib/bp_target.h"
#include "probes/lib/util.h"

#define CODE_SIZE 32 /* of a target */

extern uint64_t bp_target_word[BP_TARGETS + 1];
uint64_t bp_target_word[BP_TARGETS + 1] __attribute__((aligned(128)));
extern const char bp_target_code[], bp_target_store[];
_Static_assert(BP_TARGETS == 8, "as many as the assembly makes");

/* A second one writes a word beside them that nobody watches. QEMU (10.0) remembers of each data
 * breakpoint that it was hit until the next access to its page, and tells so in DR6 again when some
 * other breakpoint is hit before. */
asm(".pushsection .text\n"
    ".balign 32\n"
    ".set bp_target_other, bp_target_word + 8 * 8\n"
    "bp_target_code:\n"
    ".set bp_target_n, 0\n"
    ".rept 8\n"
    "	.balign 32\n"
    "	movl $1, bp_target_word + 8 * bp_target_n(%rip)\n"
    ".ifeq bp_target_n\n"
    "bp_target_store:\n"
    ".endif\n"
    "	movl $0, bp_target_other(%rip)\n"
    "	ret\n"
    ".set bp_target_n, bp_target_n + 1\n"
    ".endr\n"
    ".popsection\n");

static uint64_t target_at(unsigned i)
{
	return (uintptr_t)bp_target_code + i * CODE_SIZE;
}

void bp_target_pass(unsigned i)
{
	((void (*)(void))target_at(i))();
}

unsigned bp_target_choose(uint64_t *rand, enum bp_owner owner, bool write)
{
	static const unsigned first[] = { 0, 4, 6 }, count[] = { 4, 2, 2 };
	uint64_t n = rand_next(rand) >> 8;

	return write ? first[owner] + n % count[owner] : n % BP_TARGETS;
}

struct bp_aim bp_aim_choose(uint64_t *rand, enum bp_owner owner)
{
	bool write = rand_next(rand) >> 8 & 1;

	return (struct bp_aim){ .write = write, .target = bp_target_choose(rand, owner, write) };
}

uint64_t bp_aim_address(struct bp_aim a)
{
	return a.write ? (uintptr_t)&bp_target_word[a.target] : target_at(a.target);
}

uint64_t bp_aim_ip(struct bp_aim a)
{
	return target_at(a.target) + (a.write ? bp_target_store - bp_target_code : 0);
}

bool bp_aim_of_ip(uint64_t ip, struct bp_aim *ret)
{
	for (unsigned i = 0; i < 2 * BP_TARGETS; i++) {
		struct bp_aim a = { .write = i & 1, .target = i / 2 };

		if (bp_aim_ip(a) != ip)
			continue;
		*ret = a;
		return true;
	}
	return false;
}
