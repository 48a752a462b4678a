// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.yaml from anybody: any bytes give a matrix or a message. */
#include "conf/matrix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) chosen = NULL;
	g_autoptr(matrix) m = NULL;

	if (matrix_parse("fuzz", (const char *)data, size, &m, &error) == (error != NULL))
		g_error("success and error disagree");
	if (m)
		matrix_select(m, NULL, &chosen, NULL);
	return 0;
}
