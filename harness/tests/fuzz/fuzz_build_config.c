// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration fragments from anybody: any bytes give options or a message, and what is written of
 * them is read back as the same. */
#include "kernel/build_config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(config_set) set = config_set_new(), again = config_set_new();
	g_autoptr(GPtrArray) lost = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	if (config_set_read(set, "fuzz", (const char *)data, size, &error) == (error != NULL))
		g_error("success and error disagree");
	text = config_set_text(set);
	if (!config_set_read(again, "again", text, strlen(text), NULL))
		g_error("its own text is not read: %s", text);
	lost = config_set_lost(set, again);
	if (lost->len)
		g_error("'%s' was lost", (char *)lost->pdata[0]);
	return 0;
}
