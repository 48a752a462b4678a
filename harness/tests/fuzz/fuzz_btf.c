// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as BTF: no crash, no endless nesting. */
#include "parse/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const members[] = { "tasks", "pid", "comm", "thread.sp", "__state",
					       "x.y.z" };
	g_autoptr(btf) b = btf_new(data, len);
	uint32_t at;

	for (size_t i = 0; b && i < G_N_ELEMENTS(members); i++)
		btf_offset(b, "task_struct", members[i], &at);
	if (b)
		btf_size(b, "inactive_task_frame");
	return 0;
}
