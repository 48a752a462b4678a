// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Asks about the running kernel, in strict mode: the optional parts of tracing_blacklist.h. */
#define KTB_WITH_STDIO
#define KTB_STRICT
#include "tracing_blacklist.h"

int main(void)
{
	struct ktb_kernel kernel;
	struct ktb_answer unknown;

	if (!ktb_identify_host(&kernel))
		return 2;
	unknown = ktb_check(&kernel, "no-such-operation");
	printf("%s %s %d\n", kernel.release, ktb_value_name(unknown.value), unknown.strict);
	return unknown.value == KTB_AFFECTED ? 0 : 1;
}
