// SPDX-License-Identifier: GPL-2.0-or-later
/* Jumps and calls that the kernel emulates: see kbranch.h. */
#include "probes/lib/kbranch.h"
#include "probes/lib/util.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CALL_SIZE 5 /* what an indirect call was taken for, whatever its size */

/* Are these size bytes one instruction, which moves RAX or EAX to another register? */
static bool keeps_result(const uint8_t *p, unsigned size)
{
	unsigned rex = size == 3 ? p[0] : 0x40, op = p[size - 2], modrm = p[size - 1];

	if ((rex & 0xf0) != 0x40)
		return false;
	if (op == 0x89)
		return !(rex & 4) && (modrm & 0xf8) == 0xc0 && (modrm & 7 || rex & 1);
	return (op == 0x63 || op == 0x8b) && !(rex & 1) && (modrm & 0xc7) == 0xc0 &&
	       (modrm & 0x38 || rex & 4);
}

/* What the kernel emulated wrongly. Bytes within an instruction look like it now and then. */
static enum kbranch_kind branch_kind(const uint8_t *p)
{
	unsigned size = p[0] == 0x41 ? 3 : 2; /* R8 to R15 */

	if (p[0] == 0x7e || (p[0] == 0x0f && p[1] == 0x8e))
		return KBRANCH_JLE;
	if (p[0] == 0x7f || (p[0] == 0x0f && p[1] == 0x8f))
		return KBRANCH_JG;
	if (p[size - 2] != 0xff || (p[size - 1] & 0xf8) != 0xd0)
		return KBRANCH_NONE;
	return keeps_result(p + size, CALL_SIZE - size) ? KBRANCH_CALL_KEPT : KBRANCH_CALL;
}

static int branch_compare(const void *a, const void *b)
{
	const struct kbranch *x = a, *y = b;
	int xk = x->kind == KBRANCH_JG ? KBRANCH_JLE : x->kind;
	int yk = y->kind == KBRANCH_JG ? KBRANCH_JLE : y->kind;

	return xk != yk ? xk - yk : (x->turn > y->turn) - (x->turn < y->turn);
}

/* Those of one function, whose text is size bytes and CALL_SIZE more to look ahead into. */
static unsigned function_scan(unsigned function, const uint8_t *text, unsigned size,
			      struct kbranch *ret, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < size && n < max; i++)
		if (branch_kind(text + i) != KBRANCH_NONE)
			ret[n++] = (struct kbranch){
				.function = function,
				.offset = i,
				.kind = branch_kind(text + i),
			};
	return n;
}

static int branches_read(const struct ktext_function *functions, unsigned nfunctions,
			 struct kbranch *ret, unsigned max)
{
	static uint8_t text[KTEXT_SIZE_MAX + CALL_SIZE];
	unsigned n = 0;

	for (unsigned f = 0; f < nfunctions; f++) {
		unsigned size = functions[f].size;
		int got = ktext_read(functions[f].address, text, size);

		if (got != (int)size)
			return got < 0 ? got : -1;
		memset(text + size, 0, CALL_SIZE);
		n += function_scan(f, text, size, ret + n, max - n);
	}
	return n;
}

int kbranch_find(const struct ktext_function *functions, unsigned nfunctions, uint64_t seed,
		 struct kbranch *ret, unsigned max)
{
	uint64_t rand = seed * 2 + 1;
	int n = ktext_open();

	if (n)
		return n;
	n = branches_read(functions, nfunctions, ret, max);
	ktext_close();
	for (int i = 0; i < n; i++)
		ret[i].turn = rand_next(&rand);
	if (n > 0)
		qsort(ret, n, sizeof(*ret), branch_compare);
	return n;
}

const char *kbranch_name(enum kbranch_kind kind)
{
	static const char *const names[] = { "the indirect call", "the jle", "the jg",
					     "the indirect call", "an instruction" };

	return names[kind];
}
