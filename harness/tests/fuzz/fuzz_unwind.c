// SPDX-License-Identifier: GPL-2.0-or-later
/* Any registers, stack and unwind table: the walk ends, within its bounds. */
#include "judge/unwind.h"

#include <string.h>

#define TEXT UINT64_C(0xffffffff81000000)
#define STACK UINT64_C(0xffffc90000000000)
#define LINES 16

struct memory {
	const uint8_t *data;
	size_t len;
	unsigned reads;
};

/* The stack and the code are the same bytes. */
static bool read_memory(void *user, uint64_t addr, void *buf, size_t len)
{
	struct memory *m = user;
	uint64_t at = addr - (addr >= TEXT ? TEXT : STACK);

	m->reads++;
	if (at > m->len || len > m->len - at)
		return false;
	memcpy(buf, m->data + at, len);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct unwind_frame frames[40];
	struct elf_part ips = { .data = data, .len = 4 * LINES, .addr = TEXT };
	struct elf_part entries = { .len = 6 * LINES };
	struct unwind_regs regs = { 0 };
	struct memory m = { 0 };
	struct unwind_env env = { .text_start = TEXT, .text_end = TEXT + 65536,
				  .read = read_memory, .user = &m };
	g_autoptr(orc) o = NULL;
	size_t regs_len = offsetof(struct unwind_regs, called);
	size_t head = 10 * LINES + regs_len + 1;
	unsigned n, max;

	if (len < head)
		return 0;
	entries.data = data + ips.len;
	memcpy(&regs, data + 10 * LINES, regs_len);
	regs.called = data[head - 1] >> 7;
	max = 1 + data[head - 1] % G_N_ELEMENTS(frames);
	m.data = data + head;
	m.len = len - head;
	env.orc = o = orc_new(&ips, &entries);
	regs.ip = TEXT + regs.ip % 65536;
	regs.sp = STACK + regs.sp % 4096 / 8 * 8;
	n = unwind_stack(&env, &regs, frames, max);
	g_assert(n >= 1 && n <= max && frames[0].ip == regs.ip);
	g_assert(m.reads < 20000);
	for (unsigned i = 0; i + 1 < n; i++)
		g_assert(!frames[i].user);
	return 0;
}
