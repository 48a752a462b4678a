// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Asks tracing_blacklist.h about the kernels on stdin, one a line: RELEASE TAB VERSION TAB
 * OS-RELEASE (an empty field is NULL, "\n" in the last is written as '|'). Prints for each line and
 * operation: VALUE EVIDENCE ALLOWED CONTRADICTED REASON.
 */
#include "tracing_blacklist.h"

#include <stdio.h>
#include <string.h>

static const char *field(char **at)
{
	char *start = *at, *end = start + strcspn(start, "\t\n");

	*at = *end ? end + 1 : end;
	*end = 0;
	return *start ? start : NULL;
}

int main(void)
{
	static char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		char *at = line, *bar;
		const char *release = field(&at), *version = field(&at), *os = field(&at);
		struct ktb_kernel kernel;
		size_t i;

		for (bar = (char *)os; bar && (bar = strchr(bar, '|'));)
			*bar = '\n';
		ktb_identify(&kernel, release ? release : "", version, os);
		for (i = 0; i < KTB_N_OPS; i++) {
			struct ktb_answer a = ktb_check(&kernel, ktb_ops[i]);

			printf("%s %s %d %d %s\n", ktb_value_name(a.value),
			       ktb_evidence_name(a.evidence), a.allowed, a.contradicted, a.reason);
		}
	}
	return 0;
}
