// SPDX-License-Identifier: GPL-2.0-or-later
/* A bisection's log: whatever is in the file, probabilities stay probabilities, and a decision can be
 * made. */
#include "bisect/state.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ids[] = { "k0", "k1", "k2", "k3", "k4", "k5", NULL };
	static struct bisect_range *range;
	g_autoptr(bisect_state) s = NULL;
	double sum;

	if (!range && !bisect_range_kernels(ids, false, &range, NULL))
		__builtin_trap();
	s = bisect_state_new(range, 30, 5);
	bisect_replay(s, (const char *)data, size, NULL);
	if (!s->begun)
		return 0;
	sum = s->belief->w_older + s->belief->w_none;
	for (unsigned c = 0; c < range->n; c++)
		sum += s->belief->w[c];
	if (!(fabs(sum - 1) < 1e-6))
		__builtin_trap();
	bisect_state_next(s, NULL, 0, NULL);
	if (s->verify.begun && bisect_state_verdict(s) == VERIFY_OPEN && !(bisect_state_verify_lacks(s) > 0))
		__builtin_trap();
	return 0;
}
