// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The least that a product can do; compiled as C99, C++11 and kernel code, and needs no library. */
#include "tracing_blacklist.h"

int product_may(const char *release, const char *version, const char *op);

int product_may(const char *release, const char *version, const char *op)
{
	struct ktb_kernel kernel;
	struct ktb_answer answer;

	if (!ktb_identify(&kernel, release, version, NULL))
		return 0;
	answer = ktb_check(&kernel, op);
	return answer.allowed;
}
