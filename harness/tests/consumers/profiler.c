// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What a tracing product does with tracing_blacklist.h: where reading user memory from NMIs is not
 * safe it walks stacks another way, where patching text is not safe it refuses to start. Arguments:
 * RELEASE VERSION [FORCE]. Exit: 0 all features, 3 degraded, 4 refused.
 */
#include "tracing_blacklist.h"

#include <stdio.h>

static void tell(const char *what, const struct ktb_answer *a)
{
	printf("%s: %s is %s (%s): %s%s%s\n", what, a->hazard ? a->hazard : "operation",
	       ktb_value_name(a->value), ktb_evidence_name(a->evidence), a->reason,
	       a->workaround ? "; instead: " : "", a->workaround ? a->workaround : "");
}

int main(int argc, char **argv)
{
	struct ktb_kernel kernel;
	struct ktb_answer stacks, probes;

	if (argc < 3)
		return 2;
	ktb_identify(&kernel, argv[1], argv[2], NULL);
	ktb_force(&kernel, argc > 3 ? argv[3] : NULL);
	stacks = ktb_check(&kernel, KTB_OP_NMI_USER_READ);
	probes = ktb_check(&kernel, KTB_OP_TEXT_POKE);
	if (stacks.forced)
		tell("forced", &stacks);
	if (probes.forced)
		tell("forced", &probes);
	if (!probes.allowed) {
		tell("refused", &probes);
		return 4;
	}
	if (!stacks.allowed) {
		tell("degraded", &stacks);
		return 3;
	}
	puts("all features");
	return 0;
}
